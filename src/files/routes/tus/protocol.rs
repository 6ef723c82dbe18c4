//! The headers of tus 1.0 (<https://tus.io/protocols/resumable-upload>): read and written, without any rule of ours.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

use crate::{FilesError, Upload, UploadId, UploadKind, range::http_time};
use storage::DigestKind;

pub(super) const VERSION: &str = "1.0.0";
pub(super) const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration,concatenation";
pub(super) const CHECKSUMS: &str = "md5,sha1,sha256,crc32";
/// Of the bytes of a request.
pub(super) const CONTENT: &str = "application/offset+octet-stream";

/// How an upload is joined with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Concat {
    No,
    Partial,
    /// Out of these.
    Final(Vec<UploadId>),
}

fn wrong(header: &str, detail: impl Into<String>) -> FilesError {
    FilesError::invalid(&format!("/{header}"), "invalid", detail)
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, FilesError> {
    let value = headers.get(name).map(HeaderValue::to_str).transpose();
    value.map_err(|_| wrong(name, format!("{name}: expected ASCII"))).map(|text| text.map(str::trim))
}

fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, FilesError> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse().ok().filter(|_| digits);
    read.map(Some).ok_or_else(|| wrong(name, format!("{name}: expected a whole number of bytes")))
}

/// The offset of a PATCH, which must have one.
pub(super) fn offset(headers: &HeaderMap) -> Result<u64, FilesError> {
    number(headers, "upload-offset")?.ok_or_else(|| wrong("upload-offset", "upload-offset: missing"))
}

/// `Upload-Length`, where there is one.
pub(super) fn length(headers: &HeaderMap) -> Result<Option<u64>, FilesError> {
    number(headers, "upload-length")
}

/// The length of an upload that is begun; `None`: it is told later.
pub(super) fn new_length(headers: &HeaderMap) -> Result<Option<u64>, FilesError> {
    match (length(headers)?, text(headers, "upload-defer-length")?) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some("1")) => Ok(None),
        (None, None) => Err(wrong("upload-length", "either upload-length, or upload-defer-length: 1")),
        (_, Some(_)) => Err(wrong("upload-defer-length", "either upload-length, or upload-defer-length: 1")),
    }
}

/// `Upload-Metadata: key base64,key base64,...`
pub(super) fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, FilesError> {
    const NAME: &str = "upload-metadata";
    let mut found = BTreeMap::new();
    let pairs = text(headers, NAME)?.unwrap_or_default();
    for pair in pairs.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let decoded = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(|| wrong(NAME, format!("{NAME}: {key}: expected base64 of UTF-8")))?;
        if found.insert(key.to_owned(), decoded).is_some() {
            return Err(wrong(NAME, format!("{NAME}: {key}: more than once")));
        }
    }
    Ok(found)
}

/// `Upload-Checksum: sha1 base64`
pub(super) fn checksum(headers: &HeaderMap) -> Result<Option<(DigestKind, Vec<u8>)>, FilesError> {
    const NAME: &str = "upload-checksum";
    let Some(value) = text(headers, NAME)? else { return Ok(None) };
    let (algorithm, hash) = value.split_once(' ').unwrap_or((value, ""));
    let kind = match algorithm.to_ascii_lowercase().as_str() {
        "md5" => DigestKind::Md5,
        "sha1" => DigestKind::Sha1,
        "sha256" => DigestKind::Sha256,
        "crc32" => DigestKind::Crc32,
        _ => return Err(wrong(NAME, format!("{NAME}: one of {CHECKSUMS}"))),
    };
    let hash = STANDARD.decode(hash.trim()).map_err(|_| wrong(NAME, format!("{NAME}: expected base64")))?;
    Ok(Some((kind, hash)))
}

/// `Upload-Concat: partial`, or `final;` and the addresses of partial uploads.
pub(super) fn concat(headers: &HeaderMap) -> Result<Concat, FilesError> {
    const NAME: &str = "upload-concat";
    let Some(value) = text(headers, NAME)? else { return Ok(Concat::No) };
    if value == "partial" {
        return Ok(Concat::Partial);
    }
    let parts = value.strip_prefix("final;").ok_or_else(|| wrong(NAME, "expected partial, or final;<addresses>"))?;
    let id = |address: &str| address.trim_end_matches('/').rsplit('/').next().and_then(|id| id.parse().ok());
    let ids: Option<Vec<UploadId>> = parts.split_ascii_whitespace().map(id).collect();
    let ids = ids.filter(|ids| !ids.is_empty());
    ids.map(Concat::Final).ok_or_else(|| wrong(NAME, "expected addresses of uploads behind final;"))
}

/// What a client is told of an upload.
pub(super) fn tell(headers: &mut HeaderMap, upload: &Upload) {
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("upload-offset", upload.received.to_string());
    match upload.length {
        Some(length) => set("upload-length", length.to_string()),
        None => set("upload-defer-length", "1".to_owned()),
    }
    if upload.kind == UploadKind::TusPartial {
        set("upload-concat", "partial".to_owned());
    }
    let said = [("filename", upload.key.as_str()), ("filetype", upload.content_type.as_str())];
    let own = upload.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    // Names that the protocol does not know: a comma or a space in them would be another pair.
    let plain = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let pairs = said.into_iter().chain(own).filter(|(key, _)| plain(key));
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    set("upload-metadata", pairs.join(","));
    if upload.ended_at.is_none() {
        set("upload-expires", expires(upload.expires_at));
    }
}

pub(super) fn expires(at: DateTime<Utc>) -> String {
    http_time(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_length_is_told_now_or_later() {
        let read = |pairs: &[(&'static str, &str)]| new_length(&headers(pairs)).ok();
        assert_eq!(read(&[("upload-length", "12")]), Some(Some(12)));
        assert_eq!(read(&[("upload-defer-length", "1")]), Some(None));
        for wrong in [
            &[][..],
            &[("upload-length", "-1")],
            &[("upload-length", "+1")],
            &[("upload-length", "")],
            &[("upload-length", "1e3")],
            &[("upload-length", "99999999999999999999")],
            &[("upload-defer-length", "2")],
            &[("upload-length", "1"), ("upload-defer-length", "1")],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn metadata_is_base64_and_each_key_is_there_once() {
        let read = |value: &str| metadata(&headers(&[("upload-metadata", value)]));
        let found = read("filename YS50eHQ=,empty,  bucket  dGVhbQ== ").unwrap();
        let pairs: Vec<_> = found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("bucket", "team"), ("empty", ""), ("filename", "a.txt")]);
        for wrong in ["filename ä", "filename !", "filename gICA", "a YQ==,a YQ=="] {
            let value = HeaderValue::from_bytes(wrong.as_bytes()).unwrap();
            let headers = HeaderMap::from_iter([(HeaderName::from_static("upload-metadata"), value)]);
            assert!(metadata(&headers).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_of_a_final_upload_are_named_by_their_addresses() {
        let id = "0191d6a5-4f4e-7000-8000-000000000001";
        let read = |value: &str| concat(&headers(&[("upload-concat", value)])).ok();
        let ids = vec![id.parse().unwrap()];
        assert_eq!(read("partial"), Some(Concat::Partial));
        assert_eq!(read(&format!("final;https://a.example/base/f/tus/{id}")), Some(Concat::Final(ids.clone())));
        assert_eq!(read(&format!("final;/f/tus/{id}/")), Some(Concat::Final(ids)));
        for wrong in ["final;", "final", "final;/f/tus/x", "other"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
