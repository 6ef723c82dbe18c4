//! Extractors that answer invalid input with problem+json.

use axum::{
    RequestExt as _,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_ENCODING, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, LengthLimitError};
use serde::{Serialize, de::DeserializeOwned};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use super::{buffer_budget::BufferReservation, objects::Objects, unreadable_body};
use crate::error::{ApiError, FieldError};

/// JSON body. A decoding error is 400 with a JSON pointer to the place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        let bytes = body_bytes(request).await?;
        decode(&bytes).map(Self)
    }
}

/// 415 unless `Content-Type` is JSON.
pub fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(axum::http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().ends_with("json") {
        return Ok(());
    }
    Err(ApiError::unsupported_media_type("send the body as `Content-Type: application/json`"))
}

/// Maximum length of a decoder's error message, characters.
const LONGEST_DETAIL: usize = 300;

/// Reads the whole body, within the route's limit; 503 when buffered bodies exceed `server.max_buffered_bytes`.
pub async fn body_bytes(request: Request) -> Result<Bytes, ApiError> {
    // The decompression layer removes the header: a coding still named here is unsupported.
    let coding = request.headers().get(CONTENT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !matches!(coding.trim().to_ascii_lowercase().as_str(), "" | "identity") {
        let text = "this Content-Encoding is not supported here: send the body uncompressed";
        return Err(ApiError::unsupported_media_type(text));
    }
    let reservation = request.extensions().get::<BufferReservation>().cloned();
    let mut body = request.into_limited_body();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(unread)?;
        let Ok(data) = frame.into_data() else { continue };
        if let Some(reservation) = &reservation {
            reservation.reserve(data.len())?;
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

fn unread(error: axum::Error) -> ApiError {
    let error = anyhow::Error::new(error);
    if error.chain().any(<dyn std::error::Error>::is::<LengthLimitError>) {
        ApiError::payload_too_large("the body is larger than this endpoint takes")
    } else {
        unreadable_body("the body ended early", error)
    }
}

/// Decodes JSON; errors carry a JSON pointer (RFC 6901).
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Windows programs prepend a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects(&mut json)).map_err(|e| {
        let pointer = pointer(e.path());
        let (code, text) = match e.inner().classify() {
            serde_json::error::Category::Data => ("invalid_value", "the JSON does not fit"),
            _ => ("invalid_json", "the body is not valid JSON"),
        };
        // serde quotes the offending value, which may be megabytes.
        let inner: String = e.inner().to_string().chars().take(LONGEST_DETAIL).collect();
        ApiError {
            errors: vec![FieldError::new(pointer, code, inner.clone())],
            ..ApiError::bad_request(code, format!("{text}: {inner}"))
        }
    })?;
    json.end().map_err(|e| ApiError::bad_request("invalid_json", format!("the body is not valid JSON: {e}")))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut s, segment| {
        use std::fmt::Write as _;
        let _ = match segment {
            Segment::Seq { index } => write!(s, "/{index}"),
            Segment::Map { key } => write!(s, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => write!(s, "/{variant}"),
            Segment::Unknown => write!(s, "/?"),
        };
        s
    })
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// Path parameters. A malformed id is 404.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")),
        }
    }
}

/// The query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let composed = parts.uri.query().and_then(composed);
        let read = match &composed {
            Some(query) => axum::extract::Query::<T>::try_from_uri(query),
            None => axum::extract::Query::<T>::from_request_parts(parts, state).await,
        };
        match read {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(e) => Err(ApiError::bad_request("invalid_query", e.body_text())),
        }
    }
}

/// The query in NFC, if it is not already: names are stored in NFC, and macOS pastes й, ё and é as two characters each.
fn composed(query: &str) -> Option<Uri> {
    // Non-ASCII characters appear percent-encoded only.
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).ok().filter(|_| query.contains('%'))?;
    if pairs.iter().all(|(_, value)| is_nfc(value)) {
        return None;
    }
    let pairs: Vec<(String, String)> = pairs.into_iter().map(|(name, value)| (name, value.nfc().collect())).collect();
    format!("/?{}", serde_html_form::to_string(&pairs).ok()?).parse().ok()
}
