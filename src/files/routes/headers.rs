//! What the headers of a request say of an object that is written.

use axum::http::{HeaderMap, HeaderName, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Conditions, EtagList, Expect, FilesError, Headers, Metadata, NewObject, Tags};
use storage::DigestKind;

/// Headers that begin so are metadata, under what follows.
const METADATA: &str = "x-metadata-";

/// The object that a PUT describes.
pub(crate) fn new_object(headers: &HeaderMap) -> Result<NewObject, FilesError> {
    Ok(NewObject {
        length: text(headers, &header::CONTENT_LENGTH)?.and_then(|length| length.parse().ok()),
        content_type: text(headers, &header::CONTENT_TYPE)?,
        headers: stored(headers)?,
        metadata: metadata(headers)?,
        tags: tags(headers)?,
        when: conditions(headers)?,
        expect: expected(headers)?,
        ..NewObject::default()
    })
}

/// A header as text; what is none is refused, because it would be lost.
pub(crate) fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, FilesError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(_) => Err(FilesError::invalid(&format!("/{name}"), "invalid", format!("{name}: expected UTF-8"))),
    }
}

/// Those that are told again to whoever reads the object.
pub(crate) fn stored(headers: &HeaderMap) -> Result<Headers, FilesError> {
    let said = |name: HeaderName| Ok::<_, FilesError>(text(headers, &name)?.filter(|text| !text.is_empty()));
    Ok(Headers {
        cache_control: said(header::CACHE_CONTROL)?,
        content_disposition: said(header::CONTENT_DISPOSITION)?,
        content_encoding: said(header::CONTENT_ENCODING)?.filter(|coding| !coding.eq_ignore_ascii_case("identity")),
        content_language: said(header::CONTENT_LANGUAGE)?,
        expires: said(header::EXPIRES)?,
    })
}

fn metadata(headers: &HeaderMap) -> Result<Metadata, FilesError> {
    let mut found = Metadata::new();
    for name in headers.keys() {
        if let Some(short) = name.as_str().strip_prefix(METADATA).filter(|short| !short.is_empty())
            && let Some(value) = text(headers, name)?
        {
            found.insert(short.to_owned(), value);
        }
    }
    Ok(found)
}

/// `X-Tags: a=1&b=2`, as a query string.
fn tags(headers: &HeaderMap) -> Result<Tags, FilesError> {
    let Some(value) = text(headers, &HeaderName::from_static("x-tags"))? else { return Ok(Tags::new()) };
    let pairs: Vec<(String, String)> = serde_html_form::from_str(&value)
        .map_err(|_| FilesError::invalid("/x-tags", "invalid", "x-tags: expected a=1&b=2, percent-encoded"))?;
    Ok(pairs.into_iter().collect())
}

/// `If-Match` and `If-None-Match`.
pub(crate) fn conditions(headers: &HeaderMap) -> Result<Conditions, FilesError> {
    Ok(Conditions { if_match: etags(headers, "if-match")?, if_none_match: etags(headers, "if-none-match")? })
}

/// A condition that cannot be read is refused: one that is passed over loses somebody's change.
fn etags(headers: &HeaderMap, name: &str) -> Result<Option<EtagList>, FilesError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let wrong = || {
        let text = format!("{name}: expected * or etags in double quotes");
        FilesError::invalid(&format!("/{name}"), "invalid", text)
    };
    let text = value.to_str().map_err(|_| wrong())?.trim();
    if text == "*" {
        return Ok(Some(EtagList::Any));
    }
    let etag = |part: &str| {
        let part = part.trim();
        let part = part.strip_prefix("W/").unwrap_or(part);
        part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
    };
    let list: Option<Vec<String>> = text.split(',').map(etag).collect();
    list.filter(|list| !list.is_empty()).map(|list| Some(EtagList::These(list))).ok_or_else(wrong)
}

