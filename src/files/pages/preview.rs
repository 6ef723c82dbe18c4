//! What is in an object, on its page: a picture, a player, or text. Nothing in it runs here.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures::TryStreamExt as _;
use serde::Deserialize;

use super::{Which, caller, object::version_of};
use crate::{
    Bucket, Caller, Files, FilesError, Key, Object, ScanState, is_active,
    routes::Exact,
    serve::{Overrides, Surface, respond},
};
use console::Shell;
use images::{Poster, Posters};
use platform::{
    error::ApiError,
    http::{Path, disposition},
    names::with_directions_shown,
};

/// Text that is shown, bytes.
const SHOWN_TEXT: u64 = 64 << 10;
/// Pictures above this are made smaller for the page, bytes.
const LARGE: u64 = 1 << 20;
/// Formats of which smaller pictures are made.
const DECODED: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
/// How a picture is made for the page.
const OPTIONS: &str = "width=1200&fit=inside";

/// How an object is shown.
pub(super) enum Preview {
    /// The content itself.
    Image,
    /// A picture that is made of it.
    Picture,
    Audio,
    Video,
    /// And whether there is more of it.
    Text(String, bool),
    None,
}

pub(super) async fn preview(
    files: &Files,
    who: &Caller,
    bucket: &Bucket,
    object: &Object,
) -> Result<Preview, FilesError> {
    if files.readable(bucket, object).is_err() {
        return Ok(Preview::None);
    }
    let kind = if object.sniffed.is_empty() { object.content_type.as_str() } else { object.sniffed.as_str() };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(match kind.split('/').next().unwrap_or_default() {
        // What this program can decode is made smaller where it is large.
        "image" if DECODED.contains(&kind.as_str()) && object.size > LARGE => Preview::Picture,
        // Pictures made of text are shown as text.
        "image" if !kind.contains("svg") => Preview::Image,
        "audio" => Preview::Audio,
        "video" => Preview::Video,
        "text" => text(files, who, object).await?,
        // Its first page, where there is a program for it.
        "application" if Poster::of(&kind).is_some_and(|poster| Posters::find().can(poster)) => Preview::Picture,
        _ if kind.contains("json") || kind.contains("yaml") || is_active(&kind, crate::Sniffed::default()) => {
            text(files, who, object).await?
        }
        _ => Preview::None,
    })
}

/// The beginning, as text that nothing runs.
async fn text(files: &Files, who: &Caller, object: &Object) -> Result<Preview, FilesError> {
    if object.size == 0 {
        return Ok(Preview::None);
    }
    let range = 0..object.size.min(SHOWN_TEXT);
    let content: Vec<bytes::Bytes> = match files.open(who, object, Some(range)).await {
        Ok(content) => content.try_collect().await?,
        // The page says what is wrong with it; the download says it, too.
        Err(FilesError::Damaged) => return Ok(Preview::None),
        Err(error) => return Err(error),
    };
    let content = content.concat();
    let text = match std::str::from_utf8(&content) {
        Ok(text) => text,
        // A character may be cut off at the end.
        Err(error) if object.size > SHOWN_TEXT && error.error_len().is_none() => {
            std::str::from_utf8(&content[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Ok(Preview::None),
    };
    Ok(Preview::Text(with_directions_shown(text), object.size > SHOWN_TEXT))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawQuery {
    key: String,
    version: String,
    /// As a file to keep.
    download: String,
    /// Although the virus scanner found something in it.
    quarantined: String,
}

/// The content, for the page's own pictures and players and for downloads. Nothing in it runs here.
pub async fn raw(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Exact(query): Exact<RawQuery>,
    request: Request,
) -> Result<Response, ApiError> {
    shell.principal().require(crate::READ)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let key = Key::parse(query.key).map_err(FilesError::from)?;
    let object = files.find(&who, &bucket, &key, version_of(&query.version)?).await?;
    if object.scan == ScanState::Infected && !query.quarantined.is_empty() {
        return quarantined(&files, &who, &object);
    }
    files.readable(&bucket, &object)?;
    let overrides = Overrides {
        // Read because of a session: no cache between gives it to others.
        cache_control: Some("private, no-cache".to_owned()),
        download: (!query.download.is_empty()).then(String::new),
        ..Overrides::default()
    };
    let (parts, _) = request.into_parts();
    Ok(respond(&files, &who, &bucket, &object, &parts, Surface::Link, overrides).await?)
}

/// For administrators: never shown, and never as what it says it is.
fn quarantined(files: &Files, who: &Caller, object: &Object) -> Result<Response, ApiError> {
    let content = files.open_quarantined(who, object)?;
    let fixed = |text: &'static str| HeaderValue::from_static(text);
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, fixed("application/octet-stream")),
        (header::CONTENT_DISPOSITION, disposition("attachment", &format!("{}.quarantined", object.key.file_name()))),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::CONTENT_SECURITY_POLICY, fixed("sandbox; default-src 'none'")),
        (header::CACHE_CONTROL, fixed("no-store")),
    ];
    Ok((headers, Body::from_stream(content)).into_response())
}

/// A picture of the object: smaller than it, or the first page of a PDF.
pub async fn picture(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    Exact(which): Exact<Which>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    shell.principal().require(crate::READ)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    let key = Key::parse(which.key).map_err(FilesError::from)?;
    let object = files.find(&who, &bucket, &key, version_of(&which.version)?).await?;
    let variant = files.picture(&who, &bucket, &object, OPTIONS, &[], &headers).await?;
    if variant.facts.content_type.is_empty() {
        // The original is as good.
        return Ok(console::see_other(&format!(
            "/files/b/{}/object/raw?key={}&version={}",
            bucket.name,
            super::encoded(key.as_str()),
            super::encoded(&which.version)
        )));
    }
    let kind = HeaderValue::try_from(&variant.facts.content_type);
    let fixed = |text: &'static str| HeaderValue::from_static(text);
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, kind.unwrap_or(fixed("application/octet-stream"))),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::CONTENT_SECURITY_POLICY, fixed("sandbox; default-src 'none'")),
        (header::CACHE_CONTROL, fixed("private, no-cache")),
    ];
    Ok((headers, variant.bytes).into_response())
}
