//! Uploads in parts: their beginning and their end.

use std::collections::BTreeSet;

use axum::{http::StatusCode, response::Response};
use uuid::Uuid;

use super::{
    Cx, answer,
    buckets::owner,
    convert::{self, iso, unquoted},
    empty, lists,
    parts::upload_of,
    set,
    write::{self, new_object},
};
use crate::{
    body::Body,
    checksums::{self, ALGORITHMS, Algorithm},
    errors::{BAD_DIGEST, INVALID_ARGUMENT, INVALID_PART, INVALID_REQUEST, MALFORMED_XML, S3Error},
    xml::{Element, Xml},
};
use files::{ListUploads, NewUpload, Upload, UploadId, UploadKind, UploadPart};

/// Parts of an upload: Amazon's limit.
const MOST_PARTS: usize = 10_000;

pub(super) async fn create(cx: &Cx) -> Result<Response, S3Error> {
    let (bucket, key) = (cx.bucket().await?, cx.key()?);
    let new = new_object(cx)?;
    let algorithm = cx.header("x-amz-checksum-algorithm").map(Algorithm::named).transpose()?;
    let kind = cx.header("x-amz-checksum-type");
    match (algorithm, kind) {
        (_, None) | (Some(_), Some("FULL_OBJECT" | "COMPOSITE")) => {}
        _ => {
            return Err(INVALID_REQUEST
                .with("x-amz-checksum-type: expected FULL_OBJECT or COMPOSITE, with x-amz-checksum-algorithm"));
        }
    }
    if algorithm.is_some_and(Algorithm::is_composite) && kind == Some("FULL_OBJECT") {
        return Err(INVALID_REQUEST.with("The FULL_OBJECT checksum type cannot be used with this checksum algorithm"));
    }
    let upload = cx.files.begin_upload(
        &cx.who,
        &bucket,
        key,
        NewUpload {
            kind: UploadKind::S3,
            length: None,
            replace: true,
            content_type: new.content_type,
            headers: new.headers,
            metadata: new.metadata,
            tags: new.tags,
            lock: new.lock,
            legal_hold: new.legal_hold,
            checksum: algorithm.map(|algorithm| algorithm.kind),
            full_checksum: algorithm.is_some_and(|algorithm| kind.unwrap_or(default_type(algorithm)) == "FULL_OBJECT"),
            when: new.when,
            claims: None,
        },
    );
    let upload = upload.await?;
    let mut xml = Xml::new("InitiateMultipartUploadResult");
    xml.text("Bucket", cx.bucket_name()?).text("Key", upload.key.as_str()).text("UploadId", upload.id);
    let mut response = answer(xml);
    if let Some(algorithm) = algorithm {
        set(response.headers_mut(), "x-amz-checksum-algorithm", algorithm.name);
        set(response.headers_mut(), "x-amz-checksum-type", kind.unwrap_or(default_type(algorithm)));
    }
    set(response.headers_mut(), "x-amz-abort-date", convert::http_date(upload.expires_at));
    Ok(response)
}

fn default_type(algorithm: Algorithm) -> &'static str {
    if algorithm.kind == storage::DigestKind::Crc64Nvme { "FULL_OBJECT" } else { "COMPOSITE" }
}

/// A part as the completion of its upload names it.
struct Named {
    number: i32,
    etag: String,
    checksum: Option<(Algorithm, String)>,
}

fn named(root: &Element) -> Result<Vec<Named>, S3Error> {
    root.only(&["Part"])?;
    let mut list = Vec::new();
    for part in root.all("Part") {
        let number = part.number::<i32>("PartNumber")?.filter(|number| (1..=10_000).contains(number));
        let checksum =
            ALGORITHMS.into_iter().find_map(|algorithm| Some((algorithm, part.get(algorithm.element)?.to_owned())));
        list.push(Named {
            number: number
                .ok_or_else(|| INVALID_ARGUMENT.with("PartNumber must be an integer between 1 and 10000, inclusive"))?,
            etag: unquoted(part.need("ETag")?).to_owned(),
            checksum,
        });
    }
    if list.is_empty() || list.len() > MOST_PARTS {
        return Err(MALFORMED_XML.with(format!("expected 1 to {MOST_PARTS} parts")));
    }
    Ok(list)
}