/// `Content-MD5` (RFC 1864), `Repr-Digest` and `Content-Digest` (RFC 9530), and `X-Content-SHA256` (hexadecimal).
pub(crate) fn expected(headers: &HeaderMap) -> Result<Expect, FilesError> {
    let mut list = Vec::new();
    if let Some(md5) = text(headers, &HeaderName::from_static("content-md5"))? {
        let bytes = STANDARD.decode(md5).ok().filter(|bytes| bytes.len() == 16);
        let bytes =
            bytes.ok_or_else(|| FilesError::invalid("/content-md5", "invalid", "expected base64 of 16 bytes"))?;
        list.push((DigestKind::Md5, bytes));
    }
    if let Some(sha256) = text(headers, &HeaderName::from_static("x-content-sha256"))? {
        let digest = sha256.to_ascii_lowercase().parse::<platform::crypto::Digest>();
        let digest = digest
            .map_err(|_| FilesError::invalid("/x-content-sha256", "invalid", "expected 64 hexadecimal digits"))?;
        list.push((DigestKind::Sha256, digest.0.to_vec()));
    }
    for name in ["repr-digest", "content-digest"] {
        if let Some(value) = text(headers, &HeaderName::from_static(name))? {
            list.extend(digests(name, &value)?);
        }
    }
    Ok(Expect(list))
}

/// `sha-256=:<base64>:, md5=:<base64>:`. Algorithms that are not known here are passed over, as RFC 9530 section 5 asks.
fn digests(name: &str, value: &str) -> Result<Vec<(DigestKind, Vec<u8>)>, FilesError> {
    let wrong = || {
        let text = format!("{name}: expected sha-256=:<base64>:");
        FilesError::invalid(&format!("/{name}"), "invalid", text)
    };
    let mut found = Vec::new();
    for part in value.split(',') {
        let (algorithm, digest) = part.trim().split_once('=').ok_or_else(wrong)?;
        let (kind, length) = match algorithm.trim().to_ascii_lowercase().as_str() {
            "sha-256" => (DigestKind::Sha256, 32),
            "md5" => (DigestKind::Md5, 16),
            "sha" => (DigestKind::Sha1, 20),
            "crc32c" => (DigestKind::Crc32c, 4),
            _ => continue,
        };
        let inner = digest.trim().strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).ok_or_else(wrong)?;
        let bytes = STANDARD.decode(inner).ok().filter(|bytes| bytes.len() == length).ok_or_else(wrong)?;
        found.push((kind, bytes));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &str, value: &str) -> HeaderMap {
        let value = axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        HeaderMap::from_iter([(HeaderName::try_from(name).unwrap(), value)])
    }

    #[test]
    fn digests_are_read_in_each_form_and_refused_where_they_are_none() {
        let zeros = "A".repeat(43) + "=";
        for (name, value, kinds) in [
            ("repr-digest", format!("sha-256=:{zeros}:"), Some(vec![DigestKind::Sha256])),
            ("content-digest", format!("sha-512=:x:, sha-256=:{zeros}:"), Some(vec![DigestKind::Sha256])),
            ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==".to_owned(), Some(vec![DigestKind::Md5])),
            ("x-content-sha256", "0".repeat(64), Some(vec![DigestKind::Sha256])),
            ("repr-digest", "sha-512=:x:".to_owned(), Some(vec![])),
            ("repr-digest", "sha-256=zeros".to_owned(), None),
            ("repr-digest", "sha-256=:AAAA:".to_owned(), None),
            ("repr-digest", "nothing".to_owned(), None),
            ("content-md5", "AAAA".to_owned(), None),
        ] {
            let read = expected(&headers(name, &value)).ok();
            let read = read.map(|expect| expect.0.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>());
            assert_eq!(read, kinds, "{name}: {value}");
        }
    }

    #[test]
    fn metadata_and_tags_are_text_of_any_language() {
        let read = new_object(&headers("x-metadata-from", "Ада")).unwrap();
        assert_eq!(read.metadata.get("from").map(String::as_str), Some("Ада"));
        assert_eq!(new_object(&headers("x-tags", "a=1&b=%D0%B9")).unwrap().tags["b"], "й");
        assert!(new_object(&headers("if-match", "no quotes")).is_err());
    }
}
