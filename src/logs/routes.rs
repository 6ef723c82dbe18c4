//! `/api/v1/logs`, for operators; `/log-level` and `/recent-lines` on the ops port.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    routing::get,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Logs,
    model::{LogPage, LogQuery},
};
use platform::{
    crypto,
    error::{ApiError, FieldError},
    http::{Auth, Json, ListQuery, Principal, Query, decode},
    telemetry::levels::{LevelStatus, MOST_SECONDS},
};

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Logs> {
    OpenApiRouter::new().routes(routes!(search_logs))
}

/// For the ops port, which has no sign-in: any user of this host may reach it, and so may every container beside this one. What shows
/// users' activity or changes something requires a token (`http::ops_token`).
pub fn ops_router() -> Router<Logs> {
    Router::new().route("/log-level", get(get_level).put(set_level)).route("/recent-lines", get(recent_lines))
}

fn require_token(logs: &Logs, headers: &HeaderMap) -> Result<(), ApiError> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if shown.is_some_and(|shown| crypto::constant_time_eq(shown.as_bytes(), logs.0.deps.ops_token.as_bytes())) {
        return Ok(());
    }
    let words = "this requires the installation's key: use `holdfast support-bundle` or `holdfast log-level`";
    Err(ApiError::unauthorized(words))
}

/// The recent lines of this process, oldest first: one JSON object per line.
async fn recent_lines(State(logs): State<Logs>, headers: HeaderMap) -> Result<String, ApiError> {
    require_token(&logs, &headers)?;
    let lines = logs.0.deps.logger.recent.all();
    Ok(lines.iter().fold(String::new(), |all, line| all + &line.json + "\n"))
}

/// Operators only: lines are from all organisations.
pub(super) fn require(who: &Principal) -> Result<(), ApiError> {
    who.require_operator("see its logs")
}

/// Search the log, newest lines first: in Loki where configured, else in the recent lines of this process.
#[utoipa::path(get, path = "/api/v1/logs", tag = "Logs",
    params(ListQuery, LogQuery, ("q" = Option<String>, Query, description = "A text anywhere in the line; case is ignored.")),
    responses((status = 200, body = LogPage), (status = 403), (status = 422), (status = 502)))]
async fn search_logs(
    State(logs): State<Logs>,
    Auth(who): Auth,
    Query(list): Query<ListQuery>,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogPage>, ApiError> {
    require(&who)?;
    Ok(Json(logs.search(&list, &query).await?))
}

async fn get_level(State(logs): State<Logs>) -> Json<LevelStatus> {
    Json(logs.0.deps.logger.levels.status())
}

/// A change of the log filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelChange {
    /// A level, or levels by module; `default` restores the configured filter.
    filter: String,
    /// Seconds until the configured filter is restored.
    #[serde(default = "ten_minutes")]
    for_seconds: u64,
}

fn ten_minutes() -> u64 {
    600
}

async fn set_level(State(logs): State<Logs>, headers: HeaderMap, body: Bytes) -> Result<Json<LevelStatus>, ApiError> {
    require_token(&logs, &headers)?;
    let change: LevelChange = decode(&body)?;
    let refuse = |field: &str, code, why: String| ApiError::validation(vec![FieldError::new(field, code, why)]);
    if !(1..=MOST_SECONDS).contains(&change.for_seconds) {
        let why = format!("{} is outside 1 to {MOST_SECONDS} seconds", change.for_seconds);
        return Err(refuse("/for_seconds", "out_of_range", why));
    }
    let (deps, span) = (&logs.0.deps, Duration::from_secs(change.for_seconds));
    let status = deps.logger.levels.change(change.filter.trim(), span, &deps.clock, &deps.lifecycle);
    Ok(Json(status.map_err(|bad| refuse("/filter", "invalid_value", bad.to_string()))?))
}