pub(super) async fn complete(cx: &Cx, body: Body) -> Result<Response, S3Error> {
    let mut headers = cx.headers.clone();
    // Of the object, not of this body.
    ALGORITHMS.iter().for_each(|algorithm| drop(headers.remove(algorithm.header)));
    let list = named(&Element::parse(&body.whole(&headers, super::XML_BYTES).await?, "CompleteMultipartUpload")?)?;
    let (bucket, upload) = upload_of(cx).await?;
    let sent = checksum_of(cx)?;
    let mut whole = None;
    // Of an upload that has ended there are no parts: its answer is repeated.
    if upload.ended_at.is_none() && (sent.is_some() || list.iter().any(|part| part.checksum.is_some())) {
        whole = check(&list, &stored_parts(cx, &upload).await?, sent.as_ref())?;
    }
    let parts: Vec<(i32, String)> = list.into_iter().map(|part| (part.number, part.etag)).collect();
    let when = convert::conditions(cx)?;
    let written = cx.files.complete(&cx.who, &upload, Some(&parts), &when).await?;
    let object = &written.object;
    let mut xml = Xml::new("CompleteMultipartUploadResult");
    let (name, key) = (cx.bucket_name()?, object.key.as_str());
    let place = format!("{}/s3/{name}/{}", cx.files.public_url(), crate::canonical::encoded_path(key));
    xml.text("Location", place).text("Bucket", name).text("Key", key).text("ETag", format!("\"{}\"", object.etag));
    for algorithm in ALGORITHMS {
        xml.maybe(algorithm.element, object.checksums.get(algorithm.kind.as_str()));
    }
    if let Some((algorithm, value, kind)) = whole.filter(|_| checksums::names(object).is_empty()) {
        xml.text(algorithm.element, value).text("ChecksumType", kind);
    }
    let mut response = answer(xml);
    write::tell(&bucket, object, &files::Checksums::new(), response.headers_mut());
    response.headers_mut().remove("etag");
    Ok(response)
}

/// What the headers say that the whole has.
fn checksum_of(cx: &Cx) -> Result<Option<(Algorithm, String)>, S3Error> {
    let mut found =
        ALGORITHMS.into_iter().filter_map(|algorithm| Some((algorithm, cx.header(algorithm.header)?.to_owned())));
    let first = found.next();
    if found.next().is_some() {
        return Err(
            INVALID_REQUEST.with("Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.")
        );
    }
    Ok(first)
}

async fn stored_parts(cx: &Cx, upload: &Upload) -> Result<Vec<UploadPart>, S3Error> {
    let most = i32::try_from(MOST_PARTS).unwrap_or(i32::MAX);
    Ok(cx.files.list_parts(&cx.who, upload, 0, most).await?)
}

