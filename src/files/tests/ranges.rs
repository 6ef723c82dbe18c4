use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::{Decision, decide};
use Decision::{Failed, NotModified, Part, Unsatisfiable, Whole};

/// 1994-11-06 08:49:37, RFC 9110's own example, and some microseconds.
fn modified() -> DateTime<Utc> {
    DateTime::from_timestamp(784_111_777, 123_456_000).unwrap()
}

const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn judged(pairs: &[(&'static str, &str)], size: u64) -> Decision {
    let headers: HeaderMap = pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
        .collect();
    decide(&headers, &Method::GET, "a", modified(), size)
}

#[test]
fn conditions_are_judged_in_their_order() {
    for (pairs, expected) in [
        (&[][..], Whole),
        (&[("if-match", "\"a\"")], Whole),
        (&[("if-match", "*")], Whole),
        (&[("if-match", "\"b\", \"a\"")], Whole),
        (&[("if-match", "\"b\"")], Failed),
        // A weak one is not strongly equal.
        (&[("if-match", "W/\"a\"")], Failed),
        (&[("if-match", "")], Failed),
        (&[("if-none-match", "\"a\"")], NotModified),
        (&[("if-none-match", "W/\"a\"")], NotModified),
        (&[("if-none-match", "*")], NotModified),
        (&[("if-none-match", "\"b\"")], Whole),
        (&[("if-none-match", "a")], NotModified),
        (&[("if-none-match", "\"a-br\"")], Whole),
        (&[("if-modified-since", SAME)], NotModified),
        (&[("if-modified-since", AFTER)], NotModified),
        (&[("if-modified-since", BEFORE)], Whole),
        (&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
        (&[("if-modified-since", "Sun Nov  6 08:49:37 1994")], NotModified),
        (&[("if-modified-since", "yesterday")], Whole),
        (&[("if-unmodified-since", SAME)], Whole),
        (&[("if-unmodified-since", BEFORE)], Failed),
        (&[("if-unmodified-since", "yesterday")], Whole),
        // The etag decides where both are there.
        (&[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)], Whole),
        (&[("if-none-match", "\"b\""), ("if-modified-since", AFTER)], Whole),
        (&[("if-match", "\"b\""), ("if-none-match", "\"a\"")], Failed),
        (&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], NotModified),
        // A range comes last.
        (&[("if-none-match", "\"a\""), ("range", "bytes=0-1")], NotModified),
        (&[("if-match", "\"b\""), ("range", "bytes=99-")], Failed),
    ] {
        assert_eq!(judged(pairs, 10), expected, "{pairs:?}");
    }
}

#[test]
fn a_range_is_one_within_the_content() {
    for (range, expected) in [
        ("bytes=0-0", Part(0..1)),
        ("bytes=0-9", Part(0..10)),
        ("bytes=0-99", Part(0..10)),
        ("bytes=9-", Part(9..10)),
        ("bytes=-3", Part(7..10)),
        ("bytes=-99", Part(0..10)),
        ("BYTES=2-3", Part(2..4)),
        ("bytes= 2 - 3 ", Part(2..4)),
        ("bytes=2-99999999999999999999999", Part(2..10)),
        ("bytes=10-", Unsatisfiable),
        ("bytes=10-11", Unsatisfiable),
        ("bytes=99999999999999999999999-", Unsatisfiable),
        ("bytes=-0", Unsatisfiable),
        // None that can be served: the whole is always right.
        ("bytes=3-2", Whole),
        ("bytes=0-1,3-4", Whole),
        ("bytes=-", Whole),
        ("bytes=a-b", Whole),
        ("bytes=+1-2", Whole),
        ("bytes", Whole),
        ("items=0-1", Whole),
        ("", Whole),
    ] {
        assert_eq!(judged(&[("range", range)], 10), expected, "{range}");
    }
    assert_eq!(judged(&[("range", "bytes=-1")], 0), Whole, "the last byte of nothing");
    assert_eq!(judged(&[("range", "bytes=0-")], 0), Unsatisfiable);
}

#[test]
fn a_range_of_another_content_is_not_joined() {
    for (if_range, expected) in [
        ("\"a\"", Part(0..1)),
        ("\"b\"", Whole),
        ("W/\"a\"", Whole),
        (SAME, Part(0..1)),
        (BEFORE, Whole),
        (AFTER, Whole),
        ("nonsense", Whole),
    ] {
        assert_eq!(judged(&[("range", "bytes=0-0"), ("if-range", if_range)], 10), expected, "{if_range}");
    }
}

#[test]
fn head_is_answered_as_get_and_others_are_not_judged() {
    let headers = HeaderMap::from_iter([(HeaderName::from_static("range"), HeaderValue::from_static("bytes=1-1"))]);
    let of = |method: Method| decide(&headers, &method, "a", modified(), 10);
    assert_eq!(of(Method::HEAD), of(Method::GET));
    assert_eq!(of(Method::PUT), Whole);
    let later = decide(&headers, &Method::GET, "a", modified() + TimeDelta::days(1), 10);
    assert_eq!(later, Part(1..2));
}

proptest! {
    #[test]
    fn no_header_leads_out_of_the_content(range in "(bytes=)?[0-9,a-c -]{0,24}", size in 0_u64..40) {
        if let Part(part) = judged(&[("range", &range)], size) {
            prop_assert!(part.start < part.end && part.end <= size, "{range} of {size}: {part:?}");
        }
    }
}
