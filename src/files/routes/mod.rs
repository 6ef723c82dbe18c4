//! `/api/v1/buckets`

mod buckets;
mod objects;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Conditions, EtagList, Expect, Files, FilesError};
use platform::{error::ApiError, http::idempotent};
use storage::DigestKind;

pub fn router() -> OpenApiRouter<Files> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(buckets::list_buckets, buckets::create_bucket)))
        .routes(routes!(buckets::get_bucket, buckets::delete_bucket))
        .routes(routes!(objects::list_objects))
        .routes(routes!(objects::get_object, objects::put_object, objects::delete_object))
}

/// The query string as it was sent. (The house's own extractor composes characters, and a key is never changed.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Exact<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(ApiError::bad_request("invalid_query", error.body_text())),
        }
    }
}

/// `If-Match` and `If-None-Match`.
fn conditions(headers: &HeaderMap) -> Result<Conditions, FilesError> {
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

/// `Content-MD5` (RFC 1864) and `X-Content-SHA256` (hexadecimal).
fn expected(headers: &HeaderMap) -> Result<Expect, FilesError> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim().to_owned());
    let mut list = Vec::new();
    if let Some(md5) = text("content-md5") {
        let bytes = STANDARD.decode(md5).ok().filter(|bytes| bytes.len() == 16);
        let bytes =
            bytes.ok_or_else(|| FilesError::invalid("/content-md5", "invalid", "expected base64 of 16 bytes"))?;
        list.push((DigestKind::Md5, bytes));
    }
    if let Some(sha256) = text("x-content-sha256") {
        let digest = sha256.to_ascii_lowercase().parse::<platform::crypto::Digest>();
        let digest = digest
            .map_err(|_| FilesError::invalid("/x-content-sha256", "invalid", "expected 64 hexadecimal digits"))?;
        list.push((DigestKind::Sha256, digest.0.to_vec()));
    }
    Ok(Expect(list))
}
