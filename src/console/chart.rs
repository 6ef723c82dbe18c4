//! Charts of numbers that have a history: rendered on the server, with every value in a table below for those who do not see the picture.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::format::{Html, escape};
use super::{AnonymousShell, svg};

/// How the values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Bars,
    Stacked,
    Line,
}

/// What the values count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Tokens,
    Bytes,
    Seconds,
    /// In the currency of the configured prices, which has no name.
    Money,
    Percent,
}

/// The time from one value to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// One line of a chart, or one part of its bars.
#[derive(Clone, Debug)]
pub struct Series {
    pub label: String,
    /// One for each time of the chart; `None`: no value.
    pub values: Vec<Option<f64>>,
    /// `a`, `b`, `c`, `ok`, `warn` or `error`: a class of the stylesheet.
    pub tone: &'static str,
}

/// A chart. Print [`Chart::render`] with `|safe`.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Of its element; once on a page.
    pub id: &'a str,
    pub title: String,
    pub shape: Shape,
    pub unit: Unit,
    /// When each value begins, oldest first.
    pub at: Vec<DateTime<Utc>>,
    pub step: Step,
    pub series: Vec<Series>,
    /// Sums of the period before, for comparison.
    pub before: Option<Vec<Option<f64>>>,
    /// Where a bar leads.
    pub href: Option<fn(DateTime<Utc>) -> String>,
}

impl Chart<'_> {
    pub fn render(&self, shell: &AnonymousShell) -> Html {
        let sum = |slot: usize| -> f64 {
            self.series.iter().filter_map(|series| series.values.get(slot).copied().flatten()).sum()
        };
        let sums: Vec<f64> = (0..self.at.len()).map(sum).collect();
        let mut table = format!("<tr><th>{}</th>", escape(&shell.t("console-chart-time").to_string()));
        for series in &self.series {
            let _ = write!(table, "<th class=\"num\">{}</th>", escape(&series.label));
        }
        table.push_str("</tr>");
        for (slot, at) in self.at.iter().enumerate() {
            let _ = write!(table, "<tr><td>{}</td>", shell.time(at));
            for series in &self.series {
                let value = series.values.get(slot).copied().flatten();
                let text = value.map_or_else(|| "–".to_owned(), |value| self.value(shell, value));
                let _ = write!(table, "<td class=\"num\">{}</td>", escape(&text));
            }
            table.push_str("</tr>");
        }
        format!(
            "<figure class=\"chart\" id=\"{}\"><figcaption>{}</figcaption>{}<details class=\"chart-data\"><summary>{}</summary>\
             <div class=\"table-wrap\"><table class=\"table\">{table}</table></div></details></figure>",
            escape(self.id),
            escape(&self.title),
            svg::bars(&sums, &self.title),
            escape(&shell.t("console-chart-table").to_string()),
        )
    }

    /// A value with its unit.
    fn value(&self, shell: &AnonymousShell, value: f64) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "a figure on a page")]
        let whole = value.round() as i64;
        match self.unit {
            Unit::Count | Unit::Tokens => shell.number(whole),
            Unit::Bytes => shell.bytes(whole),
            Unit::Seconds => shell.duration(Some(value)),
            Unit::Money => format!("{value:.2}"),
            Unit::Percent => format!("{whole}\u{a0}%"),
        }
    }
}
