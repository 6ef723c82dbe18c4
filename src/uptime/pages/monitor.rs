//! One monitor: how it is, how it was, and what can be done with it.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{bars, degraded_name, kind_name, micros, percent, phases, status_name};
use crate::{
    Availability, Check, DayTotal, Degraded, Kind, ManagedBy, MonitorDetail, MonitorId, Observation, Outcome, Owner,
    Point, READ, Span, Status, Step, Uptime, UptimeError, WRITE, service::MonitorWithToken,
    store::history::CheckFilter,
};
use console::{Flash, Form, Html, Nothing, PageResult, Shell, svg};
use platform::{
    error::ApiError,
    http::{Path, Query, Slice},
};

const PATH: &str = "/monitors";
/// Checks and spans that are shown.
const LAST: i64 = 20;

/// Which time the chart shows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    time: String,
}

/// Times that the chart can show: name, how long, in which steps.
const TIMES: [(&str, i64, Step); 3] = [("24h", 1, Step::Minute), ("7d", 7, Step::Hour), ("90d", 90, Step::Day)];

/// What the page of a monitor shows besides its settings.
#[derive(Clone)]
struct Known {
    /// Of the last day, the last 7, 30 and 90.
    availability: Vec<(i64, Availability)>,
    days: Vec<DayTotal>,
    points: Vec<Point>,
    checks: Vec<Check>,
    spans: Vec<Span>,
    parent: Option<String>,
}

#[derive(Template)]
#[template(path = "uptime/templates/show.html")]
struct Show<'a> {
    shell: &'a Shell,
    detail: MonitorDetail,
    known: Known,
    time: &'static str,
    /// What was found by a check by hand just now.
    found: Option<Observation>,
    /// The token that was made just now: shown only once.
    made: Option<MonitorWithToken>,
}

