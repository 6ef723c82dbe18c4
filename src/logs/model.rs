//! Search queries and log lines.

use chrono::{DateTime, TimeDelta, Utc};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::LogsError;
use platform::{
    error::FieldError,
    http::{ListQuery, Slice},
    telemetry::Level,
};

/// Where lines were searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Loki,
    /// The recent lines of this process.
    Memory,
}

/// A log line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogLine {
    pub timestamp: DateTime<Utc>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub message: String,
    /// The module that wrote it.
    pub target: String,
    pub trace_id: Option<String>,
    pub request_id: Option<String>,
    /// All other fields of the line.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

impl LogLine {
    /// Reads a line stored at `nanos`; text that is not our JSON becomes the message.
    pub(super) fn read(nanos: i64, level: &str, line: &str) -> Self {
        let mut fields = match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::from_iter([("message".to_owned(), Value::from(line))]),
        };
        let mut take = |name: &str| match fields.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            other => other.map(|value| value.to_string()),
        };
        let written = take("timestamp").and_then(|time| time.parse().ok());
        Self {
            timestamp: written.unwrap_or_else(|| DateTime::from_timestamp_nanos(nanos)),
            level: take("level").unwrap_or_else(|| level.to_owned()),
            message: take("message").unwrap_or_default(),
            target: take("target").unwrap_or_default(),
            trace_id: take("trace_id"),
            request_id: take("request_id"),
            fields,
        }
    }
}

/// Lines, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogPage {
    pub data: Vec<LogLine>,
    /// Pass as `cursor` for older lines; null when there are none.
    pub next_cursor: Option<String>,
    pub source: Source,
}

/// Where to search, beside the query of every list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Lines from this time on; default: one hour before `to`.
    pub from: Option<DateTime<Utc>>,
    /// Lines before this time; default: now.
    pub to: Option<DateTime<Utc>>,
    /// `error`, `warn`, `info`, `debug` or `trace`: this severity or worse.
    pub level: Option<String>,
    /// Trace id or request id.
    pub id: Option<String>,
}

/// A validated search.
#[derive(Clone, Debug)]
pub struct Search {
    /// Nanoseconds since 1970.
    pub from: i64,
    /// Nanoseconds since 1970, exclusive.
    pub to: i64,
    /// This severity or worse.
    pub level: Option<Level>,
    /// Matched against the stored line (JSON).
    pub text: Option<Regex>,
    pub id: Option<String>,
    /// Its key is the time of a line, nanoseconds since 1970.
    pub slice: Slice<i64>,
}

impl Search {
    /// Lines to read.
    pub fn rows(&self) -> usize {
        usize::try_from(self.slice.rows()).unwrap_or_default()
    }
}

impl LogQuery {
    /// Validates the query; reports all invalid fields at once.
    pub fn search(&self, list: &ListQuery, now: DateTime<Utc>) -> Result<Search, LogsError> {
        let mut wrong = Vec::new();
        let mut refuse = |field: &str, code, why: String| wrong.push(FieldError::new(format!("/{field}"), code, why));
        let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        let nanos = |at: DateTime<Utc>| at.timestamp_nanos_opt().unwrap_or(i64::MAX);

        let to = self.to.unwrap_or(now);
        let from = self.from.unwrap_or(to - TimeDelta::hours(1));
        if from >= to {
            refuse("from", "out_of_range", "must be before `to`".into());
        }
        let level =
            given(&self.level).and_then(|text| text.parse().map_err(|why| refuse("level", "invalid_value", why)).ok());
        let text = list.search().and_then(pattern);
        let id = given(&self.id);
        let fits = |id: &String| {
            (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if id.as_ref().is_some_and(|id| !fits(id)) {
            refuse("id", "invalid_value", "a trace id or a request id: 8 to 64 letters, digits, - and _".into());
        }
        let slice = match list.slice::<i64>() {
            Ok(slice) if wrong.is_empty() => slice,
            refused => {
                wrong.extend(refused.err().into_iter().flat_map(|error| error.errors));
                return Err(LogsError::Invalid(wrong));
            }
        };
        let to = nanos(to).min(slice.beyond());
        Ok(Search { from: nanos(from), to, level, text, id, slice })
    }
}

/// Matches a text in a line of JSON, ignoring case. Stays within Loki's dialect (RE2).
fn pattern(text: &str) -> Option<Regex> {
    let quoted = Value::from(text).to_string();
    let inside = quoted.trim_start_matches('"');
    let inside = inside.strip_suffix('"').unwrap_or(inside);
    Regex::new(&format!("(?i){}", regex::escape(inside))).ok()
}
