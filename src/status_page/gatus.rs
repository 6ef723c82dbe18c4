//! Monitors as Gatus shows them: the answers of its API, and its badges, so that what reads them there reads them here. Pure.
//!
//! Source: the handlers of TwiN/gatus v5 in `api/`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::badge;
use platform::label_enum;
use uptime::{Check, MonitorId, Outcome};

/// Results of a monitor that are kept.
pub const RESULTS: usize = 24;
/// Results on a page of Gatus's lists, where the caller says nothing.
const PAGE_SIZE: usize = 20;

const AWESOME: &str = "#40cc11";
const GREAT: &str = "#94cc11";
const GOOD: &str = "#ccd311";
const PASSABLE: &str = "#ccb311";
const BAD: &str = "#cc8111";
const VERY_BAD: &str = "#c7130a";

label_enum! {
    /// A time that Gatus knows figures of, the shortest first.
    #[derive(PartialOrd, Ord)]
    pub enum Window { Hour = "1h", Day = "24h", Week = "7d", Month = "30d" }
}

impl Window {
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|window| window.as_str() == name)
    }

    pub fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        }
    }
}

/// What Gatus says to another.
pub const BAD_WINDOW: &str = "Durations supported: 30d, 7d, 24h, 1h";

/// A monitor with everything that is asked for of it. Kept as JSON in `gatus.json` of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    pub monitor: MonitorId,
    pub key: String,
    pub name: String,
    pub group: String,
    /// Oldest first.
    pub results: Vec<Line>,
    /// In the order of [`Window::ALL`].
    pub windows: Vec<Figures>,
    /// Of 24 hours.
    pub hours: Vec<Latency>,
    /// Of 30 days.
    pub days: Vec<Latency>,
}

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub at: DateTime<Utc>,
    pub success: bool,
    pub code: Option<i16>,
    /// Microseconds.
    pub total: i32,
}

impl From<&Check> for Line {
    fn from(check: &Check) -> Self {
        let success = matches!(check.outcome, Outcome::Up | Outcome::Degraded);
        Self { at: check.at, success, code: check.code, total: check.total }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// 0 to 1; `None`: nothing is known.
    pub uptime: Option<f64>,
    /// The median, milliseconds.
    pub response: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    pub at: DateTime<Utc>,
    /// The median, milliseconds.
    pub response: Option<i64>,
}

impl Endpoint {
    pub fn figures(&self, window: Window) -> Figures {
        self.windows.get(window as usize).copied().unwrap_or_default()
    }

    /// As `/api/v1/endpoints/{key}/statuses` has it; in lists without the events.
    pub fn status(&self, page: usize, size: usize, with_events: bool) -> Value {
        // Gatus counts pages from the newest.
        let end = self.results.len().saturating_sub((page.max(1) - 1).saturating_mul(size));
        let shown = &self.results[end.saturating_sub(size)..end];
        let mut status =
            json!({ "name": self.name, "key": self.key, "results": shown.iter().map(result).collect::<Vec<_>>() });
        if !self.group.is_empty() {
            status["group"] = json!(self.group);
        }
        if with_events {
            status["events"] = self.events();
        }
        status
    }

    /// What the results show of changes.
    fn events(&self) -> Value {
        let mut events = Vec::new();
        let mut before = None;
        for line in &self.results {
            if before.is_none() {
                events.push(json!({ "type": "START", "timestamp": time(line.at) }));
            }
            if before != Some(line.success) {
                let kind = if line.success { "HEALTHY" } else { "UNHEALTHY" };
                events.push(json!({ "type": kind, "timestamp": time(line.at) }));
            }
            before = Some(line.success);
        }
        Value::Array(events)
    }

    fn health(&self) -> (&'static str, &'static str) {
        match self.results.last() {
            Some(line) if line.success => ("up", AWESOME),
            Some(_) => ("down", VERY_BAD),
            None => ("?", PASSABLE),
        }
    }

