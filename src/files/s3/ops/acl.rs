//! ACLs, as far as clients insist: a bucket is private or public-read, and an object is as its bucket.

use axum::{http::StatusCode, response::Response};

use super::{Cx, answer, buckets::owner, config::change, empty, read::find};
use crate::{
    body::Body,
    errors::{ACL_NOT_SUPPORTED, MALFORMED_ACL, S3Error},
    xml::{Element, Xml},
};
use files::{BucketChange, Verb};

const XSI: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"";
const XSI_GROUP: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\"";
const EVERYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

/// Err for a canned ACL of an object that would give it other rights than its bucket has.
pub(super) fn of_object(canned: &str) -> Result<(), S3Error> {
    match canned {
        "private" | "bucket-owner-full-control" | "bucket-owner-read" => Ok(()),
        _ => Err(ACL_NOT_SUPPORTED.error()),
    }
}

pub(super) async fn get(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    match &cx.target.key {
        Some(_) => drop(find(cx, &bucket, &cx.key()?, cx.version()?).await?),
        None => cx.may(&bucket, Verb::List)?,
    }
    let mut xml = Xml::new("AccessControlPolicy");
    owner(&mut xml, cx);
    xml.open("AccessControlList").open("Grant").open_with("Grantee", XSI);
    xml.text("ID", cx.who.org).text("DisplayName", cx.who.org).close();
    xml.text("Permission", "FULL_CONTROL").close();
    if bucket.public {
        xml.open("Grant").open_with("Grantee", XSI_GROUP).text("URI", EVERYBODY).close();
        xml.text("Permission", "READ").close();
    }
    Ok(answer(xml))
}

/// What an ACL of a body gives: only to the owner, or to everybody to read.
async fn is_public(cx: &Cx, body: Body) -> Result<bool, S3Error> {
    match cx.header("x-amz-acl") {
        Some("private") => return Ok(false),
        Some("public-read") => return Ok(true),
        Some(_) => return Err(ACL_NOT_SUPPORTED.error()),
        None => {}
    }
    let policy = cx.xml(body, "AccessControlPolicy").await?;
    let list = policy.child("AccessControlList").ok_or_else(|| MALFORMED_ACL.error())?;
    let mut public = false;
    for grant in list.all("Grant") {
        let grantee = grant.child("Grantee").ok_or_else(|| MALFORMED_ACL.error())?;
        public |= is_everybody(cx, grantee, grant.need("Permission")?)?;
    }
    Ok(public)
}

/// Whether a grant is everybody's; Err for what is neither that nor the owner's.
fn is_everybody(cx: &Cx, grantee: &Element, permission: &str) -> Result<bool, S3Error> {
    let id = grantee.get("ID").map(|id| id == cx.who.org.to_string());
    match (id, grantee.get("URI"), permission) {
        (Some(true), None, "FULL_CONTROL") => Ok(false),
        (None, Some(EVERYBODY), "READ") => Ok(true),
        _ => Err(ACL_NOT_SUPPORTED.error()),
    }
}

pub(super) async fn put_of_bucket(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let public = is_public(cx, body).await?;
    let bucket = cx.bucket().await?;
    change(cx, &bucket, BucketChange { public: Some(public), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::OK))
}

/// An object has the rights of its bucket: what says the same is taken.
pub(super) async fn put_of_object(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::Write)?;
    find(cx, &bucket, &cx.key()?, cx.version()?).await?;
    let public = match cx.header("x-amz-acl") {
        Some("bucket-owner-full-control" | "bucket-owner-read") => false,
        _ => is_public(cx, body).await?,
    };
    if public && !bucket.public { Err(ACL_NOT_SUPPORTED.error()) } else { Ok(empty(StatusCode::OK)) }
}
