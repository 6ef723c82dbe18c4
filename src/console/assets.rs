//! Serves the rooms' files at `/assets/<room>/<file>`.
//!
//! Pages link to `/assets/~<release>/<room>/<file>`, where the release is a hash over all files: those may be
//! cached for ever, and modules that import each other by relative path stay within one release. Without that part (or
//! with another release's, from a page that was open during an upgrade) the current file is served and revalidated.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use sha2::{Digest, Sha256};

use super::Console;
use platform::crypto::{hex, sha256};

/// A file that pages load: `<room>/<file>` and its content.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    pub name: &'static str,
    pub content: &'static [u8],
}

/// `src/<room>/assets/<file>` of the room in whose folder this stands.
#[macro_export]
macro_rules! assets {
    ($room:literal: $($file:literal)*) => {
        &[$($crate::Asset {
            name: concat!($room, "/", $file),
            content: include_bytes!(concat!("assets/", $file)).as_slice(),
        }),*]
    };
}

/// Every room's files.
pub(super) struct Assets {
    files: Vec<Asset>,
    release: String,
}

impl Assets {
    pub fn new(files: Vec<Asset>) -> Self {
        let mut hash = Sha256::new();
        for Asset { name, content } in &files {
            hash.update(name.as_bytes());
            hash.update((content.len() as u64).to_be_bytes());
            hash.update(content);
        }
        Self { files, release: hex(&hash.finalize()[..5]) }
    }

    /// The address of `<room>/<file>` for a page.
    pub fn url(&self, file: &str) -> String {
        debug_assert!(self.find(file).is_some(), "no such asset: {file}");
        format!("/assets/~{}/{file}", self.release)
    }

    /// A hash over all files.
    pub fn release(&self) -> &str {
        &self.release
    }

    fn find(&self, file: &str) -> Option<&'static [u8]> {
        self.files.iter().find(|asset| asset.name == file).map(|asset| asset.content)
    }
}

/// `GET /assets/...`; needs no state and no session.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{*path}", get(serve)).route("/favicon.ico", get(favicon))
}

async fn favicon(Extension(console): Extension<Console>, headers: HeaderMap) -> Response {
    respond(console.assets(), "console/favicon.svg", None, &headers)
}

async fn serve(Extension(console): Extension<Console>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let assets = console.assets();
    match path.strip_prefix('~').and_then(|rest| rest.split_once('/')) {
        Some((release, file)) => respond(assets, file, Some(release), &headers),
        None => respond(assets, &path, None, &headers),
    }
}

fn respond(assets: &Assets, file: &str, release: Option<&str>, headers: &HeaderMap) -> Response {
    let Some(content) = assets.find(file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Weak, because the same content may be sent in different encodings.
    let etag = format!("W/\"{}\"", hex(&sha256(content)[..8]));
    let cache =
        if release == Some(assets.release.as_str()) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(content).into_response() };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(file)));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        out.insert(header::ETAG, etag);
    }
    response
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assets() -> Assets {
        Assets::new(super::super::ASSETS.to_vec())
    }

    #[test]
    fn only_the_current_release_is_immutable() {
        let (assets, none) = (assets(), HeaderMap::new());
        let cache = |release| {
            let response = respond(&assets, "console/console.css", release, &none);
            response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert!(cache(Some(assets.release.as_str())).contains("immutable"));
        assert_eq!(cache(Some("0000000000")), "no-cache");
        assert_eq!(cache(None), "no-cache");
        assert_eq!(respond(&assets, "console/mod.rs", None, &none).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let assets = assets();
        let first = respond(&assets, "console/console.js", None, &HeaderMap::new());
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(respond(&assets, "console/console.js", None, &again).status(), StatusCode::NOT_MODIFIED);
    }
}
