//! Buckets themselves.

use axum::{http::StatusCode, response::Response};

use super::{Cx, answer, convert::iso, empty, set};
use crate::{
    body::Body,
    errors::{INVALID_ARGUMENT, INVALID_BUCKET_NAME, S3Error},
    xml::{Element, Xml},
};
use files::{Bucket, CallerKind, FilesError, NewBucket, Verb, Versioning};
use platform::http::Slice;

/// Buckets that an organisation may have at most, by the settings.
const ALL: i64 = 10_000;
const XML_BYTES: usize = 64 << 10;

/// In the order of names; those that an access key is for.
pub(super) async fn list(cx: &Cx) -> Result<Response, S3Error> {
    let most = cx.query.number("max-buckets")?.unwrap_or(ALL);
    if !(1..=ALL).contains(&most) {
        return Err(INVALID_ARGUMENT.with("max-buckets: expected 1 to 10000"));
    }
    let (prefix, after) = (cx.query.get("prefix").unwrap_or_default(), cx.query.filled("continuation-token"));
    let is_shown = |bucket: &Bucket| {
        let own = match &cx.who.kind {
            CallerKind::AccessKey(key) => key.buckets.as_ref().is_none_or(|ids| ids.contains(&bucket.id)),
            _ => true,
        };
        own && bucket.name.starts_with(prefix) && after.is_none_or(|after| bucket.name.as_str() > after)
    };
    let mut buckets = cx.files.list_buckets(&cx.who, None, &Slice::first(ALL)).await?;
    buckets.retain(is_shown);
    buckets.sort_by(|a, b| a.name.cmp(&b.name));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = buckets.len() > most;
    buckets.truncate(most);
    let mut xml = Xml::new("ListAllMyBucketsResult");
    owner(&mut xml, cx);
    xml.open("Buckets");
    for bucket in &buckets {
        xml.open("Bucket").text("Name", &bucket.name).text("CreationDate", iso(bucket.created_at));
        xml.text("BucketRegion", &cx.settings.region).close();
    }
    xml.close();
    xml.maybe("ContinuationToken", buckets.last().filter(|_| more).map(|bucket| &bucket.name));
    xml.maybe("Prefix", cx.query.filled("prefix"));
    Ok(answer(xml))
}

/// The organisation, as it owns everything.
pub(super) fn owner(xml: &mut Xml, cx: &Cx) {
    xml.open("Owner").text("ID", cx.who.org).text("DisplayName", cx.who.org).close();
}

pub(super) async fn create(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let name = cx.bucket_name()?;
    // The region has no meaning here: whichever a client insists on is taken.
    let body = body.whole(&cx.headers, XML_BYTES).await?;
    if !body.is_empty() {
        Element::parse(&body, "CreateBucketConfiguration")?.only(&["LocationConstraint"])?;
    }
    let public = match cx.header("x-amz-acl") {
        None | Some("private") => false,
        Some("public-read") => true,
        Some(other) => return Err(S3Error::not_implemented(format!("the ACL {other} is not implemented"))),
    };
    match cx.header("x-amz-object-ownership") {
        None | Some("BucketOwnerEnforced") => {}
        Some(other) => return Err(S3Error::not_implemented(format!("the ownership {other} is not implemented"))),
    }
    let object_lock =
        cx.header("x-amz-bucket-object-lock-enabled").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let versioning = if object_lock { Versioning::On } else { Versioning::Off };
    let new = NewBucket { name: name.to_owned(), public, versioning, object_lock, trash_days: None };
    let made = cx.files.create_bucket(&cx.who, new).await;
    made.map_err(|error| match error {
        FilesError::Invalid(errors) if errors.iter().any(|error| error.pointer == "/name") => {
            INVALID_BUCKET_NAME.with(errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join("; "))
        }
        error => error.into(),
    })?;
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "location", format!("/{name}"));
    Ok(response)
}

pub(super) async fn delete(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.files.delete_bucket(&cx.who, bucket.id).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn head(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    // Programs ask so whether a bucket is there before they write: whoever may do anything in it is told.
    let verbs = [Verb::List, Verb::Read, Verb::Write];
    if !verbs.into_iter().any(|verb| cx.may(&bucket, verb).is_ok()) {
        cx.may(&bucket, Verb::List)?;
    }
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "x-amz-bucket-region", &cx.settings.region);
    Ok(response)
}

pub(super) async fn location(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::List)?;
    let mut xml = Xml::new("LocationConstraint");
    // Amazon's oldest region has no name here.
    if cx.settings.region != "us-east-1" {
        xml.value(&cx.settings.region);
    }
    Ok(answer(xml))
}
