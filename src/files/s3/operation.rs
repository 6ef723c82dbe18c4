//! Which operation a request is: by its method, what it is about, and its query.

use axum::http::{HeaderMap, Method};

use crate::{
    canonical::Query,
    errors::{METHOD_NOT_ALLOWED, S3Error},
    host::Target,
};

macro_rules! operations {
    ($($name:ident)+) => {
        /// Operations of S3 that are answered, by Amazon's names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Operation { $($name),+ }

        impl Operation {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

operations! {
    ListBuckets CreateBucket DeleteBucket HeadBucket GetBucketLocation
    GetBucketVersioning PutBucketVersioning GetBucketCors PutBucketCors DeleteBucketCors
    GetBucketLifecycleConfiguration PutBucketLifecycleConfiguration DeleteBucketLifecycle
    GetBucketTagging PutBucketTagging DeleteBucketTagging
    GetObjectLockConfiguration PutObjectLockConfiguration
    GetBucketAcl PutBucketAcl GetBucketOwnershipControls GetPublicAccessBlock GetBucketPolicyStatus
    GetBucketPolicy GetBucketEncryption GetBucketNotificationConfiguration GetBucketLogging GetBucketRequestPayment
    GetBucketWebsite GetBucketReplication
    ListObjects ListObjectsV2 ListObjectVersions ListMultipartUploads
    PutObject GetObject HeadObject GetObjectAttributes DeleteObject DeleteObjects CopyObject PostObject
    CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload ListParts
    GetObjectTagging PutObjectTagging DeleteObjectTagging
    GetObjectRetention PutObjectRetention GetObjectLegalHold PutObjectLegalHold
    GetObjectAcl PutObjectAcl
}

/// Names of all operations that are answered.
pub fn operations() -> impl Iterator<Item = &'static str> {
    Operation::ALL.iter().map(|operation| operation.name())
}

/// Parameters that choose an operation. One that is not answered is refused by its name: passed over, another operation would run.
const CHOOSING: [&str; 41] = [
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "rename",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
    "abac",
];

/// The operation of a request.
pub(crate) fn resolve(
    method: &Method,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Operation, S3Error> {
    let chosen: Vec<&str> = CHOOSING.into_iter().filter(|name| query.has(name)).collect();
    let found = match (&target.bucket, &target.key) {
        (None, _) => of_root(method, &chosen),
        (Some(_), None) => of_bucket(method, &chosen, query, headers),
        (Some(_), Some(_)) => of_object(method, &chosen, query, headers),
    };
    found.ok_or_else(|| {
        if chosen.is_empty() {
            METHOD_NOT_ALLOWED.error().about("Method", method.as_str())
        } else {
            S3Error::not_implemented(format!("{method} with ?{} is not implemented", chosen.join("&")))
        }
    })
}

fn of_root(method: &Method, chosen: &[&str]) -> Option<Operation> {
    (chosen.is_empty() && *method == Method::GET).then_some(Operation::ListBuckets)
}

fn of_bucket(method: &Method, chosen: &[&str], query: &Query, headers: &HeaderMap) -> Option<Operation> {
    use Operation as O;
    let is_v2 = query.get("list-type") == Some("2");
    Some(match (method.as_str(), chosen) {
        ("GET", []) if is_v2 => O::ListObjectsV2,
        ("GET", []) => O::ListObjects,
        ("GET", ["acl"]) => O::GetBucketAcl,
        ("GET", ["cors"]) => O::GetBucketCors,
        ("GET", ["encryption"]) => O::GetBucketEncryption,
        ("GET", ["lifecycle"]) => O::GetBucketLifecycleConfiguration,
        ("GET", ["location"]) => O::GetBucketLocation,
        ("GET", ["logging"]) => O::GetBucketLogging,
        ("GET", ["notification"]) => O::GetBucketNotificationConfiguration,
        ("GET", ["object-lock"]) => O::GetObjectLockConfiguration,
        ("GET", ["ownershipControls"]) => O::GetBucketOwnershipControls,
        ("GET", ["policy"]) => O::GetBucketPolicy,
        ("GET", ["policyStatus"]) => O::GetBucketPolicyStatus,
        ("GET", ["publicAccessBlock"]) => O::GetPublicAccessBlock,
        ("GET", ["replication"]) => O::GetBucketReplication,
        ("GET", ["requestPayment"]) => O::GetBucketRequestPayment,
        ("GET", ["tagging"]) => O::GetBucketTagging,
        ("GET", ["uploads"]) => O::ListMultipartUploads,
        ("GET", ["versioning"]) => O::GetBucketVersioning,
        ("GET", ["versions"]) => O::ListObjectVersions,
        ("GET", ["website"]) => O::GetBucketWebsite,
        ("HEAD", []) => O::HeadBucket,
        ("PUT", []) => O::CreateBucket,
        ("PUT", ["acl"]) => O::PutBucketAcl,
        ("PUT", ["cors"]) => O::PutBucketCors,
        ("PUT", ["lifecycle"]) => O::PutBucketLifecycleConfiguration,
        ("PUT", ["object-lock"]) => O::PutObjectLockConfiguration,
        ("PUT", ["tagging"]) => O::PutBucketTagging,
        ("PUT", ["versioning"]) => O::PutBucketVersioning,
        ("DELETE", []) => O::DeleteBucket,
        ("DELETE", ["cors"]) => O::DeleteBucketCors,
        ("DELETE", ["lifecycle"]) => O::DeleteBucketLifecycle,
        ("DELETE", ["tagging"]) => O::DeleteBucketTagging,
        ("POST", ["delete"]) => O::DeleteObjects,
        ("POST", []) if is_form(headers) => O::PostObject,
        _ => return None,
    })
}

fn of_object(method: &Method, chosen: &[&str], query: &Query, headers: &HeaderMap) -> Option<Operation> {
    use Operation as O;
    let is_copy = headers.contains_key("x-amz-copy-source");
    let is_part = query.has("partNumber");
    Some(match (method.as_str(), chosen) {
        ("GET", []) => O::GetObject,
        ("GET", ["acl"]) => O::GetObjectAcl,
        ("GET", ["attributes"]) => O::GetObjectAttributes,
        ("GET", ["legal-hold"]) => O::GetObjectLegalHold,
        ("GET", ["retention"]) => O::GetObjectRetention,
        ("GET", ["tagging"]) => O::GetObjectTagging,
        ("GET", ["uploadId"]) => O::ListParts,
        ("HEAD", []) => O::HeadObject,
        ("PUT", []) if is_copy => O::CopyObject,
        ("PUT", []) => O::PutObject,
        ("PUT", ["acl"]) => O::PutObjectAcl,
        ("PUT", ["legal-hold"]) => O::PutObjectLegalHold,
        ("PUT", ["retention"]) => O::PutObjectRetention,
        ("PUT", ["tagging"]) => O::PutObjectTagging,
        ("PUT", ["uploadId"]) if is_part && is_copy => O::UploadPartCopy,
        ("PUT", ["uploadId"]) if is_part => O::UploadPart,
        ("POST", ["uploads"]) => O::CreateMultipartUpload,
        ("POST", ["uploadId"]) => O::CompleteMultipartUpload,
        ("DELETE", []) => O::DeleteObject,
        ("DELETE", ["tagging"]) => O::DeleteObjectTagging,
        ("DELETE", ["uploadId"]) => O::AbortMultipartUpload,
        _ => return None,
    })
}

/// Whether the body is a form, as browsers post it.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.get(..19).is_some_and(|start| start.eq_ignore_ascii_case("multipart/form-data"))
}