    pub fn health_badge(&self) -> String {
        let (word, color) = self.health();
        badge::svg("health", word, color)
    }

    /// Exactly Gatus's three words.
    pub fn health_shields(&self) -> Value {
        let (message, color) = self.health();
        json!({ "schemaVersion": 1, "label": "gatus", "message": message, "color": color })
    }

    /// 0 to 1 with six decimals.
    pub fn uptime(&self, window: Window) -> String {
        format!("{:.6}", self.figures(window).uptime.unwrap_or_default())
    }

    pub fn uptime_badge(&self, window: Window) -> String {
        let (text, color) = match self.figures(window).uptime {
            None => ("?".to_owned(), PASSABLE),
            Some(share) => {
                // Never rounded up.
                let text = format!("{:.2}", (share * 10_000.0 + 1e-6).floor() / 100.0);
                let text = text.trim_end_matches('0').trim_end_matches('.');
                (format!("{text}%"), uptime_color(share))
            }
        };
        badge::svg(&format!("uptime {}", window.as_str()), &text, color)
    }

    /// Milliseconds.
    pub fn response(&self, window: Window) -> String {
        self.figures(window).response.unwrap_or_default().to_string()
    }

    pub fn response_badge(&self, window: Window) -> String {
        let (text, color) = match self.figures(window).response {
            None => ("?".to_owned(), PASSABLE),
            Some(ms) => (format!("{ms}ms"), response_color(ms)),
        };
        badge::svg(&format!("response time {}", window.as_str()), &text, color)
    }

    /// As `/response-times/{d}/history` has it: milliseconds since 1970, and the medians.
    pub fn history(&self, window: Window) -> Value {
        let known: Vec<(i64, i64)> =
            self.points(window).filter_map(|p| Some((p.at.timestamp_millis(), p.response?))).collect();
        let (timestamps, values): (Vec<i64>, Vec<i64>) = known.into_iter().unzip();
        json!({ "timestamps": timestamps, "values": values })
    }

    fn points(&self, window: Window) -> impl Iterator<Item = &Latency> {
        let (all, most) = match window {
            Window::Hour => (&self.hours, 1),
            Window::Day => (&self.hours, 24),
            Window::Week => (&self.days, 7),
            Window::Month => (&self.days, 30),
        };
        all.iter().skip(all.len().saturating_sub(most))
    }

    /// A line of the medians.
    pub fn chart(&self, window: Window) -> String {
        const WIDTH: f64 = 640.0;
        const HEIGHT: f64 = 160.0;
        let points: Vec<&Latency> = self.points(window).collect();
        let top = points.iter().filter_map(|point| point.response).max().unwrap_or_default().max(1);
        let step = WIDTH / points.len().saturating_sub(1).max(1) as f64;
        let (mut line, mut begins) = (String::new(), true);
        for (index, point) in points.iter().enumerate() {
            // A gap stays a gap.
            let Some(response) = point.response else {
                begins = true;
                continue;
            };
            let y = HEIGHT - 10.0 - response as f64 / top as f64 * (HEIGHT - 20.0);
            let _ = write!(line, "{}{:.1} {y:.1}", if begins { 'M' } else { 'L' }, index as f64 * step);
            begins = false;
        }
        let label = format!("{}: response time of {}, at most {top} ms", console::escape(&self.name), window.as_str());
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 160" role="img" aria-label="{label}"><title>{label}</title><path fill="#fff" d="M0 0h640v160H0z"/><path fill="none" stroke="#1a7f37" stroke-width="2" d="{line}"/><text x="4" y="12" font-family="Verdana,sans-serif" font-size="11" fill="#444">{top} ms</text></svg>"##
        )
    }
}

