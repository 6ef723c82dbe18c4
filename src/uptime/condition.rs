//! What is expected of an answer, judged on what a probe has read. Pure.
//!
//! All failures of an attempt are told, not only the first.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    json_path::JsonPath,
    model::{Failure, Reason},
    pattern,
    spec::{Condition, Test},
};

/// Values in texts of failures are cut to so many characters: a body is not for the log.
const SHOWN: usize = 60;

/// What a probe has read of an answer.
#[derive(Clone, Debug, Default)]
pub struct Answer<'a> {
    pub status: u16,
    /// Names in lower case; values of the same name joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// As text, invalid UTF-8 replaced. Empty where no condition needs it.
    pub body: &'a str,
    /// The whole attempt.
    pub took: Duration,
}

/// Status codes and ranges of them, such as `200-299`.
pub fn parse_status(text: &str) -> Option<(u16, u16)> {
    let parse = |part: &str| part.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    match text.split_once('-') {
        Some((from, until)) => Some((parse(from)?, parse(until)?)).filter(|(from, until)| from <= until),
        None => parse(text).map(|code| (code, code)),
    }
}

/// Whether a status is among those that are expected. What cannot be parsed expects nothing; it is refused when a monitor is saved.
pub fn expects_status(expected: &[String], status: u16) -> bool {
    expected.iter().filter_map(|text| parse_status(text)).any(|(from, until)| (from..=until).contains(&status))
}

/// Whether it can only be judged with the body.
pub fn needs_body(condition: &Condition) -> bool {
    matches!(condition, Condition::Keyword { .. } | Condition::Json { .. })
}

/// Whether judging it may take long.
pub fn has_pattern(condition: &Condition) -> bool {
    matches!(condition, Condition::Json { test: Test::Matches, .. } | Condition::Header { test: Test::Matches, .. })
}

/// All that is not as expected.
pub fn judge(status: &[String], conditions: &[Condition], answer: &Answer<'_>) -> Vec<Failure> {
    let mut failures = Vec::new();
    if !expects_status(status, answer.status) {
        failures
            .push(failure(Reason::Status, format!("the status is {} instead of {}", answer.status, status.join(", "))));
    }
    // Parsed once for all conditions.
    let has_json = conditions.iter().any(|condition| matches!(condition, Condition::Json { .. }));
    let json = has_json.then(|| serde_json::from_str::<Value>(answer.body));
    failures.extend(conditions.iter().filter_map(|condition| judge_one(condition, answer, json.as_ref())));
    failures
}

fn judge_one(
    condition: &Condition,
    answer: &Answer<'_>,
    json: Option<&Result<Value, serde_json::Error>>,
) -> Option<Failure> {
    match condition {
        Condition::Keyword { text, absent } => {
            let has = answer.body.contains(text.as_str());
            let said = if *absent { "the body has" } else { "the body does not have" };
            (has == *absent).then(|| failure(Reason::Keyword, format!("{said} {:?}", shown(text))))
        }
        Condition::Json { path, test, value } => {
            let root = match json {
                Some(Ok(root)) => root,
                Some(Err(error)) => return Some(failure(Reason::Json, format!("the body is no JSON: {error}"))),
                None => return None,
            };
            let found = match JsonPath::parse(path) {
                Ok(parsed) => parsed.find(root),
                Err(error) => return Some(failure(Reason::Json, format!("{path} is no path: {error}"))),
            };
            judge_json(path, *test, value, found.as_deref())
        }
        Condition::Header { name, test, value } => {
            let found = answer.headers.get(&name.to_ascii_lowercase());
            let holds = found
                .is_some_and(|found| holds(*test, &Value::from(found.as_str()), &Value::from(value.as_str())))
                || (found.is_none() && *test == Test::IsNot);
            (!holds).then(|| {
                let is = found.map_or("is not set".to_owned(), |found| format!("is {:?}", shown(found)));
                failure(Reason::Header, format!("header {name} {is}, expected {} {value}", test.as_str()))
            })
        }
        Condition::TimeBelow { ms } => {
            let took = answer.took.as_millis();
            let limit = u128::try_from(*ms).unwrap_or(0);
            (took >= limit).then(|| failure(Reason::TooSlow, format!("it took {took} ms, expected below {ms} ms")))
        }
    }
}

fn judge_json(path: &str, test: Test, value: &Value, found: Option<&Value>) -> Option<Failure> {
    let holds = match found {
        Some(found) => holds(test, found, value),
        // What is not there is not equal to anything.
        None => test == Test::IsNot,
    };
    (!holds).then(|| {
        let is = found.map_or("is not there".to_owned(), |found| format!("is {}", shown(&found.to_string())));
        let expected = if test == Test::Exists { String::new() } else { format!(" {value}") };
        failure(Reason::Json, format!("{path} {is}, expected {}{expected}", test.as_str()))
    })
}

