//! The availability of a month: as model, CSV and HTML. Maintenance that does not count is left out and stated. Pure.

use std::borrow::Borrow;

use askama::Template;
use chrono::{DateTime, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Sketch,
    spans::{Stretch, Sums, begin_of},
};
use crate::model::{MonitorId, Status};
use console::Lang;

/// A month in a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    first: NaiveDate,
    pub zone: Tz,
}

impl Month {
    /// `2026-11`
    pub fn parse(text: &str, zone: Tz) -> Option<Self> {
        let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()?;
        // What is written otherwise, such as 2026-1, is no month.
        (first.format("%Y-%m").to_string() == text).then_some(Self { first, zone })
    }

    pub fn of(at: DateTime<Utc>, zone: Tz) -> Self {
        use chrono::Datelike as _;
        let day = at.with_timezone(&zone).date_naive();
        Self { first: day.with_day(1).unwrap_or(day), zone }
    }

    pub fn text(self) -> String {
        self.first.format("%Y-%m").to_string()
    }

    /// First day, and the first day of the next month.
    pub fn days(self) -> (NaiveDate, NaiveDate) {
        (self.first, self.first.checked_add_months(Months::new(1)).unwrap_or(self.first))
    }

    pub fn bounds(self) -> (DateTime<Utc>, DateTime<Utc>) {
        let (first, next) = self.days();
        (begin_of(first, self.zone), begin_of(next, self.zone))
    }

    pub fn before(self) -> Option<Self> {
        Some(Self { first: self.first.checked_sub_months(Months::new(1))?, ..self })
    }
}

/// A time of an outage or of maintenance, as far as it is in the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UptimeReportTime)]
pub struct Time {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub seconds: i64,
}

/// A monitor's month.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UptimeReportRow)]
pub struct Row {
    pub monitor_id: MonitorId,
    pub key: String,
    pub name: String,
    /// `up / (up + down)`, 0 to 1; null where neither is known.
    pub share: Option<f64>,
    pub target: Option<f64>,
    /// Null without a target, or where nothing is known.
    pub is_met: Option<bool>,
    /// Seconds.
    pub up: i64,
    pub down: i64,
    /// Left out of the share.
    pub maintenance: i64,
    /// Not checked: left out of the share.
    pub unknown: i64,
    /// Seconds that may still be down by the target; negative: more were. Null without a target.
    pub budget_left: Option<i64>,
    pub outages: i32,
    pub down_times: Vec<Time>,
    pub maintenance_times: Vec<Time>,
    pub checks: i64,
    /// Of those that succeeded, microseconds; by days of UTC.
    pub p50: Option<i32>,
    pub p95: Option<i32>,
    pub p99: Option<i32>,
}

/// A month of several monitors.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UptimeReport)]
pub struct Report {
    /// Such as `2026-11`.
    pub month: String,
    pub zone: String,
    pub from: DateTime<Utc>,
    /// Of the current month: until now.
    pub until: DateTime<Utc>,
    pub monitors: Vec<Row>,
}

/// What is known of a monitor.
#[derive(Clone, Debug)]
pub struct Input {
    pub id: MonitorId,
    pub key: String,
    pub name: String,
    pub target: Option<f64>,
    /// By time.
    pub stretches: Vec<Stretch>,
    pub existed_from: DateTime<Utc>,
    pub checks: i64,
    pub sketch: Sketch,
}

/// A monitor's month, from `from` to `until`.
pub fn row(input: &Input, from: DateTime<Utc>, until: DateTime<Utc>) -> Row {
    let from = from.max(input.existed_from).min(until);
    let sums = Sums::between(&input.stretches, from, until);
    let [up, down, maintenance, unknown] = sums.seconds();
    let share = sums.share();
    Row {
        monitor_id: input.id,
        key: input.key.clone(),
        name: input.name.clone(),
        share,
        target: input.target,
        is_met: share.zip(input.target).map(|(share, target)| share >= target),
        up,
        down,
        maintenance,
        unknown,
        budget_left: input.target.map(|target| sums.budget_left(target)),
        outages: sums.outages,
        down_times: times(&input.stretches, Status::Down, from, until),
        maintenance_times: times(&input.stretches, Status::Maintenance, from, until),
        checks: input.checks,
        p50: input.sketch.quantile(0.5),
        p95: input.sketch.quantile(0.95),
        p99: input.sketch.quantile(0.99),
    }
}

