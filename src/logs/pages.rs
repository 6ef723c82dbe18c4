//! The page Logs.

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse as _, routing::get};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{
    LogLine, Logs, LogsError, Source,
    model::{LogPage, LogQuery},
    routes::require,
};
use console::{PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Query},
    telemetry::Level,
};

const PATH: &str = "/logs";
/// Time ranges, by their name in the address and in translation keys.
const RANGES: [(&str, TimeDelta); 5] = [
    ("15m", TimeDelta::minutes(15)),
    USUAL,
    ("6h", TimeDelta::hours(6)),
    ("24h", TimeDelta::hours(24)),
    ("7d", TimeDelta::days(7)),
];
const USUAL: (&str, TimeDelta) = ("1h", TimeDelta::hours(1));
/// Longest summary of the fields beside a message, characters.
const SHORT: usize = 240;

/// The pages of this capability.
pub fn router() -> Router<Logs> {
    Router::new().route(PATH, get(list))
}

/// The search form as sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Filter {
    level: String,
    id: String,
    range: String,
    /// UTC, as a `datetime-local` field sends it; takes precedence over `range`.
    from: String,
    to: String,
}

#[derive(Template)]
#[template(path = "logs/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    query: ListQuery,
    filter: Filter,
    lines: Vec<LogLine>,
    pager: Pager,
    /// Why there are no lines.
    failure: String,
    in_memory: bool,
}

async fn list(
    shell: Shell,
    State(logs): State<Logs>,
    Query(query): Query<ListQuery>,
    Query(mut filter): Query<Filter>,
) -> PageResult {
    require(shell.principal())?;
    if !RANGES.iter().any(|(name, _)| *name == filter.range) {
        USUAL.0.clone_into(&mut filter.range);
    }
    let now = logs.now();
    let found = match filter.query(now) {
        Ok(where_to) => logs.search(&query, &where_to).await,
        Err(error) => Err(error),
    };
    let (page, failure, status) = match found {
        Ok(page) => (page, String::new(), StatusCode::OK),
        // The form is shown again for correction.
        Err(error) => {
            let none = LogPage { data: Vec::new(), next_cursor: None, source: logs.source() };
            let error = ApiError::from(error);
            (none, error.detail, error.status)
        }
    };
    let pager = filter.pager(&query, page.next_cursor.as_deref(), now);
    let in_memory = page.source == Source::Memory;
    let list = List { shell: &shell, lines: page.data, pager, failure, in_memory, query, filter };
    let mut response = shell.render(&list)?.into_response();
    *response.status_mut() = status;
    Ok(response)
}

/// `2026-11-23T03:20` or with seconds, in UTC, as `<input type="datetime-local">` sends it.
fn local(text: &str, field: &str) -> Result<Option<DateTime<Utc>>, LogsError> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let time = read("%Y-%m-%dT%H:%M").or_else(|| read("%Y-%m-%dT%H:%M:%S%.f")).map(|time| time.and_utc());
    time.or_else(|| text.parse().ok()).map(Some).ok_or_else(|| {
        LogsError::Invalid(vec![platform::error::FieldError::new(
            format!("/{field}"),
            "invalid_value",
            format!("{text:?} is not a time such as 2026-11-23T03:20 (UTC)"),
        )])
    })
}

impl Filter {
    fn is_plain(&self) -> bool {
        [&self.level, &self.id, &self.from, &self.to].iter().all(|text| text.is_empty())
    }

    fn has_times(&self) -> bool {
        !self.from.is_empty() || !self.to.is_empty()
    }

    fn back(&self) -> TimeDelta {
        RANGES.iter().find(|(name, _)| *name == self.range).unwrap_or(&USUAL).1
    }

    fn query(&self, now: DateTime<Utc>) -> Result<LogQuery, LogsError> {
        let given = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        let back = self.back();
        let to = local(&self.to, "to")?.unwrap_or(now);
        let from = local(&self.from, "from")?.unwrap_or(to - back);
        Ok(LogQuery { from: Some(from), to: Some(to), level: given(&self.level), id: given(&self.id) })
    }

    /// Older pages keep the time range of the first page, however late they are opened.
    fn pager(&self, query: &ListQuery, next: Option<&str>, now: DateTime<Utc>) -> Pager {
        let back = self.back();
        let from =
            if self.has_times() { self.from.clone() } else { (now - back).format("%Y-%m-%dT%H:%M:%S").to_string() };
        let filters =
            [("level", &*self.level), ("id", &self.id), ("range", &self.range), ("from", &from), ("to", &self.to)];
        Pager::new(PATH, &filters, query, next)
    }
}

impl List<'_> {
    fn range(&self, name: &str) -> String {
        self.shell.t(format!("logs-range-{name}")).to_string()
    }
}

impl LogLine {
    fn time(&self) -> String {
        self.timestamp.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
    }

    /// Badge colour.
    fn tone(&self) -> &'static str {
        match self.level.as_str() {
            "error" => "error",
            "warn" => "warn",
            "info" => "info",
            _ => "neutral",
        }
    }

    /// The fields beside the message, shortened.
    fn short(&self) -> String {
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let parts = self.fields.iter().map(|(name, value)| (name, text(value))).filter(|(_, value)| !value.is_empty());
        let all = parts.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let mut short: String = all.chars().take(SHORT).collect();
        if short.len() < all.len() {
            short.push('…');
        }
        short
    }

    /// The whole line, formatted for people.
    fn whole(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
