//! What the operations do: each reads its request, calls files, and writes its answer.

mod acl;
mod buckets;
mod config;
pub(crate) mod convert;
mod copy;
mod delete;
pub(crate) mod lifecycle;
mod lists;
mod locks;
mod multipart;
mod parts;
mod read;
pub(crate) mod tags;
mod versions;
pub(crate) mod write;

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use crate::{
    Settings,
    body::Body,
    canonical::Query,
    errors::{ACCESS_DENIED, INVALID_ARGUMENT, INVALID_STORAGE_CLASS, NO_SUCH_BUCKET, NO_SUCH_KEY, S3Error},
    host::Target,
    operation::Operation,
    xml::{Element, Xml},
};
use files::{Bucket, Caller, CallerKind, Files, FilesError, Key, Verb, VersionRef, may};

/// Largest body of XML: ten thousand parts with their hashes.
const XML_BYTES: usize = 4 << 20;

/// A request that was admitted, without its body.
pub(crate) struct Cx {
    pub files: Files,
    pub settings: Arc<Settings>,
    pub who: Caller,
    pub target: Target,
    pub query: Query,
    pub headers: HeaderMap,
}

impl Cx {
    /// Text of a header; an empty one is none.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
    }

    pub fn bucket_name(&self) -> Result<&str, S3Error> {
        self.target.bucket.as_deref().ok_or_else(|| NO_SUCH_BUCKET.error())
    }

    /// The bucket of the request, which is the caller's organisation's.
    pub async fn bucket(&self) -> Result<Bucket, S3Error> {
        let owner = self.header("x-amz-expected-bucket-owner");
        if owner.is_some_and(|owner| owner != self.who.org.to_string()) {
            return Err(ACCESS_DENIED.error());
        }
        let name = self.bucket_name()?;
        let missing = |error: FilesError| match error {
            FilesError::BucketNotFound => NO_SUCH_BUCKET.error().about("BucketName", name),
            error => error.into(),
        };
        self.files.bucket(&self.who, name).await.map_err(missing)
    }

    pub fn key(&self) -> Result<Key, S3Error> {
        let key = self.target.key.as_deref().ok_or_else(|| NO_SUCH_KEY.error())?;
        Ok(Key::parse(key).map_err(FilesError::from)?)
    }

    /// `versionId`
    pub fn version(&self) -> Result<Option<VersionRef>, S3Error> {
        self.query.get("versionId").map(version).transpose()
    }

    /// Err unless the caller may do this with the bucket itself, or with what it may reach of it.
    pub fn may(&self, bucket: &Bucket, verb: Verb) -> Result<(), S3Error> {
        let prefix = match &self.who.kind {
            CallerKind::AccessKey(key) => key.prefix.as_str(),
            _ => "",
        };
        Ok(may(&self.who, bucket, &[], verb, prefix).map_err(FilesError::from)?)
    }

    /// A body of XML with this root.
    pub async fn xml(&self, body: Body, root: &str) -> Result<Element, S3Error> {
        Element::parse(&body.whole(&self.headers, XML_BYTES).await?, root)
    }

    /// Refuses what is asked for in headers and is not there: an answer without it would be taken for one with it.
    pub fn refuse_unknown(&self) -> Result<(), S3Error> {
        let refused = self.headers.keys().map(HeaderName::as_str).find(|name| {
            name.starts_with("x-amz-server-side-encryption")
                || name.starts_with("x-amz-copy-source-server-side-encryption")
                || name.starts_with("x-amz-grant-")
                || matches!(*name, "x-amz-website-redirect-location" | "x-amz-mfa" | "x-amz-write-offset-bytes")
        });
        if let Some(name) = refused {
            return Err(S3Error::not_implemented(format!("{name} is not implemented")));
        }
        match self.header("x-amz-storage-class") {
            None | Some("STANDARD" | "REDUCED_REDUNDANCY") => Ok(()),
            Some(other) => Err(INVALID_STORAGE_CLASS.error().about("StorageClassRequested", other)),
        }
    }
}

/// A version as addresses have it.
fn version(text: &str) -> Result<VersionRef, S3Error> {
    if text == "null" {
        return Ok(VersionRef::Unversioned);
    }
    let wrong = || INVALID_ARGUMENT.with("Invalid version id specified").about("ArgumentName", "versionId");
    text.parse().map(VersionRef::Id).map_err(|_| wrong())
}

