//! Writing objects.

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use storage::{DigestKind, DigestSet};

use super::{Cx, convert, empty, set, version_text};
use crate::{
    body::{self, Body},
    checksums::{self, Algorithm},
    errors::{BAD_DIGEST, INVALID_ARGUMENT, S3Error},
};
use files::{Bucket, Checksums, EtagKind, Expect, NewObject, Object, Versioning};

/// What a new object is, as the headers of a request say it; its content apart.
pub(crate) fn new_object(cx: &Cx) -> Result<NewObject, S3Error> {
    if let Some(acl) = cx.header("x-amz-acl") {
        super::acl::of_object(acl)?;
    }
    let (lock, legal_hold) = convert::lock(cx)?;
    Ok(NewObject {
        content_type: cx.header("content-type").map(str::to_owned),
        headers: convert::headers(cx),
        metadata: convert::metadata(cx)?,
        tags: convert::tags(cx)?,
        lock,
        legal_hold,
        when: convert::conditions(cx)?,
        etag: EtagKind::Md5,
        ..NewObject::default()
    })
}

/// Hashes that a content must have, by the headers of its request.
pub(super) fn expected(headers: &HeaderMap, body: &Body) -> Result<Expect, S3Error> {
    let mut list: Vec<(DigestKind, Vec<u8>)> = Vec::new();
    list.extend(checksums::md5(headers)?.map(|hash| (DigestKind::Md5, hash)));
    list.extend(checksums::sent(headers)?.map(|(algorithm, hash)| (algorithm.kind, hash)));
    if let Some(sha256) = body.sha256() {
        match list.iter().find(|(kind, _)| *kind == DigestKind::Sha256) {
            // One of the two is wrong, whatever the content is.
            Some((_, other)) if *other != sha256 => return Err(BAD_DIGEST.error()),
            Some(_) => {}
            None => list.push((DigestKind::Sha256, sha256.to_vec())),
        }
    }
    Ok(Expect(list))
}

/// Hashes that are computed because they follow the content, or because the client asks for one.
pub(super) fn computed(cx: &Cx, body: &Body) -> Result<DigestSet, S3Error> {
    let asked = cx.header("x-amz-sdk-checksum-algorithm").map(Algorithm::named).transpose()?;
    Ok(DigestSet::of([asked, body.announced()].into_iter().flatten().map(|algorithm| algorithm.kind)))
}

pub(super) async fn put(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    let length = body.need_length()?;
    let mut new = new_object(cx)?;
    new.length = Some(length);
    new.expect = expected(&cx.headers, &body)?;
    new.digests = computed(cx, &body)?;
    let (stream, told) = body.stream();
    let written = cx.files.put(&cx.who, &bucket, key, stream, new).await?;
    let mut checksums = written.object.checksums.clone();
    if let Some((algorithm, hash)) = told.get() {
        checksums.insert(algorithm.kind.as_str().to_owned(), body::base64(hash));
    }
    let mut response = empty(StatusCode::OK);
    tell(&bucket, &written.object, &checksums, response.headers_mut());
    Ok(response)
}

/// What the answer to a write says of the object.
pub(crate) fn tell(bucket: &Bucket, object: &Object, checksums: &Checksums, headers: &mut HeaderMap) {
    headers.insert(axum::http::header::ETAG, files::etag_value(&object.etag));
    if bucket.versioning != Versioning::Off {
        set(headers, "x-amz-version-id", version_text(object.version()));
    }
    checksums::tell(checksums, headers);
}

/// `partNumber`, which a part must have.
pub(super) fn part_number(cx: &Cx) -> Result<i32, S3Error> {
    let number = cx.query.number("partNumber")?.and_then(|number| i32::try_from(number).ok());
    let wrong = || INVALID_ARGUMENT.with("Part number must be an integer between 1 and 10000, inclusive");
    number.filter(|number| (1..=10_000).contains(number)).ok_or_else(wrong)
}
