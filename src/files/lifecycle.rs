//! Lifecycle rules: what they may say, and what is due at a time. Pure: what is due is deleted elsewhere.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use crate::{Expire, FilesError, LifecycleRule};
use platform::error::FieldError;

/// Most rules of a bucket: S3's limit.
const MOST_RULES: usize = 1000;
const MOST_DAYS: i32 = 36_500;

/// The rules of a bucket, as its row has them.
pub(crate) fn stored(rules: &Value) -> Result<Vec<LifecycleRule>, FilesError> {
    Ok(serde_json::from_value(rules.clone())?)
}

/// Midnight (UTC) of a day.
fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// What was written until then is so many days old, counted up to the midnight after: S3's way.
pub(crate) fn due_until(days: i32, now: DateTime<Utc>) -> DateTime<Utc> {
    midnight(now.date_naive()) - TimeDelta::days(days.into())
}

/// Current objects that were written until then expire now; `None`: none do.
pub(crate) fn expires_until(expire: Expire, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match expire {
        Expire::Days(days) => Some(due_until(days, now)),
        // The last moment before that day.
        Expire::Date(day) => (now >= midnight(day)).then(|| midnight(day) - TimeDelta::microseconds(1)),
        Expire::Markers(_) => None,
    }
}

/// What is wrong with the rules of a bucket.
pub(crate) fn check(rules: &[LifecycleRule]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if rules.len() > MOST_RULES {
        errors.push(FieldError::new("/lifecycle", "too_many", format!("at most {MOST_RULES} rules")));
    }
    let mut ids = BTreeSet::new();
    for (n, rule) in rules.iter().enumerate() {
        let mut wrong = |field: &str, code, detail: &str| {
            errors.push(FieldError::new(format!("/lifecycle/{n}{field}"), code, detail));
        };
        if rule.id.is_empty() || rule.id.len() > 255 {
            wrong("/id", "invalid", "1 to 255 characters");
        } else if !ids.insert(rule.id.as_str()) {
            wrong("/id", "taken", "another rule of this bucket has this id");
        }
        let days = [
            (
                "/expire/days",
                match rule.expire {
                    Some(Expire::Days(days)) => Some(days),
                    _ => None,
                },
            ),
            ("/noncurrent/days", rule.noncurrent.map(|noncurrent| noncurrent.days)),
            ("/abort_uploads_days", rule.abort_uploads_days),
            ("/move/days", rule.move_to.map(|to| to.days)),
        ];
        for (field, _) in days.into_iter().filter(|(_, days)| days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)))
        {
            wrong(field, "out_of_range", "1 to 36500 days");
        }
        if rule.noncurrent.is_some_and(|noncurrent| !(0..=100).contains(&noncurrent.keep)) {
            wrong("/noncurrent/keep", "out_of_range", "0 to 100 versions");
        }
        if rule.expire.is_none()
            && rule.noncurrent.is_none()
            && rule.abort_uploads_days.is_none()
            && rule.move_to.is_none()
        {
            wrong("", "empty", "a rule does something: expire, noncurrent, abort_uploads_days or move");
        }
        let has_filter = !rule.tags.is_empty() || rule.larger_than.is_some() || rule.smaller_than.is_some();
        if has_filter && (rule.abort_uploads_days.is_some() || matches!(rule.expire, Some(Expire::Markers(_)))) {
            wrong(
                "",
                "invalid",
                "uploads and delete markers have neither tags nor a size: give such a rule a prefix alone",
            );
        }
        if matches!(rule.expire, Some(Expire::Markers(false))) {
            wrong("/expire/markers", "invalid", "true, or no such rule");
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn days_end_at_the_next_midnight() {
        let written = at("2026-01-01T10:30:00Z");
        let is_due = |days, now| written <= due_until(days, at(now));
        assert!(!is_due(1, "2026-01-02T10:30:00Z"), "a day has passed, and the midnight after it has not come");
        assert!(!is_due(1, "2026-01-02T23:59:59Z"));
        assert!(is_due(1, "2026-01-03T00:00:00Z"));
        assert!(at("2026-01-01T00:00:00Z") <= due_until(1, at("2026-01-02T00:00:00Z")), "written at midnight");
        let date = Expire::Date("2026-02-01".parse().unwrap());
        assert_eq!(expires_until(date, at("2026-01-31T23:59:59Z")), None);
        let until = expires_until(date, at("2026-03-01T00:00:00Z")).unwrap();
        assert!(at("2026-01-31T23:59:59Z") < until && until < at("2026-02-01T00:00:00Z"));
    }

    #[test]
    fn what_a_rule_does_not_know_is_refused() {
        for unknown in [
            serde_json::json!([{"id": "a", "transition": {"days": 1}}]),
            serde_json::json!([{"id": "a", "expire": {"weeks": 1}}]),
            serde_json::json!([{"id": "a", "noncurrent": {"days": 1, "newer": 1}}]),
        ] {
            assert!(stored(&unknown).is_err(), "{unknown}");
        }
        let problems = |rules: Value| -> Vec<String> {
            check(&stored(&rules).unwrap()).into_iter().map(|error| error.pointer.to_string()).collect()
        };
        assert!(
            problems(serde_json::json!([{"id": "a", "expire": {"days": 1}}, {"id": "b", "noncurrent": {"days": 3}}]))
                .is_empty()
        );
        assert_eq!(problems(serde_json::json!([{"id": "a"}])), ["/lifecycle/0"]);
        assert_eq!(problems(serde_json::json!([{"id": "a", "expire": {"days": 0}}])), ["/lifecycle/0/expire/days"]);
        let twice = serde_json::json!([{"id": "a", "abort_uploads_days": 1}, {"id": "a", "expire": {"markers": true}}]);
        assert_eq!(problems(twice), ["/lifecycle/1/id"]);
        let filtered = serde_json::json!([{"id": "a", "tags": {"x": "y"}, "expire": {"markers": true}}]);
        assert_eq!(problems(filtered), ["/lifecycle/0"]);
    }
}
