//! Live parts: what a page's script asks for again and again while the page is open and visible.
//!
//! A template puts the part, one element with an `id` and `data-live="<seconds>"`, between `<!--live-->` and `<!--/live-->`, and
//! `ui::live()` above it. The script asks for the page's own address with two headers: `x-live` with the page's stamp ([`Shell::stamp`])
//! and `If-None-Match` with the `ETag` of what it shows. The handler runs as for the page; the answer is the part alone, or 304. Who is
//! signed out gets 401 instead of the sign-in page; a page made for another session, organisation, role, language or version gets 409.
//! In both cases the script stops and says so. What the page reads from the database goes through [`Shell::shared`].
//!
//! [`Shell::stamp`]: super::Shell::stamp
//! [`Shell::shared`]: super::Shell::shared

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use platform::crypto::{hex, sha256};
use platform::error::ApiError;

const HEADER: &str = "x-live";
/// Templates escape `<` in what they print, so that no text contains these.
const MARKS: [&str; 2] = ["<!--live-->", "<!--/live-->"];

/// A request for a page's live part.
pub(super) struct LiveRequest {
    stamp: String,
    etag: Option<HeaderValue>,
    /// The page's person has just changed what it shows: `Cache-Control: no-cache`.
    pub anew: bool,
}

impl LiveRequest {
    /// `None` for a request for a whole page.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let stamp = headers.get(HEADER)?.to_str().ok()?.to_owned();
        let anew = headers.get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes() == b"no-cache");
        Some(Self { stamp, etag: headers.get(header::IF_NONE_MATCH).cloned(), anew })
    }

    /// 409 unless the page that asks is the one of this stamp.
    pub fn check(&self, stamp: &str) -> Result<(), ApiError> {
        if self.stamp == stamp { Ok(()) } else { Err(outdated()) }
    }

    /// The part of the page `html`, or 304 for what the script already shows.
    pub fn answer(&self, html: &str) -> Result<Response, ApiError> {
        let part = cut(html).ok_or_else(outdated)?;
        // Weak, because it may be sent in different encodings.
        let etag = HeaderValue::try_from(format!("W/\"{}\"", hex(&sha256(part)[..12]))).map_err(ApiError::internal)?;
        let mut response = if self.etag.as_ref() == Some(&etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Html(part.to_owned()).into_response()
        };
        response.headers_mut().insert(header::ETAG, etag);
        Ok(response)
    }
}

/// 401 for a page whose session has ended.
pub(super) fn signed_out() -> ApiError {
    ApiError::unauthorized("the session has ended: sign in again")
}

fn outdated() -> ApiError {
    ApiError::conflict("page_outdated", "the page was made for another session, organisation or version: load it again")
}

fn cut(html: &str) -> Option<&str> {
    let (_, rest) = html.split_once(MARKS[0])?;
    rest.split_once(MARKS[1]).map(|(part, _)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(etag: Option<&HeaderValue>) -> LiveRequest {
        LiveRequest { stamp: "s".into(), etag: etag.cloned(), anew: false }
    }

    #[test]
    fn the_part_is_sent_once_until_it_changes() {
        let page = |n| format!("<main><!--live--><div id=\"x\">{n}</div><!--/live--></main>");
        let first = asked(None).answer(&page(1)).unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        let again = asked(first.headers().get(header::ETAG));
        assert_eq!(again.answer(&page(1)).unwrap().status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.answer(&page(2)).unwrap().status(), StatusCode::OK);
        assert_eq!(cut(&page(3)), Some("<div id=\"x\">3</div>"));
    }

    #[test]
    fn a_page_without_a_live_part_has_none_to_send() {
        let refused = asked(None).answer("<main></main>").unwrap_err();
        assert_eq!(refused.status, StatusCode::CONFLICT);
    }
}