/// Compares what was found with what is expected. Numbers and texts that are numbers are the same.
pub fn holds(test: Test, found: &Value, expected: &Value) -> bool {
    let numbers = || Some((number(found)?, number(expected)?));
    let compare = |is: fn(f64, f64) -> bool| numbers().is_some_and(|(found, expected)| is(found, expected));
    match test {
        Test::Exists => true,
        Test::Is => is_same(found, expected),
        Test::IsNot => !is_same(found, expected),
        Test::Contains => match found {
            Value::Array(list) => list.iter().any(|one| is_same(one, expected)),
            other => text(other).contains(&text(expected)),
        },
        Test::Below => compare(|found, expected| found < expected),
        Test::Above => compare(|found, expected| found > expected),
        Test::AtMost => compare(|found, expected| found <= expected),
        Test::AtLeast => compare(|found, expected| found >= expected),
        Test::Matches => {
            let compiled = pattern::compile(&text(expected));
            compiled.is_ok_and(|compiled| compiled.is_match(pattern::beginning(&text(found))))
        }
    }
}

fn is_same(found: &Value, expected: &Value) -> bool {
    found == expected
        || text(found) == text(expected)
        || matches!((number(found), number(expected)), (Some(a), Some(b)) if (a - b).abs() < f64::EPSILON)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn failure(reason: Reason, text: impl Into<String>) -> Failure {
    Failure { reason, text: text.into() }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(conditions: Value, body: &str) -> Vec<Reason> {
        let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap();
        let headers = BTreeMap::from([("content-type".to_owned(), "text/html".to_owned())]);
        let answer = Answer { status: 200, headers, body, took: Duration::from_millis(100) };
        judge(&["200-299".to_owned()], &conditions, &answer).into_iter().map(|failure| failure.reason).collect()
    }

    #[test]
    fn status_codes_are_numbers_and_ranges() {
        let expected = ["200-299".to_owned(), " 401".to_owned()];
        for (status, is_expected) in [(200, true), (299, true), (300, false), (401, true), (404, false)] {
            assert_eq!(expects_status(&expected, status), is_expected, "{status}");
        }
        for wrong in ["", "20", "600", "299-200", "2xx", "200-", "-200"] {
            assert_eq!(parse_status(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn all_failures_are_told() {
        let conditions = json!([
            {"on": "keyword", "text": "basket"},
            {"on": "keyword", "text": "error", "absent": true},
            {"on": "header", "name": "Content-Type", "test": "contains", "value": "json"},
            {"on": "time_below", "ms": 100},
        ]);
        let all = [Reason::Keyword, Reason::Keyword, Reason::Header, Reason::TooSlow];
        assert_eq!(judged(conditions.clone(), "an error"), all);
        assert_eq!(judged(conditions, "basket"), [Reason::Header, Reason::TooSlow]);
    }

    #[test]
    fn json_is_compared_by_value() {
        let body = r#"{"status": "ok", "n": 7, "text": "7", "list": ["a", 2], "none": null}"#;
        for (path, test, value, holds) in [
            ("$.status", "is", json!("ok"), true),
            ("$.status", "is", json!("no"), false),
            ("$.n", "is", json!("7"), true),
            ("$.text", "is", json!(7), true),
            ("$.n", "below", json!(7), false),
            ("$.n", "at_most", json!(7), true),
            ("$.text", "above", json!(6.5), true),
            ("$.status", "above", json!(1), false),
            ("$.list", "contains", json!(2), true),
            ("$.list", "contains", json!("b"), false),
            ("$.status", "matches", json!("^o.$"), true),
            ("$.status", "matches", json!("["), false),
            ("$.none", "exists", Value::Null, true),
            ("$.nothing", "exists", Value::Null, false),
            ("$.nothing", "is_not", json!(1), true),
            ("length($.list)", "at_least", json!(2), true),
        ] {
            let conditions = json!([{"on": "json", "path": path, "test": test, "value": value}]);
            let expected: &[Reason] = if holds { &[] } else { &[Reason::Json] };
            assert_eq!(judged(conditions, body), expected, "{path} {test} {value}");
        }
        let conditions = json!([{"on": "json", "path": "$.a", "test": "exists"}]);
        assert_eq!(judged(conditions, "<html>"), [Reason::Json]);
    }

    #[test]
    fn a_failure_shows_little_of_the_answer() {
        let conditions = vec![Condition::Keyword { text: "ж".repeat(500), absent: false }];
        let failures = judge(&["200".to_owned()], &conditions, &Answer { status: 200, ..Answer::default() });
        assert!(failures[0].text.chars().count() < 120, "{}", failures[0].text);
    }
}
