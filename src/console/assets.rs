//! Serves what [`super::embedded`] holds at `/assets/<capability>/<file>`.
//!
//! Pages link to `/assets/~<release>/<capability>/<file>`, where the release is a hash over all files: such URLs may be cached for ever,
//! and modules that import each other by relative path stay within one release. Without that part (or with another release, from a page
//! that was open during an upgrade) the current file is served and must be revalidated.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::embedded::ASSETS;
use crate::platform::crypto::{hex, sha256};

static RELEASE: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, content) in ASSETS {
        hash.update(name.as_bytes());
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    }
    hex(&hash.finalize()[..5])
});

/// URL of `<capability>/<file>` for a page.
pub fn url(file: &str) -> String {
    debug_assert!(find(file).is_some(), "no such asset: {file}");
    format!("/assets/~{}/{file}", *RELEASE)
}

/// `GET /assets/...`; needs no state and no session.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/assets/{*path}", get(serve))
        .route("/favicon.ico", get(|headers: HeaderMap| async move { respond("console/favicon.svg", None, &headers) }))
}

async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match path.strip_prefix('~').and_then(|rest| rest.split_once('/')) {
        Some((release, file)) => respond(file, Some(release), &headers),
        None => respond(&path, None, &headers),
    }
}

fn find(file: &str) -> Option<&'static [u8]> {
    ASSETS.iter().find(|(name, _)| *name == file).map(|(_, content)| *content)
}

fn respond(file: &str, release: Option<&str>, headers: &HeaderMap) -> Response {
    let Some(content) = find(file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Weak, because the same content may be sent in different encodings.
    let etag = format!("W/\"{}\"", hex(&sha256(content)[..8]));
    let cache = if release == Some(RELEASE.as_str()) { "public, max-age=31536000, immutable" } else { "no-cache" };
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

    #[test]
    fn only_the_current_release_is_immutable() {
        let none = HeaderMap::new();
        let cache = |release| {
            let response = respond("console/console.css", release, &none);
            response.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned()
        };
        assert!(cache(Some(RELEASE.as_str())).contains("immutable"));
        assert_eq!(cache(Some("0000000000")), "no-cache");
        assert_eq!(cache(None), "no-cache");
        assert_eq!(respond("console/mod.rs", None, &none).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let first = respond("console/console.js", None, &HeaderMap::new());
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(respond("console/console.js", None, &again).status(), StatusCode::NOT_MODIFIED);
    }
}
