//! The availability of a month.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{Whose, percent};
use crate::{
    READ, Uptime,
    history::report::{Month, Report, Row},
    routes::{owner, reports::zone},
};
use console::{PageResult, Shell};
use platform::http::Query;

/// Which month.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    month: String,
    zone: String,
}

#[derive(Template)]
#[template(path = "uptime/templates/reports.html")]
struct Show<'a> {
    shell: &'a Shell,
    report: Report,
    before: String,
    zone: String,
    whose: Whose,
    operator: bool,
}

impl Show<'_> {
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn share(&self, row: &Row) -> String {
        row.share.map_or_else(|| "–".to_owned(), percent)
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn target(&self, row: &Row) -> String {
        row.target.map_or_else(|| "–".to_owned(), percent)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn length(&self, seconds: &i64) -> String {
        self.shell.duration(Some(*seconds as f64))
    }

    /// Of the error budget.
    fn left(&self, row: &Row) -> String {
        let sign = |seconds: i64| if seconds < 0 { "−" } else { "" };
        row.budget_left.map_or_else(
            || "–".to_owned(),
            |left| format!("{}{}", sign(left), self.shell.duration(Some(left.unsigned_abs() as f64))),
        )
    }

    /// The same report in another form.
    fn download(&self, format: &str) -> String {
        let installation = if self.whose.is_installation() { "&installation=true" } else { "" };
        let (month, lang) = (&self.report.month, self.shell.lang().code());
        format!("/api/v1/uptime/reports?month={month}&zone={}&format={format}&lang={lang}{installation}", self.zone)
    }
}

pub(super) async fn show(
    shell: Shell,
    State(uptime): State<Uptime>,
    Query(wanted): Query<Wanted>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let of = owner(&uptime, shell.principal(), READ, whose.is_installation())?;
    let tz = zone(&wanted.zone)?;
    let month = Month::parse(&wanted.month, tz).unwrap_or_else(|| Month::of(uptime.now(), tz));
    let report = uptime.report(of, month, &[]).await?;
    let before = month.before().map_or_else(String::new, Month::text);
    let operator = shell.principal().is_operator();
    shell.render(&Show { shell: &shell, report, before, zone: tz.name().to_owned(), whose, operator })
}