fn times(stretches: &[Stretch], status: Status, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Time> {
    let of_status = stretches.iter().filter(|stretch| stretch.status == status);
    let clipped = of_status.map(|stretch| (stretch.from.max(from), stretch.until.min(until)));
    let within = clipped.filter(|(from, until)| from < until);
    within.map(|(from, until)| Time { from, until, seconds: (until - from).num_seconds() }).collect()
}

impl Report {
    /// With a line of names. Seconds are whole, shares have six digits.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record([
            "month",
            "zone",
            "key",
            "name",
            "share",
            "target",
            "is_met",
            "up_seconds",
            "down_seconds",
            "maintenance_seconds",
            "unknown_seconds",
            "budget_left_seconds",
            "outages",
            "checks",
            "p50_us",
            "p95_us",
            "p99_us",
        ])?;
        let share = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{share:.6}"));
        let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        for row in &self.monitors {
            let latency = |us: Option<i32>| number(us.map(i64::from));
            csv.write_record([
                self.month.clone(),
                self.zone.clone(),
                harmless(&row.key),
                harmless(&row.name),
                share(row.share),
                row.target.map_or_else(String::new, |target| target.to_string()),
                row.is_met.map_or_else(String::new, |is_met| is_met.to_string()),
                row.up.to_string(),
                row.down.to_string(),
                row.maintenance.to_string(),
                row.unknown.to_string(),
                number(row.budget_left),
                row.outages.to_string(),
                row.checks.to_string(),
                latency(row.p50),
                latency(row.p95),
                latency(row.p99),
            ])?;
        }
        csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }

    /// A document of its own, to read, to print and to send.
    pub fn html(&self, lang: Lang) -> Result<String, askama::Error> {
        Page { report: self, lang, words: Words::of(lang) }.render()
    }
}

/// A text that programs for tables do not take for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[derive(Template)]
#[template(path = "uptime/templates/report_document.html")]
struct Page<'a> {
    report: &'a Report,
    lang: Lang,
    words: Words,
}

impl Page<'_> {
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn share(&self, share: impl Borrow<Option<f64>>) -> String {
        share.borrow().map_or_else(|| "–".to_owned(), crate::pages::percent)
    }

    /// `3 d 4 h 5 min`, `12 s`; of a negative one with its sign.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn length(&self, seconds: &i64) -> String {
        let (sign, seconds) = if *seconds < 0 { ("−", -seconds) } else { ("", *seconds) };
        let parts = [
            (seconds / 86_400, self.words.day),
            (seconds / 3600 % 24, self.words.hour),
            (seconds / 60 % 60, self.words.minute),
        ];
        let mut text: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}\u{a0}{unit}")).collect();
        if text.is_empty() || (seconds < 3600 && seconds % 60 > 0) {
            text.push(format!("{}\u{a0}{}", seconds % 60, self.words.second));
        }
        format!("{sign}{}", text.join(" "))
    }

    /// In the zone of the report.
    fn time(&self, at: &DateTime<Utc>) -> String {
        let zone: Tz = self.report.zone.parse().unwrap_or(Tz::UTC);
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn latency(&self, us: impl Borrow<Option<i32>>) -> String {
        us.borrow().map_or_else(|| "–".to_owned(), |us| format!("{}\u{a0}{}", us / 1000, self.words.millisecond))
    }

    fn code(&self) -> &'static str {
        self.lang.code()
    }
}

/// Words of the document: it leaves the console, and is read without it.
struct Words {
    title: &'static str,
    explained: &'static str,
    monitor: &'static str,
    share: &'static str,
    target: &'static str,
    met: &'static str,
    missed: &'static str,
    down: &'static str,
    outages: &'static str,
    maintenance: &'static str,
    unknown: &'static str,
    budget: &'static str,
    latency: &'static str,
    details: &'static str,
    none: &'static str,
    day: &'static str,
    hour: &'static str,
    minute: &'static str,
    second: &'static str,
    millisecond: &'static str,
}

impl Words {
    fn of(lang: Lang) -> Self {
        match lang {
            Lang::En => Self {
                title: "Availability",
                explained: "Availability is the time up by the time up and down. Maintenance and times without checks are left out of it, and stated.",
                monitor: "Monitor",
                share: "Availability",
                target: "Target",
                met: "met",
                missed: "missed",
                down: "Down",
                outages: "Outages",
                maintenance: "Maintenance, left out",
                unknown: "Not checked, left out",
                budget: "Error budget left",
                latency: "Median, 95 %, 99 %",
                details: "Outages and maintenance",
                none: "None.",
                day: "d",
                hour: "h",
                minute: "min",
                second: "s",
                millisecond: "ms",
            },
            Lang::Ru => Self {
                title: "Доступность",
                explained: "Доступность — отношение времени работы ко времени работы и простоя. Обслуживание и время без проверок не учтены и указаны отдельно.",
                monitor: "Монитор",
                share: "Доступность",
                target: "Цель",
                met: "достигнута",
                missed: "не достигнута",
                down: "Простой",
                outages: "Сбои",
                maintenance: "Обслуживание, не учтено",
                unknown: "Без проверок, не учтено",
                budget: "Остаток бюджета ошибок",
                latency: "Медиана, 95 %, 99 %",
                details: "Сбои и обслуживание",
                none: "Нет.",
                day: "д",
                hour: "ч",
                minute: "мин",
                second: "с",
                millisecond: "мс",
            },
        }
    }
}
