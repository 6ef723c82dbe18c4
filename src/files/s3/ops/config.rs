//! Settings of buckets.

use axum::{http::StatusCode, response::Response};

use super::{Cx, answer, empty};
use crate::{
    body::Body,
    cors,
    errors::{
        ILLEGAL_VERSIONING, MALFORMED_XML, NO_SUCH_BUCKET_POLICY, NO_SUCH_CORS, NO_SUCH_ENCRYPTION,
        NO_SUCH_REPLICATION, NO_SUCH_WEBSITE, S3Error,
    },
    operation::Operation,
    xml::Xml,
};
use files::{Bucket, BucketChange, Verb, Versioning};

/// Changes the bucket of the request; whether the caller may is for files to say.
pub(super) async fn change(cx: &Cx, bucket: &Bucket, change: BucketChange) -> Result<(), S3Error> {
    cx.files.change_bucket(&cx.who, bucket.id, None, change).await?;
    Ok(())
}

pub(super) async fn versioning(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::List)?;
    let status = match bucket.versioning {
        Versioning::Off => None,
        Versioning::On => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    let mut xml = Xml::new("VersioningConfiguration");
    xml.maybe("Status", status);
    Ok(answer(xml))
}

pub(super) async fn set_versioning(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let wanted = cx.xml(body, "VersioningConfiguration").await?;
    wanted.only(&["Status", "MfaDelete"])?;
    if wanted.get("MfaDelete").is_some_and(|text| text != "Disabled") {
        return Err(S3Error::not_implemented("MfaDelete is not implemented"));
    }
    let versioning = match wanted.need("Status")? {
        "Enabled" => Versioning::On,
        "Suspended" => Versioning::Suspended,
        other => return Err(MALFORMED_XML.with(format!("Status: expected Enabled or Suspended, found {other:?}"))),
    };
    let bucket = cx.bucket().await?;
    if bucket.object_lock && versioning == Versioning::Suspended {
        let text = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
        return Err(ILLEGAL_VERSIONING.with(text));
    }
    change(cx, &bucket, BucketChange { versioning: Some(versioning), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::OK))
}

pub(super) async fn cors(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::List)?;
    let rules = cors::stored(&bucket.cors);
    if rules.is_empty() { Err(NO_SUCH_CORS.error()) } else { Ok(answer(cors::to_xml(&rules))) }
}

pub(super) async fn set_cors(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let rules = cors::of_xml(&cx.xml(body, "CORSConfiguration").await?)?;
    let cors = serde_json::to_value(rules).map_err(files::FilesError::Json)?;
    let bucket = cx.bucket().await?;
    change(cx, &bucket, BucketChange { cors: Some(cors), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::OK))
}

pub(super) async fn delete_cors(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    let none = serde_json::Value::Array(Vec::new());
    change(cx, &bucket, BucketChange { cors: Some(none), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// What programs ask for and what is the same for every bucket.
pub(super) async fn fixed(operation: Operation, cx: &Cx) -> Result<Response, S3Error> {
    use Operation as O;
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::List)?;
    match operation {
        O::GetBucketPolicy => return Err(NO_SUCH_BUCKET_POLICY.error()),
        O::GetBucketEncryption => return Err(NO_SUCH_ENCRYPTION.error()),
        O::GetBucketWebsite => return Err(NO_SUCH_WEBSITE.error()),
        O::GetBucketReplication => return Err(NO_SUCH_REPLICATION.error()),
        _ => {}
    }
    let mut xml = Xml::new(match operation {
        O::GetBucketOwnershipControls => "OwnershipControls",
        O::GetPublicAccessBlock => "PublicAccessBlockConfiguration",
        O::GetBucketPolicyStatus => "PolicyStatus",
        O::GetBucketRequestPayment => "RequestPaymentConfiguration",
        O::GetBucketLogging => "BucketLoggingStatus",
        _ => "NotificationConfiguration",
    });
    match operation {
        O::GetBucketOwnershipControls => {
            xml.open("Rule").text("ObjectOwnership", "BucketOwnerEnforced").close();
        }
        O::GetBucketPolicyStatus => {
            xml.text("IsPublic", bucket.public);
        }
        O::GetBucketRequestPayment => {
            xml.text("Payer", "BucketOwner");
        }
        O::GetPublicAccessBlock => {
            for name in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
                xml.text(name, !bucket.public);
            }
        }
        _ => {}
    }
    Ok(answer(xml))
}
