//! Reading objects. GET and HEAD write the same headers by the same function.

use std::ops::Range;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};

use super::{
    Cx, answer,
    convert::{http_date, iso, mode_text},
    set, version_text,
};
use crate::{
    checksums,
    errors::{ACCESS_DENIED, Code, INVALID_ARGUMENT, INVALID_RANGE, INVALID_REQUEST, PRECONDITION_FAILED, S3Error},
    xml::Xml,
};
use files::{
    Bucket, CallerKind, Decision, FilesError, Key, Object, Sniffed, Verb, VersionRef, Versioning, decide, etag_value,
    is_active, may,
};
use platform::http::{Bulk, Finished};

/// What a file of somebody may do where it is opened: nothing.
const POLICY: &str = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'";
const PART: Code = Code {
    name: "InvalidPartNumber",
    status: StatusCode::RANGE_NOT_SATISFIABLE,
    text: "The requested partnumber is not satisfiable",
};
/// Parameters that replace a header of the answer.
const OVERRIDES: [(&str, &str); 6] = [
    ("response-cache-control", "cache-control"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-encoding", "content-encoding"),
    ("response-content-language", "content-language"),
    ("response-content-type", "content-type"),
    ("response-expires", "expires"),
];

/// An object that the caller may read. A key that is not there is told only to those who may list.
pub(super) async fn find(cx: &Cx, bucket: &Bucket, key: &Key, version: Option<VersionRef>) -> Result<Object, S3Error> {
    let found = cx.files.find(&cx.who, bucket, key, version).await;
    found.map_err(|error| match error {
        FilesError::ObjectNotFound
            if matches!(cx.who.kind, CallerKind::AccessKey(_))
                && may(&cx.who, bucket, &[], Verb::List, key.as_str()).is_err() =>
        {
            ACCESS_DENIED
                .with("There is no such object, or this access key may not see that there is: it has no right to list")
        }
        error => S3Error::from(error).about("Key", key.as_str()),
    })
}

pub(super) async fn get(cx: &Cx, is_head: bool) -> Result<Response, S3Error> {
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    let object = find(cx, &bucket, &key, cx.version()?).await?;
    cx.files.readable(&bucket, &object)?;
    let part = cx.query.number("partNumber")?;
    if part.is_some() && cx.headers.contains_key(header::RANGE) {
        return Err(INVALID_REQUEST.with("Cannot specify both Range header and partNumber query parameter"));
    }
    // HEAD answers as GET would.
    let decision = decide(&cx.headers, &Method::GET, &object.etag, object.created_at, object.size);
    let range = match (decision, part) {
        (Decision::NotModified, _) => return Ok(not_modified(&bucket, &object)),
        (Decision::Failed, _) => return Err(PRECONDITION_FAILED.error()),
        (Decision::Unsatisfiable, _) => return Err(beyond(&object)),
        (Decision::Whole | Decision::Part(_), Some(number)) => Some(range_of_part(&object, number)?),
        (Decision::Part(range), None) => Some(range),
        // The last bytes of nothing.
        (Decision::Whole, None) if object.size == 0 && is_suffix(&cx.headers) => return Err(beyond(&object)),
        (Decision::Whole, None) => None,
    };
    let length = range.as_ref().map_or(object.size, |range| range.end - range.start);
    let body =
        if is_head { Body::empty() } else { Body::from_stream(cx.files.open(&cx.who, &object, range.clone()).await?) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    stored_headers(&bucket, &object, headers);
    overrides(cx, &object, headers)?;
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(range) = range {
        // Of an empty part there is no first byte.
        if length > 0 {
            set(headers, "content-range", format!("bytes {}-{}/{}", range.start, range.end - 1, object.size));
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    } else if cx.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED")) {
        checksums::tell(&object.checksums, headers);
    }
    if part.is_some() && !object.parts.is_empty() {
        set(response.headers_mut(), "x-amz-mp-parts-count", object.parts.len().to_string());
    }
    response.extensions_mut().insert(Bulk);
    response.extensions_mut().insert(Finished);
    Ok(response)
}

fn beyond(object: &Object) -> S3Error {
    INVALID_RANGE.error().about("ActualObjectSize", object.size.to_string())
}

fn is_suffix(headers: &HeaderMap) -> bool {
    headers.get(header::RANGE).is_some_and(|range| range.as_bytes().starts_with(b"bytes=-"))
}

/// The bytes of a part, as it was uploaded; an object that was not uploaded in parts is one.
fn range_of_part(object: &Object, number: i64) -> Result<Range<u64>, S3Error> {
    if !(1..=10_000).contains(&number) {
        return Err(INVALID_ARGUMENT.with("Part number must be an integer between 1 and 10000, inclusive"));
    }
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    if object.parts.is_empty() {
        return if number == 1 { Ok(0..object.size) } else { Err(PART.error()) };
    }
    let bytes = |sizes: &[i64]| sizes.iter().map(|size| u64::try_from(*size).unwrap_or_default()).sum::<u64>();
    let upto = object.parts.get(..number).ok_or_else(|| PART.error())?;
    Ok(bytes(&upto[..number - 1])..bytes(upto))
}

fn not_modified(bucket: &Bucket, object: &Object) -> Response {
    let mut response = super::empty(StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    stored_headers(bucket, object, headers);
    headers.remove(header::CONTENT_TYPE);
    response
}

/// All that is known of an object, as headers. The declared type is told, as clients of S3 compare it; a browser runs nothing of it.
fn stored_headers(bucket: &Bucket, object: &Object, headers: &mut HeaderMap) {
    set(headers, "content-type", &object.content_type);
    headers.insert(header::ETAG, etag_value(&object.etag));
    set(headers, "last-modified", http_date(object.created_at));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let own = &object.headers;
    let texts = [
        ("content-disposition", &own.content_disposition),
        ("content-encoding", &own.content_encoding),
        ("content-language", &own.content_language),
        ("expires", &own.expires),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            set(headers, name, text);
        }
    }
    let default_cache = if bucket.cache_control.is_empty() { "no-cache" } else { bucket.cache_control.as_str() };
    set(headers, "cache-control", own.cache_control.as_deref().unwrap_or(default_cache));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if is_running(object, &object.content_type) {
        attach(headers);
    }
    for (name, value) in &object.metadata {
        let name = HeaderName::try_from(format!("x-amz-meta-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.insert(name, value);
        }
    }
    if bucket.versioning != Versioning::Off {
        set(headers, "x-amz-version-id", version_text(object.version()));
    }
    if !object.tags.is_empty() {
        set(headers, "x-amz-tagging-count", object.tags.len().to_string());
    }
    if let Some(lock) = object.lock {
        set(headers, "x-amz-object-lock-mode", mode_text(lock.mode));
        set(headers, "x-amz-object-lock-retain-until-date", iso(lock.until));
    }
    if object.legal_hold {
        set(headers, "x-amz-object-lock-legal-hold", "ON");
    }
}

/// Whether a browser would run the content under this type.
fn is_running(object: &Object, declared: &str) -> bool {
    is_active(declared, Sniffed { media_type: "", active: object.sniffed == "text/html" })
}

/// Every request here is signed, so its wishes are those of somebody who may read. None of them makes a page out of a file on this origin.
fn overrides(cx: &Cx, object: &Object, headers: &mut HeaderMap) -> Result<(), S3Error> {
    for (name, header) in OVERRIDES {
        let Some(value) = cx.query.filled(name) else { continue };
        let value =
            HeaderValue::try_from(value).map_err(|_| INVALID_ARGUMENT.with(format!("{name} cannot be a header")))?;
        headers.insert(HeaderName::from_static(header), value);
    }
    let kind = cx.query.filled("response-content-type").unwrap_or(&object.content_type);
    if is_running(object, kind) || is_running(object, &object.content_type) {
        attach(headers);
    }
    Ok(())
}

/// The content is saved, not shown.
fn attach(headers: &mut HeaderMap) {
    let told = headers.get(header::CONTENT_DISPOSITION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !told.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("attachment")) {
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}

/// Chosen facts of an object.
pub(super) async fn attributes(cx: &Cx) -> Result<Response, S3Error> {
    let wanted = cx
        .header("x-amz-object-attributes")
        .ok_or_else(|| INVALID_ARGUMENT.with("x-amz-object-attributes is missing"))?;
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let known = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
    if let Some(other) = wanted.iter().find(|name| !known.contains(name)) {
        return Err(INVALID_ARGUMENT.with(format!("Invalid attribute name specified: {other}")));
    }
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    let object = find(cx, &bucket, &key, cx.version()?).await?;
    let mut xml = Xml::new("GetObjectAttributesResponse");
    let has = |name: &str| wanted.contains(&name);
    xml.maybe("ETag", has("ETag").then_some(&object.etag));
    if has("Checksum") && !checksums::names(&object).is_empty() {
        xml.open("Checksum");
        for algorithm in checksums::ALGORITHMS {
            xml.maybe(algorithm.element, object.checksums.get(algorithm.kind.as_str()));
        }
        xml.text("ChecksumType", checksums::kind_of(&object.checksums)).close();
    }
    if has("ObjectParts") && !object.parts.is_empty() {
        xml.open("ObjectParts").text("PartsCount", object.parts.len()).close();
    }
    xml.maybe("StorageClass", has("StorageClass").then_some("STANDARD"));
    xml.maybe("ObjectSize", has("ObjectSize").then_some(object.size));
    let mut response = answer(xml);
    set(response.headers_mut(), "last-modified", http_date(object.created_at));
    if bucket.versioning != Versioning::Off {
        set(response.headers_mut(), "x-amz-version-id", version_text(object.version()));
    }
    Ok(response)
}