fn result(line: &Line) -> Value {
    let mut result = json!({
        "status": line.code.unwrap_or_default(),
        "duration": i64::from(line.total) * 1000,
        "conditionResults": [{ "condition": "[CONNECTED] == true", "success": line.success }],
        "success": line.success,
        "timestamp": time(line.at),
    });
    if !line.success {
        // What went wrong names hosts and addresses: it is not for strangers.
        result["errors"] = json!(["the check failed"]);
    }
    result
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn uptime_color(share: f64) -> &'static str {
    match share {
        s if s >= 0.975 => AWESOME,
        s if s >= 0.95 => GREAT,
        s if s >= 0.9 => GOOD,
        s if s >= 0.8 => PASSABLE,
        s if s >= 0.65 => BAD,
        _ => VERY_BAD,
    }
}

fn response_color(ms: i64) -> &'static str {
    match ms {
        ..=50 => AWESOME,
        51..=200 => GREAT,
        201..=300 => GOOD,
        301..=500 => PASSABLE,
        501..=750 => BAD,
        _ => VERY_BAD,
    }
}

/// Which part of a list is asked for: `page` and `pageSize`, as Gatus bounds them.
pub fn paging(page: Option<&str>, size: Option<&str>) -> (usize, usize) {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok()).filter(|n| *n > 0);
    (number(page).unwrap_or(1), number(size).unwrap_or(PAGE_SIZE).min(RESULTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(results: &[bool]) -> Endpoint {
        let at = |n: usize| DateTime::from_timestamp(1_800_000_000 + 60 * i64::try_from(n).unwrap(), 0).unwrap();
        let line = |(n, ok): (usize, &bool)| Line { at: at(n), success: *ok, code: Some(200), total: 12_345 };
        Endpoint {
            monitor: MonitorId(uuid::Uuid::nil()),
            key: "core_api".into(),
            name: "api".into(),
            group: "core".into(),
            results: results.iter().enumerate().map(line).collect(),
            windows: vec![Figures { uptime: Some(0.999_96), response: Some(201) }; 4],
            hours: vec![Latency { at: at(0), response: Some(10) }, Latency { at: at(60), response: None }],
            days: Vec::new(),
        }
    }

    #[test]
    fn pages_count_from_the_newest() {
        let all = endpoint(&[true, false, true, true, true]);
        let codes = |page, size| all.status(page, size, false)["results"].as_array().unwrap().len();
        assert_eq!((codes(1, 2), codes(3, 2), codes(4, 2)), (2, 1, 0));
        let newest = all.status(1, 1, true);
        assert_eq!(newest["results"][0]["timestamp"], time(all.results[4].at));
        let kinds: Vec<_> = newest["events"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["START", "HEALTHY", "UNHEALTHY", "HEALTHY"]);
        assert_eq!(paging(Some("0"), Some("1000")), (1, RESULTS));
        assert_eq!(paging(None, Some("x")), (1, PAGE_SIZE));
    }

    #[test]
    fn badges_have_gatus_words_and_colours() {
        let up = endpoint(&[true]);
        assert_eq!(up.health_shields(), json!({"schemaVersion":1,"label":"gatus","message":"up","color":"#40cc11"}));
        assert_eq!(endpoint(&[false]).health_shields()["message"], "down");
        assert_eq!(endpoint(&[]).health_shields()["message"], "?");
        assert!(up.uptime_badge(Window::Week).contains("99.99%"), "not rounded up");
        assert_eq!(up.uptime(Window::Day), "0.999960");
        assert!(up.response_badge(Window::Day).contains(GOOD) && up.response(Window::Day) == "201");
        assert_eq!(up.history(Window::Day)["values"], json!([10]));
        assert!(up.chart(Window::Day).contains("<path"));
        assert_eq!(Window::named("2d"), None);
    }

    #[test]
    fn errors_are_not_shown_to_strangers() {
        let down = endpoint(&[false]).status(1, 20, false);
        assert_eq!(down["results"][0]["errors"], json!(["the check failed"]));
        assert_eq!(down["results"][0]["duration"], 12_345_000);
        assert!(down["results"][0].get("hostname").is_none());
    }
}