/// The hash of a whole: its algorithm, its value, and whether it is made of those of the parts.
type Whole = (Algorithm, String, &'static str);

/// Compares hashes of parts with those that were stored, and that of the whole with what they make.
fn check(list: &[Named], stored: &[UploadPart], sent: Option<&(Algorithm, String)>) -> Result<Option<Whole>, S3Error> {
    let algorithm = sent.map(|(algorithm, _)| *algorithm);
    let algorithm =
        algorithm.or_else(|| list.iter().find_map(|part| part.checksum.as_ref().map(|(algorithm, _)| *algorithm)));
    let Some(algorithm) = algorithm else { return Ok(None) };
    let mut hashes = Vec::new();
    for part in list {
        let missing = || INVALID_PART.error().about("PartNumber", part.number.to_string());
        let stored = stored.iter().find(|stored| stored.number == part.number).ok_or_else(missing)?;
        let value = stored.checksums.get(algorithm.kind.as_str());
        if part.checksum.as_ref().is_some_and(|(_, sent)| value != Some(sent)) {
            return Err(missing());
        }
        // A part without this hash: that of the whole cannot be told.
        let Some(value) = value else { return Ok(None) };
        hashes.push((algorithm.decode(value)?, stored.size));
    }
    let only: Vec<Vec<u8>> = hashes.iter().map(|(hash, _)| hash.clone()).collect();
    let composite = algorithm.composite(&only);
    let joined = algorithm.joined(&hashes);
    match (sent.map(|(_, value)| value.as_str()), joined) {
        (Some(sent), _) if sent == composite || composite.split('-').next() == Some(sent) => {
            Ok(Some((algorithm, composite, "COMPOSITE")))
        }
        (Some(sent), Some(joined)) if joined == sent => Ok(Some((algorithm, joined, "FULL_OBJECT"))),
        (Some(_), _) => Err(BAD_DIGEST.error()),
        (None, Some(joined)) if default_type(algorithm) == "FULL_OBJECT" => {
            Ok(Some((algorithm, joined, "FULL_OBJECT")))
        }
        (None, _) => Ok(Some((algorithm, composite, "COMPOSITE"))),
    }
}

pub(super) async fn abort(cx: &Cx) -> Result<Response, S3Error> {
    let (_, upload) = upload_of(cx).await?;
    cx.files.abort(&cx.who, &upload).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn list(cx: &Cx) -> Result<Response, S3Error> {
    let asked = lists::Asked::of(cx, "max-uploads")?;
    let key_marker = cx.query.get("key-marker").unwrap_or_default();
    let after = match cx.query.filled("upload-id-marker") {
        _ if key_marker.is_empty() => None,
        // All uploads of this key are behind us.
        None => Some(UploadId(Uuid::max())),
        Some(id) => Some(id.parse().map_err(|_| INVALID_ARGUMENT.with("Invalid upload id marker"))?),
    };
    let bucket = cx.bucket().await?;
    let after = after.map(|id| (key_marker.to_owned(), id));
    let query = ListUploads { prefix: asked.prefix.clone(), after, most: asked.most };
    let mut uploads = cx.files.list_uploads(&cx.who, &bucket, &query).await?;
    let shown = usize::try_from(asked.most).unwrap_or_default();
    let more = uploads.len() > shown && asked.most > 0;
    uploads.truncate(shown);
    let names = asked.names(uploads.iter().map(|upload| upload.key.as_str()).chain([key_marker]));
    let mut xml = Xml::new("ListMultipartUploadsResult");
    xml.text("Bucket", cx.bucket_name()?).text("KeyMarker", names.text(key_marker));
    xml.text("UploadIdMarker", cx.query.get("upload-id-marker").unwrap_or_default());
    if let Some(last) = uploads.last().filter(|_| more) {
        xml.text("NextKeyMarker", names.text(last.key.as_str())).text("NextUploadIdMarker", last.id);
    }
    xml.text("Prefix", names.text(&asked.prefix)).text("MaxUploads", asked.most).text("IsTruncated", more);
    xml.maybe("Delimiter", Some(&asked.delimiter).filter(|text| !text.is_empty()).map(|text| names.text(text)));
    names.tell(&mut xml);
    let mut common = BTreeSet::new();
    for upload in uploads.iter().filter(|upload| upload.kind == UploadKind::S3) {
        match common_prefix(&asked, upload.key.as_str()) {
            Some(prefix) => {
                common.insert(prefix);
            }
            None => {
                xml.open("Upload").text("Key", names.text(upload.key.as_str())).text("UploadId", upload.id);
                xml.open("Initiator").text("ID", cx.who.org).text("DisplayName", cx.who.org).close();
                owner(&mut xml, cx);
                xml.text("StorageClass", "STANDARD").text("Initiated", iso(upload.created_at)).close();
            }
        }
    }
    for prefix in common {
        xml.open("CommonPrefixes").text("Prefix", names.text(prefix)).close();
    }
    Ok(answer(xml))
}

fn common_prefix<'a>(asked: &lists::Asked, key: &'a str) -> Option<&'a str> {
    let rest = key.strip_prefix(asked.prefix.as_str()).filter(|_| !asked.delimiter.is_empty())?;
    let at = rest.find(&asked.delimiter)?;
    Some(&key[..asked.prefix.len() + at + asked.delimiter.len()])
}
