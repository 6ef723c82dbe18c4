//! `/api/v1/uptime/file`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{Uptime, file::Applied, service::FileState};
use platform::{
    error::ApiError,
    http::{Auth, Json},
};

/// The file of monitors, as it was read last; operators only
#[utoipa::path(get, path = "/api/v1/uptime/file", tag = "Uptime", responses((status = 200, body = FileState), (status = 403)))]
pub(super) async fn get_monitors_file(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
) -> Result<Json<FileState>, ApiError> {
    who.require_operator("see its file of monitors")?;
    Ok(Json(uptime.file_state().await?))
}

/// How the file is applied.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ApplyFile {
    /// Only say what it would do.
    dry_run: bool,
    /// An empty file removes everything that it managed.
    allow_empty: bool,
}

/// Apply the file of monitors now; operators only
///
/// All or nothing: with one problem nothing is changed, and the answer names them all.
#[utoipa::path(post, path = "/api/v1/uptime/file/apply", tag = "Uptime", request_body = ApplyFile,
    responses((status = 200, body = Applied), (status = 403), (status = 409)))]
pub(super) async fn apply_monitors_file(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Json(body): Json<ApplyFile>,
) -> Result<Json<Applied>, ApiError> {
    who.require_operator("apply its file of monitors")?;
    Ok(Json(uptime.apply_file(body.dry_run, body.allow_empty).await?))
}