impl Show<'_> {
    fn status(&self, status: impl Borrow<Status>) -> String {
        status_name(self.shell, *status.borrow())
    }

    fn kind(&self) -> String {
        kind_name(self.shell, self.detail.monitor.kind)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn degraded(&self, degraded: &Degraded) -> String {
        degraded_name(self.shell, *degraded)
    }

    fn outcome(&self, outcome: impl Borrow<Outcome>) -> String {
        self.shell.t(format!("uptime-outcome-{}", outcome.borrow().as_str())).to_string()
    }

    fn cause(&self, span: &Span) -> String {
        self.shell.t(format!("uptime-cause-{}", span.cause.as_str().replace('_', "-"))).to_string()
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn share(&self, availability: &Availability) -> String {
        availability.share.map_or_else(|| "–".to_owned(), percent)
    }

    fn is_by_file(&self) -> bool {
        self.detail.monitor.managed_by == Some(ManagedBy::File)
    }

    fn is_builtin(&self) -> bool {
        self.detail.monitor.managed_by == Some(ManagedBy::Builtin)
    }

    fn is_heartbeat(&self) -> bool {
        self.detail.monitor.kind == Kind::Heartbeat
    }

    /// What answers a form has another address: its live part would be asked for in vain.
    fn is_live(&self) -> bool {
        self.found.is_none() && self.made.is_none()
    }

    fn can_change(&self) -> bool {
        self.shell.is_admin()
    }

    /// Those of the file only when it has them no more.
    fn can_delete(&self) -> bool {
        let is_gone = self.detail.monitor.removed_at.is_some();
        self.can_change() && !self.is_builtin() && (!self.is_by_file() || is_gone)
    }

    fn bars(&self) -> Html {
        bars(self.shell, &self.known.days.iter().collect::<Vec<_>>())
    }

    /// Median and 95 % of the time that is shown, one above the other.
    fn charts(&self) -> Vec<(String, Html, String)> {
        let of = |key: &str, value: fn(&Point) -> Option<i32>| {
            let values: Vec<f64> = self.known.points.iter().filter_map(value).map(|us| f64::from(us) / 1e6).collect();
            let label = self.shell.t(key).to_string();
            let last = self.shell.duration(values.last().copied());
            (label.clone(), svg::sparkline(&values, &label), last)
        };
        vec![of("uptime-median", |point| point.p50), of("uptime-p95", |point| point.p95.or(point.slowest))]
    }

    /// Microseconds.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn duration(&self, us: &i32) -> String {
        micros(self.shell, *us)
    }

    /// Phases with their lengths, of a check by hand.
    fn phases(&self, observation: &Observation) -> Vec<(String, String)> {
        phases(self.shell, observation)
    }

    /// What the text beside the status is.
    fn why(&self) -> String {
        let monitor = &self.detail.monitor;
        let is_well = monitor.status == Status::Up && monitor.degraded.is_none();
        self.shell.t(if is_well { "uptime-note" } else { "uptime-reason" }).to_string()
    }

    fn spec(&self) -> String {
        serde_json::to_string_pretty(&self.detail.spec).unwrap_or_default()
    }

    fn interval(&self) -> String {
        self.shell.duration(Some(f64::from(self.detail.monitor.interval_seconds)))
    }

    fn timeout(&self) -> String {
        self.shell.duration(Some(f64::from(self.detail.timeout_ms) / 1000.0))
    }

    /// Seconds.
    fn lasted(&self, span: &Span) -> String {
        span.ends_at.map_or_else(String::new, |end| self.shell.duration(Some((end - span.starts_at).as_seconds_f64())))
    }

    fn target(&self) -> String {
        self.detail.target.map_or_else(String::new, percent)
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn times(&self) -> [&'static str; 3] {
        TIMES.map(|(name, _, _)| name)
    }

    /// Ends of certificate and domain, with their names.
    fn ends(&self) -> Vec<(String, DateTime<Utc>)> {
        let monitor = &self.detail.monitor;
        let all =
            [("uptime-certificate-ends", monitor.certificate_ends_at), ("uptime-domain-ends", monitor.domain_ends_at)];
        all.into_iter().filter_map(|(key, at)| Some((self.shell.t(key).to_string(), at?))).collect()
    }
}

async fn known(uptime: &Uptime, shell: &Shell, detail: &MonitorDetail, time: (i64, Step)) -> Result<Known, ApiError> {
    let (id, who) = (detail.monitor.id, shell.principal());
    let now = uptime.now();
    let owner = if detail.monitor.installation { Owner::Installation } else { Owner::Org(who.org_id) };
    let (mut tx, _) = uptime.own_number(who, id).await?;
    let mut availability = Vec::new();
    for days in [1, 7, 30, 90] {
        availability.push((days, uptime.availability(&mut tx, id, now - TimeDelta::days(days), now).await?));
    }
    let (length, step) = time;
    let points = uptime.series(&mut tx, id, step, now - TimeDelta::days(length), now).await?;
    let parent = match detail.monitor.parent_id {
        Some(parent) => uptime.monitors(&mut tx, &[parent]).await?.pop().map(|parent| parent.name),
        None => None,
    };
    drop(tx);
    let days = uptime.last_days(owner, &[id], 90).await?;
    let checks = uptime.checks(who, id, &CheckFilter::default(), &Slice::first(LAST)).await?;
    let spans = uptime.spans(who, id, &Slice::first(LAST)).await?;
    Ok(Known { availability, days, points, checks, spans, parent })
}

pub(super) async fn render(
    shell: &Shell,
    uptime: &Uptime,
    id: MonitorId,
    time: &str,
    (found, made): (Option<Observation>, Option<MonitorWithToken>),
) -> PageResult {
    shell.principal().require(READ)?;
    let (name, length, step) = TIMES.into_iter().find(|(name, _, _)| *name == time).unwrap_or(TIMES[0]);
    let read = async {
        let detail = uptime.get_monitor(shell.principal(), id).await?;
        let known = known(uptime, shell, &detail, (length, step)).await?;
        Ok::<_, ApiError>((detail, known))
    };
    let (detail, known) = shell.shared(read).await?;
    shell.render(&Show { shell, detail, known, time: name, found, made })
}

pub(super) async fn show(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Query(view): Query<View>,
) -> PageResult {
    render(&shell, &uptime, id, &view.time, (None, None)).await
}

pub(super) async fn check(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    match uptime.check_now(shell.principal(), id).await {
        Ok(found) => render(&shell, &uptime, id, "", (Some(found), None)).await,
        Err(UptimeError::Busy) => Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::warn("uptime-check-busy"))),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn pause(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    uptime.pause_monitor(shell.principal(), id, true).await?;
    Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("uptime-paused")))
}

pub(super) async fn resume(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    uptime.pause_monitor(shell.principal(), id, false).await?;
    Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("uptime-resumed")))
}

pub(super) async fn renew_token(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let made = uptime.renew_token(shell.principal(), id).await?;
    render(&shell, &uptime, id, "", (None, Some(made))).await
}

pub(super) async fn delete(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    uptime.delete_monitor(shell.principal(), id).await?;
    Ok(shell.redirect(PATH, &Flash::ok("uptime-deleted")))
}
