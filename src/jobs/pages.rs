//! `/jobs`: queues, and jobs with their attempts and errors.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    JobId, JobState, JobSummary, Jobs, READ, WRITE,
    model::{AttemptOutcome, JobDetail, QueueStatus, Reason},
    routes::{JobFilter, PAUSE},
};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Role},
};

/// The pages of this capability.
pub fn router() -> Router<Jobs> {
    Router::new()
        .route("/jobs", get(list))
        .route("/jobs/{id}", get(show))
        .route("/jobs/{id}/cancel", post(cancel))
        .route("/jobs/{id}/retry", post(retry))
        .route("/jobs/{id}/delete", post(delete))
        .route("/jobs/queues/{name}/pause", post(pause))
        .route("/jobs/queues/{name}/resume", post(resume))
}

/// The filters of the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListFilter {
    state: String,
    queue: String,
    /// `system` for the installation's own jobs.
    whose: String,
}

impl ListFilter {
    fn is_plain(&self) -> bool {
        [&self.state, &self.queue, &self.whose].iter().all(|text| text.is_empty())
    }

    fn api(&self) -> JobFilter {
        JobFilter {
            state: Some(self.state.clone()),
            queue: Some(self.queue.clone()),
            system: (self.whose == "system").then_some(true),
            ..JobFilter::default()
        }
    }

    fn pager(&self, query: &ListQuery, next: Option<&str>) -> Pager {
        let filters = [("state", &*self.state), ("queue", &*self.queue), ("whose", &*self.whose)];
        Pager::new("/jobs", &filters, query, next)
    }
}

#[derive(Template)]
#[template(path = "jobs/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    queues: Vec<QueueStatus>,
    jobs: Vec<JobSummary>,
    query: ListQuery,
    filter: ListFilter,
    pager: Pager,
    operator: bool,
}

#[derive(Template)]
#[template(path = "jobs/templates/show.html")]
struct Show<'a> {
    shell: &'a Shell,
    detail: JobDetail,
    payload: String,
    may_change: bool,
}

impl JobState {
    /// Badge colour.
    fn tone(self) -> &'static str {
        match self {
            Self::Queued => "neutral",
            Self::Running => "info",
            Self::Succeeded => "ok",
            Self::Cancelled => "warn",
            Self::Dead => "error",
        }
    }
}

impl AttemptOutcome {
    /// Badge colour.
    fn tone(self) -> &'static str {
        match self {
            Self::Succeeded => "ok",
            Self::Cancelled => "warn",
            Self::Failed | Self::Lost => "error",
        }
    }
}

/// View helpers shared by both pages.
trait ViewHelpers {
    fn shell(&self) -> &Shell;

    /// An error's text as the service returned it: the chain for operators, else a reason translated for the reader.
    fn error(&self, error: &str) -> String {
        if self.shell().principal().is_operator() {
            return error.to_owned();
        }
        self.shell().t(format!("jobs-reason-{}", Reason::of(error).as_str())).to_string()
    }

    fn state(&self, state: JobState) -> String {
        self.shell().t(format!("jobs-state-{}", state.as_str())).to_string()
    }

    fn span(&self, seconds: f64) -> String {
        self.shell().duration(Some(seconds))
    }
}

impl ViewHelpers for List<'_> {
    fn shell(&self) -> &Shell {
        self.shell
    }
}

impl ViewHelpers for Show<'_> {
    fn shell(&self) -> &Shell {
        self.shell
    }
}

impl List<'_> {
    /// Label of the search field.
    fn search(&self) -> String {
        self.shell.t(if self.operator { "jobs-search-errors" } else { "jobs-search" }).to_string()
    }
}

impl Show<'_> {
    fn outcome(&self, outcome: AttemptOutcome) -> String {
        self.shell.t(format!("jobs-outcome-{}", outcome.as_str())).to_string()
    }

    fn took(&self, attempt: &super::model::Attempt) -> String {
        self.span((attempt.finished_at - attempt.started_at).num_milliseconds() as f64 / 1e3)
    }
}

async fn list(
    shell: Shell,
    State(jobs): State<Jobs>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let (owner, wanted) = filter.api().resolve(who, query.search())?;
    let query = query.sized(50);
    let slice = query.slice()?;
    let reading = async {
        let queues = jobs.queues(who).await?;
        Ok::<_, ApiError>((queues, slice.page(jobs.list(who, owner, wanted, &slice).await?, |job| job.id.0)))
    };
    let (queues, page) = shell.shared(reading).await?;
    let pager = filter.pager(&query, page.next_cursor.as_deref());
    let operator = who.is_operator();
    shell.render(&List { shell: &shell, queues, jobs: page.data, query, filter, pager, operator })
}

async fn show(shell: Shell, State(jobs): State<Jobs>, Path(id): Path<JobId>) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let detail = jobs.get(who, id).await?;
    let payload = detail.payload.as_ref().and_then(|p| serde_json::to_string_pretty(p).ok()).unwrap_or_default();
    let may_change = shell.can(Role::Admin);
    shell.render(&Show { shell: &shell, detail, payload, may_change })
}

async fn cancel(
    shell: Shell,
    State(jobs): State<Jobs>,
    Path(id): Path<JobId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let done = jobs.cancel(shell.principal(), id).await.map(|_| id);
    answer(&shell, id, done.map_err(ApiError::from), "jobs-cancelled")
}

async fn retry(
    shell: Shell,
    State(jobs): State<Jobs>,
    Path(id): Path<JobId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let done = jobs.retry(shell.principal(), id).await.map(|job| job.id);
    answer(&shell, id, done.map_err(ApiError::from), "jobs-retried")
}

async fn delete(
    shell: Shell,
    State(jobs): State<Jobs>,
    Path(id): Path<JobId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let done = jobs.delete_dead_letter(shell.principal(), id).await.map(|()| id);
    answer(&shell, id, done.map_err(ApiError::from), "jobs-deleted")
}

/// Redirects to the job's page, or back with the reason when its state no longer allows the action.
fn answer(shell: &Shell, id: JobId, done: Result<JobId, ApiError>, message: &str) -> Result<Response, ApiError> {
    match done {
        Ok(now) => Ok(shell.redirect(&format!("/jobs/{now}"), &Flash::ok(message))),
        Err(error) if error.status == axum::http::StatusCode::CONFLICT => {
            Ok(shell.redirect(&format!("/jobs/{id}"), &Flash::warn("jobs-too-late")))
        }
        Err(error) => Err(error),
    }
}

async fn pause(
    shell: Shell,
    State(jobs): State<Jobs>,
    Path(name): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require_operator(PAUSE)?;
    jobs.set_paused(shell.principal(), &name, true).await?;
    Ok(shell.redirect("/jobs", &Flash::ok("jobs-queue-paused").with("queue", &name)))
}

async fn resume(
    shell: Shell,
    State(jobs): State<Jobs>,
    Path(name): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require_operator(PAUSE)?;
    jobs.set_paused(shell.principal(), &name, false).await?;
    Ok(shell.redirect("/jobs", &Flash::ok("jobs-queue-resumed").with("queue", &name)))
}
