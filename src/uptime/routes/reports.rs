//! `/api/v1/uptime/reports`

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use chrono_tz::Tz;
use serde::Deserialize;
use utoipa::IntoParams;

use super::owner;
use crate::{
    MonitorId, READ, Uptime, UptimeError,
    history::report::{Month, Report},
};
use console::Lang;
use platform::{
    error::ApiError,
    http::{Auth, Json, Query},
    text_enum,
};

/// The document has its own style and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

text_enum! {
    /// Form of a report.
    #[schema(as = UptimeReportFormat)]
    #[derive(Default)]
    pub enum Format {
        #[default]
        Json = "json",
        Csv = "csv",
        Html = "html",
    }
}

/// What a report is about.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct ReportQuery {
    /// Such as `2026-11`; left out: the current one.
    #[param(required = false)]
    month: String,
    /// Time zone in which the month begins and ends; left out: UTC.
    #[param(required = false)]
    zone: String,
    /// Ids of monitors, with commas between them; left out: all.
    #[param(required = false)]
    monitors: String,
    format: Option<Format>,
    /// Of the HTML: `en` or `ru`.
    #[param(required = false)]
    lang: String,
    /// Of the installation instead of the organisation; operators only.
    #[param(required = false)]
    installation: bool,
}

/// The availability of a month, with maintenance left out and stated
#[utoipa::path(get, path = "/api/v1/uptime/reports", tag = "Uptime", params(ReportQuery),
    responses((status = 200, body = Report), (status = 403), (status = 422)))]
pub(super) async fn get_uptime_report(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Query(query): Query<ReportQuery>,
) -> Result<Response, ApiError> {
    let owner = owner(&uptime, &who, READ, query.installation)?;
    let zone = zone(&query.zone)?;
    let month = match query.month.as_str() {
        "" => Month::of(uptime.now(), zone),
        text => Month::parse(text, zone)
            .ok_or_else(|| UptimeError::invalid("/month", "invalid", "expected a month such as 2026-11"))?,
    };
    let mut ids: Vec<MonitorId> = Vec::new();
    for id in query.monitors.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        ids.push(id.parse().map_err(|_| UptimeError::invalid("/monitors", "invalid", format!("{id:?} is no id")))?);
    }
    let report = uptime.report(owner, month, &ids).await?;
    Ok(match query.format.unwrap_or_default() {
        Format::Json => Json(report).into_response(),
        Format::Csv => {
            let name = format!("attachment; filename=\"uptime-{}.csv\"", report.month);
            let disposition = HeaderValue::from_str(&name).map_err(ApiError::internal)?;
            let kind = HeaderValue::from_static("text/csv; charset=utf-8");
            let bytes = report.csv().map_err(ApiError::internal)?;
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
        }
        Format::Html => {
            let lang = Lang::from_code(&query.lang).unwrap_or(Lang::En);
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            let policy = HeaderValue::from_static(POLICY);
            let html = report.html(lang).map_err(ApiError::internal)?;
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, policy)], html).into_response()
        }
    })
}

/// A time zone; empty: UTC.
pub(crate) fn zone(text: &str) -> Result<Tz, ApiError> {
    let text = if text.is_empty() { "UTC" } else { text };
    let wrong = |_| UptimeError::invalid("/zone", "invalid", format!("{text:?} is no time zone such as Europe/Berlin"));
    Ok(text.parse().map_err(wrong)?)
}
