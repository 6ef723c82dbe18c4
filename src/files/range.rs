//! Conditions and ranges of reads (RFC 9110 sections 13 and 14). Those of writes are [`crate::Conditions`].

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, Method, header};
use chrono::{DateTime, NaiveDateTime, Utc};

/// What a read gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// 200
    Whole,
    /// 206 with these bytes.
    Part(Range<u64>),
    /// 304
    NotModified,
    /// 412
    Failed,
    /// 416: the range begins beyond the end.
    Unsatisfiable,
}

/// Judges a GET or a HEAD of a content with this etag (without quotes), time and size. HEAD answers as GET would, without the bytes.
pub fn decide(headers: &HeaderMap, method: &Method, etag: &str, modified: DateTime<Utc>, size: u64) -> Decision {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Decision::Whole;
    }
    match holds(headers, etag, modified) {
        Some(decision) => decision,
        None if may_be_ranged(headers, etag, modified) => ranged(headers, size),
        None => Decision::Whole,
    }
}

/// The conditions, in the order of RFC 9110 section 13.2.2; `None`: nothing forbids the content.
fn holds(headers: &HeaderMap, etag: &str, modified: DateTime<Utc>) -> Option<Decision> {
    match list(headers, &header::IF_MATCH) {
        Some(list) if !list.has(etag, Compare::Strong) => return Some(Decision::Failed),
        Some(_) => {}
        None if date(headers, &header::IF_UNMODIFIED_SINCE).is_some_and(|date| modified.timestamp() > date) => {
            return Some(Decision::Failed);
        }
        None => {}
    }
    let is_same = match list(headers, &header::IF_NONE_MATCH) {
        Some(list) => list.has(etag, Compare::Weak),
        None => date(headers, &header::IF_MODIFIED_SINCE).is_some_and(|date| modified.timestamp() <= date),
    };
    is_same.then_some(Decision::NotModified)
}

/// Whether `If-Range`, if there is one, names this content: a range of another one would be joined to what the client has.
fn may_be_ranged(headers: &HeaderMap, etag: &str, modified: DateTime<Utc>) -> bool {
    let Some(value) = text(headers, &header::IF_RANGE) else { return !headers.contains_key(header::IF_RANGE) };
    match http_date(value) {
        Some(date) => date == modified.timestamp(),
        None => Tags::parse(value).has(etag, Compare::Strong),
    }
}

fn ranged(headers: &HeaderMap, size: u64) -> Decision {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next().and_then(|value| value.to_str().ok()), values.next()) else {
        return Decision::Whole;
    };
    match parse(value) {
        // Several ranges, or what is none: the whole, which is always a correct answer.
        None => Decision::Whole,
        Some(Wanted::Last(0)) => Decision::Unsatisfiable,
        // The last bytes of nothing are nothing, and a 206 cannot say so.
        Some(Wanted::Last(_)) if size == 0 => Decision::Whole,
        Some(Wanted::Last(bytes)) => Decision::Part(size.saturating_sub(bytes)..size),
        Some(Wanted::From(first, _)) if first >= size => Decision::Unsatisfiable,
        Some(Wanted::From(first, last)) => Decision::Part(first..last.saturating_add(1).min(size)),
    }
}

enum Wanted {
    /// First and last byte.
    From(u64, u64),
    /// So many at the end.
    Last(u64),
}

/// A single range of bytes; `None`: several, inverted, or nothing of that kind.
fn parse(value: &str) -> Option<Wanted> {
    let (unit, range) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", last) => number(last).map(Wanted::Last),
        (first, "") => number(first).map(|first| Wanted::From(first, u64::MAX)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Wanted::From(first, last))
        }
    }
}

/// Digits; more than fit are beyond every end.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// How etags are compared (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    /// A weak one is never equal.
    Strong,
    Weak,
}

/// Etags of a header.
enum Tags<'a> {
    Any,
    /// Without quotes, and whether it is weak.
    These(Vec<(&'a str, bool)>),
}

impl<'a> Tags<'a> {
    fn parse(text: &'a str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        // No etag of ours has a comma. Some programs leave the quotes out.
        let tag = |part: &'a str| {
            let part = part.trim();
            let bare = part.strip_prefix("W/");
            let quoted = bare.unwrap_or(part);
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
            (inner, bare.is_some())
        };
        Self::These(text.split(',').map(tag).collect())
    }

    fn has(&self, etag: &str, compare: Compare) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => {
                tags.iter().any(|(tag, is_weak)| *tag == etag && (compare == Compare::Weak || !is_weak))
            }
        }
    }
}

/// All lines of the header; what is not text names no etag of ours.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Tags<'a>> {
    let mut found = headers.get_all(name).iter().peekable();
    found.peek()?;
    let mut all = Vec::new();
    for value in found {
        match value.to_str().map(Tags::parse) {
            Ok(Tags::Any) => return Some(Tags::Any),
            Ok(Tags::These(tags)) => all.extend(tags),
            Err(_) => {}
        }
    }
    Some(Tags::These(all))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Seconds of a date; one that cannot be read is as none (RFC 9110 sections 13.1.3 and 13.1.4).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    http_date(text(headers, name)?)
}

/// The three forms of RFC 9110 section 5.6.7.
fn http_date(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.timestamp());
    }
    let old = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    old.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|date| date.and_utc().timestamp())
}

/// A time as headers have it.
pub(crate) fn http_time(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
