//! `/api/v1/uptime/beats/{token}`: what senders of heartbeats call. The token is their permission; sixty reports a minute of one are
//! taken.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Beat, Uptime,
    prober::{Push, Taken},
};
use platform::{
    error::ApiError,
    http::{Json, Path, Query},
};

/// What a sender may say besides.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Said {
    /// At most 200 characters.
    #[param(required = false)]
    msg: String,
    /// How long its work took, milliseconds.
    took: Option<i32>,
}

/// A report was taken.
#[derive(Serialize, ToSchema)]
#[schema(as = UptimeBeatTaken)]
pub(super) struct BeatTaken {
    ok: bool,
    /// False: the database is away; it is stored when it is back.
    stored: bool,
}

async fn take(uptime: &Uptime, token: &str, beat: Beat, said: &Said) -> Result<Json<BeatTaken>, ApiError> {
    let push = Push { token, key: None, beat, took: said.took, message: &said.msg };
    match uptime.take_beat(push).await? {
        Some(beat) => Ok(Json(BeatTaken { ok: true, stored: matches!(beat, Taken::Stored) })),
        None => Err(ApiError::not_found("heartbeat")),
    }
}

/// Report that the work of a heartbeat is done
#[utoipa::path(post, path = "/api/v1/uptime/beats/{token}", tag = "Uptime", params(("token" = String, Path), Said),
    responses((status = 200, body = BeatTaken), (status = 404), (status = 429), (status = 503)), security(()))]
pub(super) async fn beat_ok(
    State(uptime): State<Uptime>,
    Path(token): Path<String>,
    Query(said): Query<Said>,
) -> Result<Json<BeatTaken>, ApiError> {
    take(&uptime, &token, Beat::Ok, &said).await
}

/// As POST, for senders that can only open an address
#[utoipa::path(get, path = "/api/v1/uptime/beats/{token}", tag = "Uptime", params(("token" = String, Path), Said),
    responses((status = 200, body = BeatTaken), (status = 404), (status = 429), (status = 503)), security(()))]
pub(super) async fn open_beat_ok(
    State(uptime): State<Uptime>,
    Path(token): Path<String>,
    Query(said): Query<Said>,
) -> Result<Json<BeatTaken>, ApiError> {
    take(&uptime, &token, Beat::Ok, &said).await
}

/// Report that the work of a heartbeat begins: its end must come in time
#[utoipa::path(post, path = "/api/v1/uptime/beats/{token}/start", tag = "Uptime", params(("token" = String, Path), Said),
    responses((status = 200, body = BeatTaken), (status = 404), (status = 429), (status = 503)), security(()))]
pub(super) async fn beat_start(
    State(uptime): State<Uptime>,
    Path(token): Path<String>,
    Query(said): Query<Said>,
) -> Result<Json<BeatTaken>, ApiError> {
    take(&uptime, &token, Beat::Start, &said).await
}

/// As POST, for senders that can only open an address
#[utoipa::path(get, path = "/api/v1/uptime/beats/{token}/start", tag = "Uptime", params(("token" = String, Path), Said),
    responses((status = 200, body = BeatTaken), (status = 404), (status = 429), (status = 503)), security(()))]
pub(super) async fn open_beat_start(
    State(uptime): State<Uptime>,
    Path(token): Path<String>,
    Query(said): Query<Said>,
) -> Result<Json<BeatTaken>, ApiError> {
    take(&uptime, &token, Beat::Start, &said).await
}

/// Report that the work of a heartbeat has failed: it is down at once
#[utoipa::path(post, path = "/api/v1/uptime/beats/{token}/fail", tag = "Uptime", params(("token" = String, Path), Said),
    responses((status = 200, body = BeatTaken), (status = 404), (status = 429), (status = 503)), security(()))]
pub(super) async fn beat_fail(
    State(uptime): State<Uptime>,
    Path(token): Path<String>,
    Query(said): Query<Said>,
) -> Result<Json<BeatTaken>, ApiError> {
    take(&uptime, &token, Beat::Fail, &said).await
}

/// As POST, for senders that can only open an address
#[utoipa::path(get, path = "/api/v1/uptime/beats/{token}/fail", tag = "Uptime", params(("token" = String, Path), Said),
    responses((status = 200, body = BeatTaken), (status = 404), (status = 429), (status = 503)), security(()))]
pub(super) async fn open_beat_fail(
    State(uptime): State<Uptime>,
    Path(token): Path<String>,
    Query(said): Query<Said>,
) -> Result<Json<BeatTaken>, ApiError> {
    take(&uptime, &token, Beat::Fail, &said).await
}
