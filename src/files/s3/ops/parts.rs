//! Parts of uploads.

use std::ops::Range;

use axum::{http::StatusCode, response::Response};

use super::{
    Cx, answer,
    buckets::owner,
    convert::iso,
    copy, empty, lists, set, version_text,
    write::{computed, expected, part_number},
};
use crate::{
    body::{self, Body},
    checksums::{self, ALGORITHMS},
    errors::{INVALID_ARGUMENT, INVALID_RANGE, NO_SUCH_UPLOAD, S3Error},
    xml::Xml,
};
use files::{Bucket, PartWant, Upload, UploadKind, UploadPart, Verb, Versioning};

/// The upload that `uploadId` names. One of another key, bucket or protocol is none.
pub(super) async fn upload_of(cx: &Cx) -> Result<(Bucket, Upload), S3Error> {
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    // Who may not write is not told which uploads there are.
    cx.may(&bucket, Verb::Write)?;
    let id = cx.query.get("uploadId").and_then(|id| id.parse().ok()).ok_or_else(|| NO_SUCH_UPLOAD.error())?;
    let upload = cx.files.upload(&cx.who, id).await?;
    let is_it = upload.bucket == bucket.id && upload.key == key && upload.kind == UploadKind::S3;
    if is_it { Ok((bucket, upload)) } else { Err(NO_SUCH_UPLOAD.error()) }
}

pub(super) async fn upload(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let (number, length) = (part_number(cx)?, body.need_length()?);
    let (_, upload) = upload_of(cx).await?;
    let want = PartWant { length: Some(length), expect: expected(&cx.headers, &body)?, digests: computed(cx, &body)? };
    let (stream, told) = body.stream();
    let part = cx.files.put_part(&cx.who, &upload, number, stream, want).await?;
    let mut checksums = part.checksums;
    if let Some((algorithm, hash)) = told.get() {
        checksums.insert(algorithm.kind.as_str().to_owned(), body::base64(hash));
    }
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(axum::http::header::ETAG, files::etag_value(&part.etag));
    checksums::tell(&checksums, headers);
    headers.remove("x-amz-checksum-type");
    Ok(response)
}

pub(super) async fn copy(cx: &Cx) -> Result<Response, S3Error> {
    let number = part_number(cx)?;
    let (_, upload) = upload_of(cx).await?;
    let (from, source) = copy::source(cx).await?;
    let range = cx.header("x-amz-copy-source-range").map(|text| range(text, source.size)).transpose()?;
    let part = cx.files.copy_part(&cx.who, &upload, number, (&from, &source), range).await?;
    let mut xml = Xml::new("CopyPartResult");
    xml.text("LastModified", iso(part.created_at)).text("ETag", format!("\"{}\"", part.etag));
    let mut response = answer(xml);
    if from.versioning != Versioning::Off {
        set(response.headers_mut(), "x-amz-copy-source-version-id", version_text(source.version()));
    }
    Ok(response)
}

/// `bytes=first-last`, both named and both within the source.
fn range(text: &str, size: u64) -> Result<Range<u64>, S3Error> {
    let wrong = || {
        INVALID_ARGUMENT.with("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
    };
    let (first, last) = text.strip_prefix("bytes=").and_then(|rest| rest.split_once('-')).ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(wrong());
    }
    if last >= size {
        return Err(INVALID_RANGE.with(format!("the source has {size} bytes")));
    }
    Ok(first..last + 1)
}

pub(super) async fn list(cx: &Cx) -> Result<Response, S3Error> {
    let most = cx.query.number("max-parts")?.unwrap_or(lists::PAGE).min(lists::PAGE);
    let after = cx.query.number("part-number-marker")?.unwrap_or_default();
    let (most, after) = (i32::try_from(most).unwrap_or(1000), i32::try_from(after).unwrap_or(i32::MAX));
    let (_, upload) = upload_of(cx).await?;
    // One more comes than the page shows, if another follows.
    let mut parts = cx.files.list_parts(&cx.who, &upload, after, most).await?;
    let shown = usize::try_from(most).unwrap_or_default();
    let more = parts.len() > shown && most > 0;
    parts.truncate(shown);
    let mut xml = Xml::new("ListPartsResult");
    xml.text("Bucket", cx.bucket_name()?).text("Key", upload.key.as_str()).text("UploadId", upload.id);
    xml.text("PartNumberMarker", after).text("MaxParts", most).text("IsTruncated", more);
    xml.maybe("NextPartNumberMarker", parts.last().map(|part| part.number));
    xml.open("Initiator").text("ID", cx.who.org).text("DisplayName", cx.who.org).close();
    owner(&mut xml, cx);
    xml.text("StorageClass", "STANDARD");
    for part in &parts {
        one(&mut xml, part);
    }
    Ok(answer(xml))
}

fn one(xml: &mut Xml, part: &UploadPart) {
    xml.open("Part").text("PartNumber", part.number).text("LastModified", iso(part.created_at));
    xml.text("ETag", format!("\"{}\"", part.etag)).text("Size", part.size);
    for algorithm in ALGORITHMS {
        xml.maybe(algorithm.element, part.checksums.get(algorithm.kind.as_str()));
    }
    xml.close();
}
