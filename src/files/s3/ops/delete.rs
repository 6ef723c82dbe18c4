//! Deleting objects and versions.

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{Cx, answer, convert, empty, set, version, version_text};
use crate::{
    body::Body,
    errors::{MALFORMED_XML, S3Error},
    xml::Xml,
};
use files::{Conditions, Deleted, EtagList, FilesError, Key, VersionRef};

/// Keys of one request: Amazon's limit.
const MOST: usize = 1000;

pub(super) async fn one(cx: &Cx) -> Result<Response, S3Error> {
    for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] {
        if cx.headers.contains_key(name) {
            return Err(S3Error::not_implemented(format!("{name} is not implemented")));
        }
    }
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    let deleted = cx.files.delete(&cx.who, &bucket, &key, cx.version()?, &convert::conditions(cx)?).await?;
    let mut response = empty(StatusCode::NO_CONTENT);
    tell(deleted, response.headers_mut());
    Ok(response)
}

/// A delete marker that was written, or that is gone.
fn tell(deleted: Deleted, headers: &mut HeaderMap) {
    if deleted.marker.is_some() || deleted.was_marker {
        set(headers, "x-amz-delete-marker", "true");
    }
    match (deleted.marker, deleted.version) {
        (Some(marker), _) => set(headers, "x-amz-version-id", marker.to_string()),
        (None, Some(VersionRef::Id(id))) => set(headers, "x-amz-version-id", id.to_string()),
        (None, Some(VersionRef::Unversioned) | None) => {}
    }
}

/// A key of a list: what it says, and what came of it.
struct Wanted {
    key: String,
    version: Option<String>,
    /// Only if the object has this etag.
    etag: Option<String>,
}

pub(super) async fn many(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let root = cx.xml(body, "Delete").await?;
    root.only(&["Object", "Quiet"])?;
    let quiet = root.get("Quiet").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let mut wanted = Vec::new();
    for object in root.all("Object") {
        object.only(&["Key", "VersionId", "ETag"])?;
        wanted.push(Wanted {
            // Of a key every character counts.
            key: object.child("Key").ok_or_else(|| MALFORMED_XML.with("Object needs Key"))?.exact().to_owned(),
            version: object.get("VersionId").filter(|text| !text.is_empty()).map(str::to_owned),
            etag: object.get("ETag").map(|text| convert::unquoted(text).to_owned()),
        });
    }
    if wanted.is_empty() || wanted.len() > MOST {
        return Err(MALFORMED_XML.with(format!("expected 1 to {MOST} objects")));
    }
    let results = delete(cx, &wanted).await?;
    let mut xml = Xml::new("DeleteResult");
    for (wanted, result) in wanted.iter().zip(results) {
        match result {
            Ok(deleted) if !quiet => told(&mut xml, wanted, deleted),
            Ok(_) => {}
            Err(error) => {
                xml.open("Error").text("Key", &wanted.key).maybe("VersionId", wanted.version.as_ref());
                xml.text("Code", error.code).text("Message", &error.message).close();
            }
        }
    }
    Ok(answer(xml))
}

fn told(xml: &mut Xml, wanted: &Wanted, deleted: Deleted) {
    xml.open("Deleted").text("Key", &wanted.key).maybe("VersionId", wanted.version.as_ref());
    if deleted.marker.is_some() || deleted.was_marker {
        let gone = deleted.version.filter(|_| deleted.was_marker).map(version_text);
        xml.text("DeleteMarker", true).maybe("DeleteMarkerVersionId", deleted.marker.map(|id| id.to_string()).or(gone));
    }
    xml.close();
}

/// What came of each. Those with a condition are deleted by themselves, all others together.
async fn delete(cx: &Cx, wanted: &[Wanted]) -> Result<Vec<Result<Deleted, S3Error>>, S3Error> {
    let bucket = cx.bucket().await?;
    let mut results: Vec<Option<Result<Deleted, S3Error>>> = wanted.iter().map(|_| None).collect();
    let (mut together, mut places) = (Vec::new(), Vec::new());
    for (place, wanted) in wanted.iter().enumerate() {
        let key = Key::parse(wanted.key.as_str()).map_err(|error| S3Error::from(FilesError::from(error)));
        match (key, wanted.version.as_deref().map(version).transpose(), &wanted.etag) {
            (Err(error), _, _) | (_, Err(error), _) => results[place] = Some(Err(error)),
            (Ok(key), Ok(version), None) => {
                together.push((key, version));
                places.push(place);
            }
            (Ok(key), Ok(version), Some(etag)) => {
                let list = if etag == "*" { EtagList::Any } else { EtagList::These(vec![etag.clone()]) };
                let when = Conditions { if_match: Some(list), if_none_match: None };
                let deleted = cx.files.delete(&cx.who, &bucket, &key, version, &when).await;
                results[place] = Some(deleted.map_err(S3Error::from));
            }
        }
    }
    if !together.is_empty() {
        let deleted = cx.files.delete_many(&cx.who, &bucket, together).await?;
        for (place, deleted) in places.into_iter().zip(deleted) {
            results[place] = Some(deleted.map_err(S3Error::from));
        }
    }
    let missing = || Err(crate::errors::INTERNAL.error());
    Ok(results.into_iter().map(|result| result.unwrap_or_else(missing)).collect())
}
