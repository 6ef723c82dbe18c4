//! The rules of searching.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{
    LogsError,
    loki::query,
    model::{LogLine, LogQuery},
    service::look_through,
};
use platform::{
    http::{ListQuery, Slice},
    telemetry::{Level, Recent},
};

fn now() -> DateTime<Utc> {
    "2026-11-23T03:00:00Z".parse().unwrap()
}

fn text(q: &str) -> ListQuery {
    ListQuery { q: q.into(), ..ListQuery::default() }
}

fn line(nanos: i64, level: Level, json: &str) -> Recent {
    Recent { nanos, level, json: json.into() }
}

#[test]
fn a_search_is_of_the_last_hour_unless_it_says_otherwise() {
    let search = LogQuery::default().search(&ListQuery::default(), now()).unwrap();
    assert_eq!(search.to - search.from, 3_600_000_000_000);
    let wrong = LogQuery {
        from: Some(now()),
        to: Some(now() - TimeDelta::hours(1)),
        level: Some("loud".into()),
        id: Some("\"} or 1=1".into()),
    };
    let list = ListQuery { limit: Some(0), cursor: "x".into(), q: "x".repeat(201), sort: String::new() };
    let LogsError::Invalid(errors) = wrong.search(&list, now()).unwrap_err() else { panic!() };
    let fields: Vec<_> = errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(fields, ["/from", "/level", "/id", "/limit", "/cursor", "/q"]);
}

#[test]
fn lokis_language_is_spoken_and_never_by_who_searches() {
    let of = |q: &str, level: &str, id: &str| {
        let given = |text: &str| Some(text.to_owned());
        query(&LogQuery { level: given(level), id: given(id), ..LogQuery::default() }.search(&text(q), now()).unwrap())
    };
    assert_eq!(of("", "", ""), r#"{service="holdfast"}"#);
    assert_eq!(of("", "warn", ""), r#"{service="holdfast",level=~"error|warn"}"#);
    assert_eq!(of("slow query", "", ""), r#"{service="holdfast"} |~ "(?i)slow query""#);
    assert_eq!(
        of("", "", "4bf92f35"),
        r#"{service="holdfast"} |= "4bf92f35" |~ "\"(trace_id|request_id)\":\"4bf92f35\"""#
    );
    // A quotation mark is escaped for the line's JSON, for the expression, and for the query.
    assert_eq!(of(r#"a"b"#, "", ""), r#"{service="holdfast"} |~ "(?i)a\\\\\"b""#);
    assert_eq!(of("a\\`}", "", ""), r#"{service="holdfast"} |~ "(?i)a\\\\\\\\`\\}""#);
}

proptest! {
    /// The search text stays inside one string: the fixed selector in front of it remains the only one.
    #[test]
    fn nothing_gets_out_of_its_string(text in "\\PC{1,60}") {
        let asked = query(&LogQuery::default().search(&super::tests::text(&text), now()).unwrap());
        let rest = asked.strip_prefix(r#"{service="holdfast"}"#).unwrap();
        if !text.trim().is_empty() {
            let string = rest.strip_prefix(" |~ ").unwrap();
            let read: String = serde_json::from_str(string).unwrap();
            prop_assert!(read.starts_with("(?i)"));
            let in_json = serde_json::to_string(text.trim()).unwrap();
            prop_assert!(regex::Regex::new(&read).unwrap().is_match(&in_json));
        }
    }
}

#[test]
fn memory_is_searched_as_loki_is() {
    let base = now().timestamp_nanos_opt().unwrap() - 1000;
    let lines = [
        line(base, Level::Info, r#"{"message":"Started \"x\"","trace_id":"aaaaaaaa","request_id":"req-0001"}"#),
        line(base + 1, Level::Error, r#"{"message":"broke","trace_id":"bbbbbbbb"}"#),
        line(base + 2, Level::Debug, r#"{"message":"aaaaaaaa is only said here","other_trace_id":"aaaaaaaa"}"#),
        line(base + 5000, Level::Info, r#"{"message":"later"}"#),
    ];
    let find = |list: ListQuery, query: LogQuery| -> Vec<i64> {
        look_through(&lines, &query.search(&list, now()).unwrap(), 10).iter().map(|s| s.nanos - base).collect()
    };
    let found = |query: LogQuery| find(ListQuery::default(), query);
    let with = |q: &str| find(text(q), LogQuery::default());
    assert_eq!(found(LogQuery::default()), [2, 1, 0], "newest first, none of after `to`");
    assert_eq!(with("STARTED"), [0]);
    assert_eq!(with(r#""x""#), [0]);
    assert_eq!(with(".*"), Vec::<i64>::new(), "a text, no expression");
    let level = |level: &str| LogQuery { level: Some(level.into()), ..LogQuery::default() };
    assert_eq!((found(level("error")), found(level("info"))), (vec![1], vec![1, 0]));
    let id = |id: &str| LogQuery { id: Some(id.into()), ..LogQuery::default() };
    assert_eq!((found(id("aaaaaaaa")), found(id("req-0001"))), (vec![0], vec![0]));
    let first: Slice<i64> = ListQuery { limit: Some(1), ..ListQuery::default() }.slice().unwrap();
    let cursor = first.page(vec![base + 1, base], |nanos| *nanos).next_cursor.unwrap();
    assert_eq!(find(ListQuery { cursor, ..ListQuery::default() }, LogQuery::default()), [0]);
}

#[test]
fn a_line_is_read_whatever_it_is() {
    let read = LogLine::read(
        7,
        "info",
        r#"{"timestamp":"2026-11-23T03:00:00.5Z","level":"warn","target":"t","message":"m","trace_id":"x","n":1}"#,
    );
    assert_eq!((read.level.as_str(), read.message.as_str(), read.trace_id.as_deref()), ("warn", "m", Some("x")));
    assert_eq!(read.timestamp.timestamp_subsec_millis(), 500);
    assert_eq!(serde_json::Value::Object(read.fields), serde_json::json!({"n": 1}));
    let foreign = LogLine::read(7, "info", "no JSON");
    assert_eq!((foreign.level.as_str(), foreign.message.as_str()), ("info", "no JSON"));
    assert_eq!(foreign.timestamp.timestamp_nanos_opt(), Some(7));
}
