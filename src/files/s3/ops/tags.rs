//! Tags of buckets and of objects.

use axum::{http::StatusCode, response::Response};

use super::{Cx, answer, config::change, convert::checked, empty, read::find, set, version_text};
use crate::{
    body::Body,
    errors::{MALFORMED_XML, NO_SUCH_TAGS, S3Error},
    xml::{Element, Xml},
};
use files::{Bucket, BucketChange, Object, Tags, Verb, Versioning};

/// Tags of a bucket: Amazon's limit. (An object has at most ten.)
const OF_BUCKET: usize = 50;
const OF_OBJECT: usize = 10;

fn read(root: &Element, most: usize) -> Result<Tags, S3Error> {
    root.only(&["TagSet"])?;
    let set = root.child("TagSet").ok_or_else(|| MALFORMED_XML.with("Tagging needs TagSet"))?;
    checked(pairs(set)?, most)
}

/// The tags of a form's field, which is XML too.
pub(crate) fn of_form(text: &str) -> Result<Tags, S3Error> {
    read(&Element::parse(text.as_bytes(), "Tagging")?, OF_OBJECT)
}

/// Names and values of all `Tag`s in an element.
pub(super) fn pairs(set: &Element) -> Result<Vec<(String, String)>, S3Error> {
    let text = |tag: &Element, name: &str| {
        let child = tag.child(name).ok_or_else(|| MALFORMED_XML.with(format!("Tag needs {name}")))?;
        Ok::<_, S3Error>(child.exact().to_owned())
    };
    set.all("Tag").map(|tag| Ok((text(tag, "Key")?, text(tag, "Value")?))).collect()
}

fn written(tags: &Tags) -> Response {
    let mut xml = Xml::new("Tagging");
    xml.open("TagSet");
    for (name, value) in tags {
        xml.open("Tag").text("Key", name).text("Value", value).close();
    }
    answer(xml)
}

pub(super) async fn of_bucket(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    cx.may(&bucket, Verb::List)?;
    if bucket.tags.is_empty() { Err(NO_SUCH_TAGS.error()) } else { Ok(written(&bucket.tags)) }
}

pub(super) async fn set_of_bucket(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let tags = read(&cx.xml(body, "Tagging").await?, OF_BUCKET)?;
    let bucket = cx.bucket().await?;
    change(cx, &bucket, BucketChange { tags: Some(tags), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn delete_of_bucket(cx: &Cx) -> Result<Response, S3Error> {
    let bucket = cx.bucket().await?;
    change(cx, &bucket, BucketChange { tags: Some(Tags::new()), ..BucketChange::default() }).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The object of the request.
async fn object(cx: &Cx) -> Result<(Bucket, Object), S3Error> {
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    let object = find(cx, &bucket, &key, cx.version()?).await?;
    Ok((bucket, object))
}

fn with_version(mut response: Response, bucket: &Bucket, object: &Object) -> Response {
    if bucket.versioning != Versioning::Off {
        set(response.headers_mut(), "x-amz-version-id", version_text(object.version()));
    }
    response
}

pub(super) async fn of_object(cx: &Cx) -> Result<Response, S3Error> {
    let (bucket, object) = object(cx).await?;
    Ok(with_version(written(&object.tags), &bucket, &object))
}

pub(super) async fn set_of_object(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let tags = read(&cx.xml(body, "Tagging").await?, OF_OBJECT)?;
    let (bucket, object) = object(cx).await?;
    let object = cx.files.set_tags(&cx.who, &object, tags).await?;
    Ok(with_version(empty(StatusCode::OK), &bucket, &object))
}

pub(super) async fn delete_of_object(cx: &Cx) -> Result<Response, S3Error> {
    let (bucket, object) = object(cx).await?;
    let object = cx.files.set_tags(&cx.who, &object, Tags::new()).await?;
    Ok(with_version(empty(StatusCode::NO_CONTENT), &bucket, &object))
}
