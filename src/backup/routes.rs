//! `/api/v1/backups`, `/api/v1/backup-drills`, `/api/v1/backup-destinations`: for operators.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Backups,
    jobs::{DrillNewest, Prune, Run, Verify, options},
    model::{Backup, BackupId, DestinationStatus, Drill, Kind},
};
use jobs::{Job, JobId};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Principal, Query},
};

/// The routes.
pub fn router() -> OpenApiRouter<Backups> {
    OpenApiRouter::new()
        .routes(routes!(list_backups, create_backup))
        .routes(routes!(get_backup, update_backup))
        .routes(routes!(verify_backup))
        .routes(routes!(prune_backups))
        .routes(routes!(list_drills, create_drill))
        .routes(routes!(list_destinations))
}

/// Backups belong to the installation, not to an organisation.
pub(super) fn require(who: &Principal) -> Result<(), ApiError> {
    who.require_operator("see and manage its backups")
}

/// A job that was queued.
#[derive(Debug, Serialize, ToSchema)]
struct Queued {
    /// `/api/v1/jobs/{id}` shows its progress.
    job_id: JobId,
}

/// Backups, newest first.
#[utoipa::path(get, path = "/api/v1/backups", tag = "Backups", params(ListQuery), responses((status = 200, body = Page<Backup>), (status = 403)))]
async fn list_backups(
    State(backups): State<Backups>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Backup>>, ApiError> {
    require(&who)?;
    let slice = query.slice()?;
    let rows = backups.list(&slice).await?;
    Ok(Json(slice.page(rows, |backup| backup.id.0)))
}

/// Make a backup now. If one is queued or running, no second one is queued.
#[utoipa::path(post, path = "/api/v1/backups", tag = "Backups", responses((status = 202, body = Queued), (status = 403), (status = 409)))]
async fn create_backup(
    State(backups): State<Backups>,
    Auth(who): Auth,
) -> Result<(StatusCode, Json<Queued>), ApiError> {
    require(&who)?;
    Ok((StatusCode::ACCEPTED, Json(Queued { job_id: backups.enqueue(&Run { kind: Kind::Manual }).await? })))
}

/// A backup with its copies.
#[utoipa::path(get, path = "/api/v1/backups/{id}", tag = "Backups", params(("id" = BackupId, Path)), responses((status = 200, body = Backup), (status = 404)))]
async fn get_backup(
    State(backups): State<Backups>,
    Auth(who): Auth,
    Path(id): Path<BackupId>,
) -> Result<Json<Backup>, ApiError> {
    require(&who)?;
    Ok(Json(backups.get(id).await?))
}

/// Changeable fields of a backup.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BackupChange {
    /// Excluded from retention.
    held: bool,
}

/// Exclude a backup from retention, or include it again.
#[utoipa::path(patch, path = "/api/v1/backups/{id}", tag = "Backups", params(("id" = BackupId, Path)), request_body = BackupChange, responses((status = 200, body = Backup), (status = 404)))]
async fn update_backup(
    State(backups): State<Backups>,
    Auth(who): Auth,
    Path(id): Path<BackupId>,
    Json(change): Json<BackupChange>,
) -> Result<Json<Backup>, ApiError> {
    require(&who)?;
    Ok(Json(backups.hold(id, change.held).await?))
}

/// Re-read every copy of a backup byte for byte; with `backup.key_file`, decrypt everything in it. Findings are in its `copies`.
#[utoipa::path(post, path = "/api/v1/backups/{id}/verify", tag = "Backups", params(("id" = BackupId, Path)), responses((status = 202, body = Queued), (status = 403), (status = 404), (status = 409)))]
async fn verify_backup(
    State(backups): State<Backups>,
    Auth(who): Auth,
    Path(id): Path<BackupId>,
) -> Result<(StatusCode, Json<Queued>), ApiError> {
    require(&who)?;
    Ok((StatusCode::ACCEPTED, Json(Queued { job_id: backups.enqueue_verify(id).await? })))
}

/// Apply retention now. This also happens after each backup.
#[utoipa::path(post, path = "/api/v1/backups/prune", tag = "Backups", responses((status = 202, body = Queued), (status = 403), (status = 409)))]
async fn prune_backups(
    State(backups): State<Backups>,
    Auth(who): Auth,
) -> Result<(StatusCode, Json<Queued>), ApiError> {
    require(&who)?;
    Ok((StatusCode::ACCEPTED, Json(Queued { job_id: backups.enqueue(&Prune {}).await? })))
}

/// Drills.
#[derive(Debug, Serialize, ToSchema)]
struct Drills {
    data: Vec<Drill>,
}

/// The last 200 drills, newest first.
#[utoipa::path(get, path = "/api/v1/backup-drills", tag = "Backups", responses((status = 200, body = Drills), (status = 403)))]
async fn list_drills(State(backups): State<Backups>, Auth(who): Auth) -> Result<Json<Drills>, ApiError> {
    require(&who)?;
    Ok(Json(Drills { data: backups.drills(200).await? }))
}

/// Restore the newest backup on trial now. Requires `backup.key_file`.
#[utoipa::path(post, path = "/api/v1/backup-drills", tag = "Backups", responses((status = 202, body = Queued), (status = 403), (status = 409)))]
async fn create_drill(State(backups): State<Backups>, Auth(who): Auth) -> Result<(StatusCode, Json<Queued>), ApiError> {
    require(&who)?;
    backups.key_file(None)?;
    Ok((StatusCode::ACCEPTED, Json(Queued { job_id: backups.enqueue(&DrillNewest {}).await? })))
}

/// Destinations.
#[derive(Debug, Serialize, ToSchema)]
struct Destinations {
    data: Vec<DestinationStatus>,
}

/// The configured destinations and their state after the last runs.
#[utoipa::path(get, path = "/api/v1/backup-destinations", tag = "Backups", responses((status = 200, body = Destinations), (status = 403)))]
async fn list_destinations(State(backups): State<Backups>, Auth(who): Auth) -> Result<Json<Destinations>, ApiError> {
    require(&who)?;
    Ok(Json(Destinations { data: backups.destinations().await? }))
}

impl Backups {
    pub(super) async fn enqueue<J: Job>(&self, job: &J) -> Result<JobId, ApiError> {
        self.enqueue_for(None, job).await
    }

    pub(super) async fn enqueue_verify(&self, id: BackupId) -> Result<JobId, ApiError> {
        self.get(id).await?;
        self.enqueue_for(Some(id), &Verify { backup_id: id }).await
    }

    async fn enqueue_for<J: Job>(&self, subject: Option<BackupId>, job: &J) -> Result<JobId, ApiError> {
        if !self.config().is_on() {
            return Err(super::BackupError::Off.into());
        }
        let mut tx = self.inner.db.system().await?;
        let id = jobs::enqueue(&mut tx, &self.inner.clock, None, job, &options(subject)).await?;
        tx.commit().await.map_err(platform::db::DbError::from)?;
        Ok(id)
    }
}
