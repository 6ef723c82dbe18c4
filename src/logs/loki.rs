//! A client for Loki's query API.

use std::{fmt::Write as _, time::Duration};

use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;

use super::{LogsError, model::Search};
use platform::{
    error::chain,
    telemetry::{Level, config::LokiAccess},
};

/// No longer than someone waits for a page.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A page of usual lines is a tenth of a megabyte; 200 lines of the largest size would be fifty.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The Loki to search.
#[derive(Clone, Debug)]
pub(super) struct Loki {
    pub url: String,
    pub access: LokiAccess,
    pub http: Client,
}

/// A log line as stored.
pub(super) struct Stored {
    pub nanos: i64,
    pub level: String,
    pub line: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    stream: serde_json::Map<String, Value>,
    /// Nanoseconds as text, line; newer versions add a third member.
    values: Vec<Vec<Value>>,
}

/// The search in `LogQL`. The stream selector is fixed, whatever the search text.
pub(super) fn query(search: &Search) -> String {
    // A JSON string is also a valid LogQL string.
    let quoted = |text: &str| Value::from(text).to_string();
    let mut query = r#"{service="holdfast""#.to_owned();
    if let Some(worst) = search.level {
        let levels: Vec<_> = Level::ALL.iter().filter(|level| **level <= worst).map(|level| level.as_str()).collect();
        let _ = write!(query, r#",level=~"{}""#, levels.join("|"));
    }
    query.push('}');
    if let Some(id) = &search.id {
        let either = format!(r#""(trace_id|request_id)":"{}""#, regex::escape(id));
        let _ = write!(query, " |= {} |~ {}", quoted(id), quoted(&either));
    }
    if let Some(text) = &search.text {
        let _ = write!(query, " |~ {}", quoted(text.as_str()));
    }
    query
}

impl Loki {
    /// Up to `limit` lines, newest first.
    pub(super) async fn search(&self, search: &Search, limit: usize) -> Result<Vec<Stored>, LogsError> {
        let parameters = [
            ("query", query(search)),
            ("start", search.from.to_string()),
            ("end", search.to.to_string()),
            ("limit", limit.to_string()),
            ("direction", "backward".to_owned()),
        ];
        let encoded = serde_html_form::to_string(&parameters).map_err(|e| LogsError::Loki(e.to_string()))?;
        let body = self.get(&format!("/loki/api/v1/query_range?{encoded}"), TIMEOUT).await?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|e| LogsError::Loki(format!("its answer cannot be read: {e}")))?;
        let mut found: Vec<Stored> = answer.data.result.into_iter().flat_map(Stream::lines).collect();
        found.sort_by_key(|line| std::cmp::Reverse(line.nanos));
        found.truncate(limit);
        Ok(found)
    }

    /// Whether it answers and accepts our credentials.
    pub(super) async fn ping(&self) -> Result<(), LogsError> {
        self.get("/loki/api/v1/labels", Duration::from_secs(4)).await.map(drop)
    }

    async fn get(&self, path: &str, timeout: Duration) -> Result<Vec<u8>, LogsError> {
        let request = self.access.apply(self.http.get(format!("{}{path}", self.url.trim_end_matches('/'))));
        let failed = |error: reqwest::Error| LogsError::Loki(chain(&error.without_url()));
        let mut response = request.timeout(timeout).send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BYTES {
                return Err(LogsError::Loki("its answer is too large: narrow the search".into()));
            }
        }
        if !response.status().is_success() {
            let text: String = String::from_utf8_lossy(&body).trim().chars().take(300).collect();
            return Err(LogsError::Loki(format!("{}: {text}", response.status())));
        }
        Ok(body)
    }
}

impl Stream {
    fn lines(self) -> Vec<Stored> {
        let level = self.stream.get("level").and_then(Value::as_str).unwrap_or_default().to_owned();
        let line = |value: Vec<Value>| {
            let nanos = value.first()?.as_str()?.parse().ok()?;
            Some(Stored { nanos, level: level.clone(), line: value.get(1)?.as_str()?.to_owned() })
        };
        self.values.into_iter().filter_map(line).collect()
    }
}
