//! `/api/v1/jobs`, `/api/v1/queues`.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    JobId, JobState, JobSummary, Jobs, READ, WRITE,
    model::{JobDetail, QueueStatus},
    service::Owner,
    store::Filter,
};
use platform::{
    error::{ApiError, FieldError},
    http::{Auth, Json, ListQuery, Page, Path, Principal, Query},
};

/// Queues belong to the installation, not to an organisation.
pub(super) const PAUSE: &str = "pause and resume its queues";

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Jobs> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs))
        .routes(routes!(get_job, delete_job))
        .routes(routes!(cancel_job))
        .routes(routes!(retry_job))
        .routes(routes!(list_queues))
        .routes(routes!(pause_queue))
        .routes(routes!(resume_queue))
}

/// Filters of the job list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct JobFilter {
    #[param(value_type = Option<JobState>)]
    pub state: Option<String>,
    pub queue: Option<String>,
    /// e.g. `knowledge.extract`
    pub kind: Option<String>,
    /// The installation's own jobs instead of the organisation's; operators only.
    pub system: Option<bool>,
}

impl JobFilter {
    /// Empty fields, as forms send them, do not filter.
    pub(super) fn resolve(&self, who: &Principal, search: Option<&str>) -> Result<(Owner, Filter), ApiError> {
        let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        let state = given(&self.state)
            .map(|s| s.parse::<JobState>())
            .transpose()
            .map_err(|e| ApiError::validation(vec![FieldError::new("/state", "invalid", e)]))?;
        let owner = match self.system {
            Some(true) if who.is_operator() => Owner::System,
            Some(true) => return Err(ApiError::forbidden("only operators can see the installation's own jobs")),
            _ => Owner::Org(who.org_id),
        };
        let filter = Filter {
            org: None,
            state,
            queue: given(&self.queue),
            kind: given(&self.kind),
            search: search.map(str::to_owned),
            search_errors: false,
        };
        Ok((owner, filter))
    }
}

/// Jobs, newest first.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "Jobs",
    params(ListQuery, JobFilter,
        ("q" = Option<String>, Query, description = "A part of the kind or (for an operator's session) of the last error, or the beginning of an id.")),
    responses((status = 200, body = Page<JobSummary>)))]
async fn list_jobs(
    State(jobs): State<Jobs>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(filter): Query<JobFilter>,
) -> Result<Json<Page<JobSummary>>, ApiError> {
    who.require(READ)?;
    let (owner, filter) = filter.resolve(&who, query.search())?;
    let slice = query.slice()?;
    let rows = jobs.list(&who, owner, filter, &slice).await?;
    Ok(Json(slice.page(rows, |job| job.id.0)))
}

/// A job with its attempts and errors.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "Jobs", params(("id" = JobId, Path)), responses((status = 200, body = JobDetail), (status = 404)))]
async fn get_job(
    State(jobs): State<Jobs>,
    Auth(who): Auth,
    Path(id): Path<JobId>,
) -> Result<Json<JobDetail>, ApiError> {
    who.require(READ)?;
    Ok(Json(jobs.get(&who, id).await?))
}

/// Cancels a job. A running one is asked to stop and shows `cancel_requested` until it has.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "Jobs", params(("id" = JobId, Path)), responses((status = 200, body = JobSummary), (status = 404), (status = 409)))]
async fn cancel_job(
    State(jobs): State<Jobs>,
    Auth(who): Auth,
    Path(id): Path<JobId>,
) -> Result<Json<JobSummary>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(jobs.cancel(&who, id).await?))
}

/// Runs a waiting job now, or a dead one again as a new job. Returns that job.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/retry", tag = "Jobs", params(("id" = JobId, Path)), responses((status = 200, body = JobSummary), (status = 404), (status = 409)))]
async fn retry_job(
    State(jobs): State<Jobs>,
    Auth(who): Auth,
    Path(id): Path<JobId>,
) -> Result<Json<JobSummary>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(jobs.retry(&who, id).await?))
}

/// Deletes a dead letter: the job can no longer be run again. Its history stays until retention deletes it.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", tag = "Jobs", params(("id" = JobId, Path)), responses((status = 204), (status = 404), (status = 409)))]
async fn delete_job(State(jobs): State<Jobs>, Auth(who): Auth, Path(id): Path<JobId>) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    jobs.delete_dead_letter(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every queue of the installation.
#[derive(Debug, Serialize, ToSchema)]
struct Queues {
    data: Vec<QueueStatus>,
}

/// Queues with counts of the organisation's jobs; in an operator's session, of all jobs.
#[utoipa::path(get, path = "/api/v1/queues", tag = "Jobs", responses((status = 200, body = Queues)))]
async fn list_queues(State(jobs): State<Jobs>, Auth(who): Auth) -> Result<Json<Queues>, ApiError> {
    who.require(READ)?;
    Ok(Json(Queues { data: jobs.queues(&who).await? }))
}

/// Stops a queue from starting jobs; running ones continue. Operators only.
#[utoipa::path(post, path = "/api/v1/queues/{name}/pause", tag = "Jobs", params(("name" = String, Path)), responses((status = 204), (status = 403), (status = 404)))]
async fn pause_queue(
    State(jobs): State<Jobs>,
    Auth(who): Auth,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_paused(&jobs, &who, &name, true).await
}

/// Lets a paused queue start jobs again. Operators only.
#[utoipa::path(post, path = "/api/v1/queues/{name}/resume", tag = "Jobs", params(("name" = String, Path)), responses((status = 204), (status = 403), (status = 404)))]
async fn resume_queue(
    State(jobs): State<Jobs>,
    Auth(who): Auth,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_paused(&jobs, &who, &name, false).await
}

async fn set_paused(jobs: &Jobs, who: &Principal, name: &str, paused: bool) -> Result<StatusCode, ApiError> {
    who.require_operator(PAUSE)?;
    jobs.set_paused(who, name, paused).await?;
    Ok(StatusCode::NO_CONTENT)
}
