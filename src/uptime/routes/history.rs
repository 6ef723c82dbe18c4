//! What is known of a monitor over time: single checks, spans, charts, availability.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Availability, Check, MonitorId, Outcome, Point, READ, Span, Step, Uptime, store::history::CheckFilter};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Filter of single checks.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Checks {
    from: Option<DateTime<Utc>>,
    /// Not in it any more.
    until: Option<DateTime<Utc>>,
    outcome: Option<Outcome>,
}

/// Single checks of a monitor, newest first; kept for some days
#[utoipa::path(get, path = "/api/v1/uptime/monitors/{id}/checks", tag = "Uptime", params(("id" = MonitorId, Path), ListQuery, Checks),
    responses((status = 200, body = Page<Check>), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn list_monitor_checks(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<Checks>,
) -> Result<Json<Page<Check>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice::<i64>()?;
    let Checks { from, until, outcome } = filter;
    let rows = uptime.checks(&who, id, &CheckFilter { from, until, outcome }, &slice).await?;
    Ok(Json(slice.page(rows, |check| check.at.timestamp_micros())))
}

/// Times during which the status of a monitor did not change, newest first
#[utoipa::path(get, path = "/api/v1/uptime/monitors/{id}/spans", tag = "Uptime", params(("id" = MonitorId, Path), ListQuery),
    responses((status = 200, body = Page<Span>), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn list_monitor_spans(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Span>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let rows = uptime.spans(&who, id, &slice).await?;
    Ok(Json(slice.page(rows, |span| span.id.0)))
}

/// Between which times, in which steps.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct SeriesQuery {
    /// Left out: a day before `until`.
    from: Option<DateTime<Utc>>,
    /// Left out: now. At most 10 000 steps after `from`.
    until: Option<DateTime<Utc>>,
    /// Left out: minutes. Days are those of UTC.
    step: Option<Step>,
}

/// Points of a chart.
#[derive(Serialize, ToSchema)]
#[schema(as = UptimeSeries)]
pub(super) struct Series {
    step: Step,
    /// Oldest first; times without a check have none.
    data: Vec<Point>,
}

/// Counts and percentiles of a monitor's checks by minute, hour or day
#[utoipa::path(get, path = "/api/v1/uptime/monitors/{id}/series", tag = "Uptime", params(("id" = MonitorId, Path), SeriesQuery),
    responses((status = 200, body = Series), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn get_monitor_series(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
    Query(query): Query<SeriesQuery>,
) -> Result<Json<Series>, ApiError> {
    who.require(READ)?;
    let until = query.until.unwrap_or_else(|| uptime.now());
    let from = query.from.unwrap_or(until - TimeDelta::days(1));
    let step = query.step.unwrap_or(Step::Minute);
    let (mut tx, _) = uptime.own_number(&who, id).await?;
    let data = uptime.series(&mut tx, id, step, from, until).await?;
    Ok(Json(Series { step, data }))
}

/// Between which times.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Between {
    /// Left out: 30 days before `until`.
    from: Option<DateTime<Utc>>,
    /// Left out: now. What is to come does not count.
    until: Option<DateTime<Utc>>,
}

/// The availability of a monitor between any two times
#[utoipa::path(get, path = "/api/v1/uptime/monitors/{id}/uptime", tag = "Uptime", params(("id" = MonitorId, Path), Between),
    responses((status = 200, body = Availability), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn get_monitor_availability(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
    Query(query): Query<Between>,
) -> Result<Json<Availability>, ApiError> {
    who.require(READ)?;
    let until = query.until.unwrap_or_else(|| uptime.now());
    let from = query.from.unwrap_or(until - TimeDelta::days(30));
    let (mut tx, _) = uptime.own_number(&who, id).await?;
    Ok(Json(uptime.availability(&mut tx, id, from, until).await?))
}
