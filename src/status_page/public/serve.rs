//! A finished answer as a response: encoding, entity tag, caching.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use chrono::SecondsFormat;

use crate::{
    holder::Served,
    metrics::Answered,
    model::{Render, Set},
    render::{HTML, UP},
};
use console::Lang;
use platform::http::Finished;

const PUBLIC: &str = "public, max-age=10, stale-if-error=86400";
const PRIVATE: &str = "private, no-store";
/// Of what the answer says: JSON has no place for it.
const AS_OF: HeaderName = HeaderName::from_static("x-status-as-of");

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub headers: &'a HeaderMap,
    /// The address names the language.
    pub is_named: bool,
}

/// The answer in a form that the asker takes.
pub fn respond(served: &Served, render: &Render, set: Set, asker: &Asker<'_>) -> (Response, Answered) {
    let is_public = served.access.is_public();
    // The same words in another encoding are the same answer: a weak tag.
    let etag = format!("W/{}", render.etag);
    let is_up = render.path == UP;
    // A poller wants the status of now, not that it is the same as before.
    let is_known = !is_up && matches(asker.headers.get_all(header::IF_NONE_MATCH).iter(), &render.etag);
    let (encoding, body) = encoded(render, asker.headers);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(body) });
    *response.status_mut() = if is_up && render.body != "ok\n" {
        StatusCode::SERVICE_UNAVAILABLE
    } else if is_known {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    // The compression of the house is for what is made on request.
    response.extensions_mut().insert(Finished);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(render.content_type));
    if let Some(encoding) = encoding.filter(|_| !is_known) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    let caching = if is_public { PUBLIC } else { PRIVATE };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    let as_of = served.as_of.to_rfc3339_opts(SecondsFormat::Millis, true);
    if let Ok(as_of) = HeaderValue::try_from(as_of) {
        headers.insert(AS_OF, as_of);
    }
    if render.content_type == HTML {
        headers.insert(header::CONTENT_SECURITY_POLICY, served.access.policy.clone());
        let vary = if asker.is_named { "accept-encoding" } else { "accept-encoding, accept-language" };
        headers.insert(header::VARY, HeaderValue::from_static(vary));
    } else {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if is_public {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
    let result = match set {
        _ if is_known => Answered::NotModified,
        Set::Current => Answered::Current,
        Set::Stale => Answered::Stale,
    };
    (response, result)
}

/// The smallest form that the asker takes.
fn encoded(render: &Render, headers: &HeaderMap) -> (Option<&'static str>, Bytes) {
    let takes = |name| headers.get_all(header::ACCEPT_ENCODING).iter().any(|value| accepts(value, name));
    match (&render.br, &render.gzip) {
        (Some(br), _) if takes("br") => (Some("br"), br.clone()),
        (_, Some(gzip)) if takes("gzip") => (Some("gzip"), gzip.clone()),
        _ => (None, render.body.clone()),
    }
}

/// Whether `Accept-Encoding` names this one, with a weight above 0.
fn accepts(value: &HeaderValue, name: &str) -> bool {
    let Ok(value) = value.to_str() else { return false };
    value.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|first| first.eq_ignore_ascii_case(name));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse::<f32>().ok());
        is_named && weight.is_none_or(|weight| weight > 0.0)
    })
}

/// Weak comparison with any of a list, or `*` (RFC 9110 section 13.1.2).
fn matches<'a>(values: impl Iterator<Item = &'a HeaderValue>, etag: &str) -> bool {
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The language of a page: the named one if the page has it, else the preferred one, else its first.
pub fn language(languages: &[String], named: Option<Lang>, headers: &HeaderMap) -> &'static str {
    let has = |lang: &Lang| languages.iter().any(|code| code == lang.code());
    let first = languages.iter().find_map(|code| Lang::from_code(code)).unwrap_or(Lang::En);
    if let Some(named) = named {
        // One that the page has not is no page: its path is not found.
        return named.code();
    }
    Lang::preferred(headers).filter(has).unwrap_or(first).code()
}

/// The value of a cookie.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let known = |value: &'static str| {
            matches(headers(header::IF_NONE_MATCH, value).get_all(header::IF_NONE_MATCH).iter(), "\"abc\"")
        };
        assert!(known("\"abc\"") && known("W/\"abc\"") && known("\"x\", W/\"abc\"") && known("*"));
        assert!(!known("\"abd\"") && !known("abc"));
    }

    #[test]
    fn an_encoding_is_taken_if_it_is_wanted() {
        let wanted = |value: &'static str, name| accepts(&HeaderValue::from_static(value), name);
        assert!(wanted("gzip, br", "br") && wanted("gzip;q=0.5", "gzip") && wanted("BR", "br"));
        assert!(!wanted("gzip;q=0", "gzip") && !wanted("identity", "br") && !wanted("brx", "br"));
    }

    #[test]
    fn a_language_is_the_named_the_preferred_or_the_first_one() {
        let languages = ["ru".to_owned(), "en".to_owned()];
        let accept = |value| headers(header::ACCEPT_LANGUAGE, value);
        assert_eq!(language(&languages, Some(Lang::En), &accept("ru")), "en");
        assert_eq!(language(&languages, None, &accept("en-GB,ru;q=0.5")), "en");
        assert_eq!(language(&languages, None, &accept("de")), "ru", "the page's first, not the house's");
        assert_eq!(language(&languages, None, &HeaderMap::new()), "ru");
        assert_eq!(language(&languages[..1], None, &accept("en")), "ru");
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let sent = headers(header::COOKIE, "xpage-a=1; page-a=2.3; b=4");
        assert_eq!(cookie(&sent, "page-a").as_deref(), Some("2.3"));
        assert_eq!(cookie(&sent, "page"), None);
    }
}
