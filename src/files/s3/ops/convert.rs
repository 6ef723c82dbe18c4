//! What headers say, in the types of files.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};

use super::Cx;
use crate::{
    canonical::{Query, decoded},
    errors::{INVALID_ARGUMENT, INVALID_REQUEST, INVALID_TAG, METADATA_TOO_LARGE, S3Error},
};
use files::{Conditions, EtagList, Headers, Lock, LockMode, Metadata, Tags};

/// Names and values of an object's metadata together, bytes: Amazon's limit.
const METADATA_BYTES: usize = 2048;
const META: &str = "x-amz-meta-";

/// A time as XML has it.
pub(super) fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time as headers have it. Of whole seconds, as comparisons with it are.
pub(super) fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A time as clients write it: RFC 3339.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| time.to_utc())
}

/// Headers that are stored with an object.
pub(super) fn headers(cx: &Cx) -> Headers {
    let text = |name: &str| cx.header(name).map(str::to_owned);
    Headers {
        cache_control: text("cache-control"),
        content_disposition: text("content-disposition"),
        content_encoding: cx.header("content-encoding").and_then(encoding),
        content_language: text("content-language"),
        expires: text("expires"),
    }
}

/// Without `aws-chunked`, which is the framing of the request and no encoding of the content.
pub(crate) fn encoding(text: &str) -> Option<String> {
    let kept =
        text.split(',').map(str::trim).filter(|part| !part.is_empty() && !part.eq_ignore_ascii_case("aws-chunked"));
    Some(kept.collect::<Vec<_>>().join(",")).filter(|text| !text.is_empty())
}

pub(super) fn metadata(cx: &Cx) -> Result<Metadata, S3Error> {
    let mut found = Metadata::new();
    for (name, value) in &cx.headers {
        let Some(name) = name.as_str().strip_prefix(META) else { continue };
        let value = std::str::from_utf8(value.as_bytes());
        let value = value.map_err(|_| INVALID_ARGUMENT.with(format!("{META}{name} is not UTF-8")))?;
        // Several of one name are one, as HTTP says.
        let entry = found.entry(name.to_owned()).or_default();
        if !entry.is_empty() {
            entry.push(',');
        }
        entry.push_str(value.trim());
    }
    let bytes: usize = found.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES {
        return Err(METADATA_TOO_LARGE.error().about("MaxSizeAllowed", METADATA_BYTES.to_string()));
    }
    Ok(found)
}

/// `x-amz-tagging`: as a query.
pub(super) fn tags(cx: &Cx) -> Result<Tags, S3Error> {
    let Some(text) = cx.header("x-amz-tagging") else { return Ok(Tags::new()) };
    let query = Query::parse(text).map_err(|_| INVALID_ARGUMENT.with("x-amz-tagging is not UTF-8"))?;
    checked(query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), 10)
}

/// Tags within Amazon's limits: `most` of them, each once.
pub(super) fn checked(list: Vec<(String, String)>, most: usize) -> Result<Tags, S3Error> {
    if list.len() > most {
        return Err(INVALID_TAG.with(format!("Object tags cannot be greater than {most}")));
    }
    let names: BTreeSet<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() != list.len() {
        return Err(INVALID_TAG.with("Cannot provide multiple Tags with the same key"));
    }
    for (name, value) in &list {
        if name.is_empty() || name.chars().count() > 128 {
            return Err(INVALID_TAG.with("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || name.contains('\0') || value.contains('\0') {
            return Err(INVALID_TAG.with("The TagValue you have provided is invalid"));
        }
    }
    Ok(list.into_iter().collect())
}

pub(super) fn mode(text: &str) -> Option<LockMode> {
    match text {
        "GOVERNANCE" => Some(LockMode::Governance),
        "COMPLIANCE" => Some(LockMode::Compliance),
        _ => None,
    }
}

pub(super) fn mode_text(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Governance => "GOVERNANCE",
        LockMode::Compliance => "COMPLIANCE",
    }
}

/// The lock of a new version, and whether it is held.
pub(super) fn lock(cx: &Cx) -> Result<(Option<Lock>, bool), S3Error> {
    let lock = match (cx.header("x-amz-object-lock-mode"), cx.header("x-amz-object-lock-retain-until-date")) {
        (None, None) => None,
        (Some(mode_of), Some(until)) => {
            let mode = mode(mode_of).ok_or_else(|| INVALID_ARGUMENT.with("Unknown wormMode directive."))?;
            let until =
                time(until).ok_or_else(|| INVALID_ARGUMENT.with("The retain until date must be an ISO 8601 time"))?;
            if until <= cx.files.now() {
                return Err(INVALID_ARGUMENT.with("The retain until date must be in the future!"));
            }
            Some(Lock { mode, until })
        }
        _ => {
            let both = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
            return Err(INVALID_ARGUMENT.with(both));
        }
    };
    let hold = match cx.header("x-amz-object-lock-legal-hold") {
        None | Some("OFF") => false,
        Some("ON") => true,
        Some(_) => return Err(INVALID_ARGUMENT.with("Legal Hold must be either of 'ON' or 'OFF'")),
    };
    Ok((lock, hold))
}

/// `If-Match` and `If-None-Match` of a write. One that cannot be read is refused: one that is passed over loses somebody's change.
pub(super) fn conditions(cx: &Cx) -> Result<Conditions, S3Error> {
    let list = |name: &str| cx.header(name).map(|text| etags(name, text)).transpose();
    Ok(Conditions { if_match: list("if-match")?, if_none_match: list("if-none-match")? })
}

fn etags(name: &str, text: &str) -> Result<EtagList, S3Error> {
    if text == "*" {
        return Ok(EtagList::Any);
    }
    let list: Vec<String> = text.split(',').map(|part| unquoted(part).to_owned()).collect();
    if list.iter().any(String::is_empty) {
        return Err(INVALID_REQUEST.with(format!("{name}: expected * or etags")));
    }
    Ok(EtagList::These(list))
}

/// An etag as it is stored. Some programs leave the quotes out.
pub(super) fn unquoted(etag: &str) -> &str {
    let etag = etag.trim();
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(etag)
}

/// Bucket, key and version of `x-amz-copy-source`: `/bucket/key?versionId=..`, percent-encoded.
pub(crate) fn copy_source(text: &str) -> Result<(String, String, Option<String>), S3Error> {
    let wrong = || INVALID_ARGUMENT.with("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    if text.starts_with("arn:") {
        return Err(S3Error::not_implemented("a copy source of an access point is not implemented"));
    }
    let (path, version) = match text.split_once("?versionId=") {
        Some((path, version)) => (path, Some(decoded(version)?)),
        None => (text, None),
    };
    let path = decoded(path.strip_prefix('/').unwrap_or(path))?;
    let (bucket, key) = path.split_once('/').ok_or_else(wrong)?;
    if bucket.is_empty() || key.is_empty() {
        return Err(wrong());
    }
    Ok((bucket.to_owned(), key.to_owned(), version))
}