/// As [`version`] reads it.
fn version_text(version: VersionRef) -> String {
    match version {
        VersionRef::Id(id) => id.to_string(),
        VersionRef::Unversioned => "null".to_owned(),
    }
}

/// An answer of XML.
fn answer(xml: Xml) -> Response {
    let mut response = Response::new(axum::body::Body::from(xml.end()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// An answer without content.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = status;
    response
}

/// Sets a header; what cannot be one is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: impl AsRef<str>) {
    if let Ok(value) = HeaderValue::try_from(value.as_ref()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Does an operation.
pub(crate) async fn run(operation: Operation, cx: &Cx, body: Body) -> Result<Response, S3Error> {
    use Operation as O;
    cx.refuse_unknown()?;
    match operation {
        O::ListBuckets => buckets::list(cx).await,
        O::CreateBucket => buckets::create(cx, body).await,
        O::DeleteBucket => buckets::delete(cx).await,
        O::HeadBucket => buckets::head(cx).await,
        O::GetBucketLocation => buckets::location(cx).await,
        O::GetBucketVersioning => config::versioning(cx).await,
        O::PutBucketVersioning => config::set_versioning(cx, body).await,
        O::GetBucketCors => config::cors(cx).await,
        O::PutBucketCors => config::set_cors(cx, body).await,
        O::DeleteBucketCors => config::delete_cors(cx).await,
        O::GetBucketLifecycleConfiguration => lifecycle::get(cx).await,
        O::PutBucketLifecycleConfiguration => lifecycle::put(cx, body).await,
        O::DeleteBucketLifecycle => lifecycle::delete(cx).await,
        O::GetBucketTagging => tags::of_bucket(cx).await,
        O::PutBucketTagging => tags::set_of_bucket(cx, body).await,
        O::DeleteBucketTagging => tags::delete_of_bucket(cx).await,
        O::GetObjectLockConfiguration => locks::configuration(cx).await,
        O::PutObjectLockConfiguration => locks::set_configuration(cx, body).await,
        O::GetBucketAcl | O::GetObjectAcl => acl::get(cx).await,
        O::PutBucketAcl => acl::put_of_bucket(cx, body).await,
        O::PutObjectAcl => acl::put_of_object(cx, body).await,
        O::GetBucketOwnershipControls
        | O::GetPublicAccessBlock
        | O::GetBucketPolicyStatus
        | O::GetBucketPolicy
        | O::GetBucketEncryption
        | O::GetBucketNotificationConfiguration
        | O::GetBucketLogging
        | O::GetBucketRequestPayment
        | O::GetBucketWebsite
        | O::GetBucketReplication => config::fixed(operation, cx).await,
        O::ListObjects => lists::v1(cx).await,
        O::ListObjectsV2 => lists::v2(cx).await,
        O::ListObjectVersions => versions::list(cx).await,
        O::ListMultipartUploads => multipart::list(cx).await,
        O::PutObject => Box::pin(write::put(cx, body)).await,
        O::GetObject | O::HeadObject => read::get(cx, operation == O::HeadObject).await,
        O::GetObjectAttributes => read::attributes(cx).await,
        O::DeleteObject => delete::one(cx).await,
        O::DeleteObjects => delete::many(cx, body).await,
        O::CopyObject => copy::object(cx).await,
        // With a signature of its own, in the form.
        O::PostObject => Err(S3Error::not_implemented("a form with an Authorization header is not implemented")),
        O::CreateMultipartUpload => multipart::create(cx).await,
        O::UploadPart => Box::pin(parts::upload(cx, body)).await,
        O::UploadPartCopy => parts::copy(cx).await,
        O::ListParts => parts::list(cx).await,
        O::CompleteMultipartUpload => multipart::complete(cx, body).await,
        O::AbortMultipartUpload => multipart::abort(cx).await,
        O::GetObjectTagging => tags::of_object(cx).await,
        O::PutObjectTagging => tags::set_of_object(cx, body).await,
        O::DeleteObjectTagging => tags::delete_of_object(cx).await,
        O::GetObjectRetention => locks::retention(cx).await,
        O::PutObjectRetention => locks::set_retention(cx, body).await,
        O::GetObjectLegalHold => locks::hold(cx).await,
        O::PutObjectLegalHold => locks::set_hold(cx, body).await,
    }
}
