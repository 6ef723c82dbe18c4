//! Copies: rows only, within the organisation. The content is never touched, so a copy of a key onto itself cannot empty it.

use axum::{
    http::{HeaderMap, HeaderValue, Method, header},
    response::Response,
};

use super::{
    Cx, answer,
    convert::{self, copy_source, iso},
    read::find,
    set, version, version_text,
    write::{self, new_object},
};
use crate::{
    errors::{INVALID_ARGUMENT, INVALID_REQUEST, PRECONDITION_FAILED, S3Error},
    xml::Xml,
};
use files::{Bucket, CopyObject, Decision, FilesError, Key, NewObject, Object, Versioning, decide};

/// The source of a copy: read by the caller's rights, and as `x-amz-copy-source-if-*` wants it.
pub(super) async fn source(cx: &Cx) -> Result<(Bucket, Object), S3Error> {
    let text = cx.header("x-amz-copy-source").unwrap_or_default();
    let (bucket, key, which) = copy_source(text)?;
    if uuid::Uuid::try_parse(&bucket).is_ok() {
        return Err(INVALID_ARGUMENT.with("the copy source names a bucket by its id"));
    }
    let owner = cx.header("x-amz-source-expected-bucket-owner");
    if owner.is_some_and(|owner| owner != cx.who.org.to_string()) {
        return Err(crate::errors::ACCESS_DENIED.error());
    }
    let bucket = cx.files.bucket(&cx.who, &bucket).await?;
    let key = Key::parse(key).map_err(FilesError::from)?;
    let object = find(cx, &bucket, &key, which.as_deref().map(version).transpose()?).await?;
    // The conditions of a read, under other names.
    let mut conditions = HeaderMap::new();
    for (name, plain) in [
        ("x-amz-copy-source-if-match", header::IF_MATCH),
        ("x-amz-copy-source-if-none-match", header::IF_NONE_MATCH),
        ("x-amz-copy-source-if-modified-since", header::IF_MODIFIED_SINCE),
        ("x-amz-copy-source-if-unmodified-since", header::IF_UNMODIFIED_SINCE),
    ] {
        if let Some(value) = cx.headers.get(name) {
            conditions.insert(plain, HeaderValue::clone(value));
        }
    }
    match decide(&conditions, &Method::GET, &object.etag, object.created_at, object.size) {
        Decision::Failed | Decision::NotModified => Err(PRECONDITION_FAILED.error()),
        Decision::Whole | Decision::Part(_) | Decision::Unsatisfiable => Ok((bucket, object)),
    }
}

pub(super) async fn object(cx: &Cx) -> Result<Response, S3Error> {
    // The source first: where there is none, nothing is written.
    let (from, source) = source(cx).await?;
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    let new = copied(cx, &source)?;
    let is_itself = from.id == bucket.id && source.key == key && source.current;
    if is_itself && new.replace.is_none() {
        return Err(INVALID_REQUEST.with(
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, \
             storage class, website redirect location or encryption attributes.",
        ));
    }
    let written = cx.files.copy(&cx.who, (&from, &source), (&bucket, key), new).await?;
    let mut xml = Xml::new("CopyObjectResult");
    xml.text("LastModified", iso(written.object.created_at)).text("ETag", format!("\"{}\"", written.object.etag));
    let mut response = answer(xml);
    let headers = response.headers_mut();
    write::tell(&bucket, &written.object, &written.object.checksums, headers);
    if from.versioning != Versioning::Off {
        set(headers, "x-amz-copy-source-version-id", version_text(source.version()));
    }
    Ok(response)
}

/// What the copy is: all of the source's, or what the headers say and nothing of the source's.
fn copied(cx: &Cx, source: &Object) -> Result<CopyObject, S3Error> {
    let directive = |name: &str| match cx.header(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(INVALID_ARGUMENT.with(format!("{name}: expected COPY or REPLACE, found {other:?}"))),
    };
    let (metadata, tags) = (directive("x-amz-metadata-directive")?, directive("x-amz-tagging-directive")?);
    let asked = new_object(cx)?;
    let when = convert::conditions(cx)?;
    let has_lock = asked.lock.is_some() || asked.legal_hold;
    if !metadata && !tags && !has_lock {
        return Ok(CopyObject { replace: None, when });
    }
    let mut new = NewObject { when: when.clone(), ..asked };
    if !metadata {
        new.content_type = Some(source.content_type.clone());
        new.headers = source.headers.clone();
        new.metadata = source.metadata.clone();
    }
    if !tags {
        new.tags = source.tags.clone();
    }
    Ok(CopyObject { replace: Some(Box::new(new)), when })
}
