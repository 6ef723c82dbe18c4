//! The page Backups: backups, destinations, drills, and how to restore.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};

use super::{
    BackupError, Backups,
    jobs::{DrillNewest, Run},
    model::{Backup, BackupId, Copy, CopyStatus, DestinationStatus, Drill, DrillStatus, Kind, Status},
    routes::require,
};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell, svg};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Slice},
};

const PATH: &str = "/backups";
/// Backups in the small charts.
const PICTURED: u8 = 30;

/// The routes.
pub fn router() -> Router<Backups> {
    Router::new()
        .route(PATH, get(show))
        .route("/backups/run", post(run))
        .route("/backups/drill", post(drill))
        .route("/backups/{id}/verify", post(verify))
        .route("/backups/{id}/hold", post(hold))
        .route("/backups/{id}/release", post(release))
}

#[derive(Template)]
#[template(path = "backup/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    is_on: bool,
    has_key: bool,
    is_elsewhere: bool,
    backups: Vec<Backup>,
    drills: Vec<Drill>,
    destinations: Vec<DestinationStatus>,
    newest: Option<Backup>,
    proven: Option<Drill>,
    sizes: String,
    durations: String,
    recovery: String,
    pager: Pager,
}

async fn show(shell: Shell, State(backups): State<Backups>, Query(query): Query<ListQuery>) -> PageResult {
    require(shell.principal())?;
    let query = query.sized(20);
    let slice = query.slice()?;
    let reading = async {
        let rows = slice.page(backups.list(&slice).await?, |backup| backup.id.0);
        let (recent, drills) = (backups.list(&Slice::first(200)).await?, backups.drills(PICTURED.into()).await?);
        Ok::<_, ApiError>((rows, recent, drills, backups.destinations().await?))
    };
    let (rows, recent, drills, destinations) = shell.shared(reading).await?;
    let made: Vec<&Backup> = recent.iter().filter(|b| b.total_bytes > 0).take(PICTURED.into()).collect();
    let picture = |values: Vec<f64>, key: &str| {
        if values.len() < 2 { String::new() } else { svg::bars(&values, &shell.t(key).to_string()) }
    };
    let seconds = |backup: &&&Backup| backup.seconds().unwrap_or_default();
    let passed: Vec<f64> =
        drills.iter().rev().filter(|d| d.status == DrillStatus::Passed).filter_map(|d| d.seconds).collect();
    let list = List {
        is_on: backups.config().is_on(),
        has_key: backups.config().key_file.is_some(),
        is_elsewhere: backups.has_copies_elsewhere().await,
        destinations,
        newest: recent.iter().find(|backup| backup.status == Status::Verified).cloned(),
        proven: drills.iter().find(|drill| drill.status == DrillStatus::Passed).cloned(),
        sizes: picture(made.iter().rev().map(|backup| backup.total_bytes as f64).collect(), "backup-sizes"),
        durations: picture(made.iter().rev().map(|backup| seconds(&backup)).collect(), "backup-durations"),
        recovery: picture(passed, "backup-recovery-times"),
        pager: Pager::new(PATH, &[], &query, rows.next_cursor.as_deref()),
        backups: rows.data,
        drills: drills.into_iter().take(10).collect(),
        shell: &shell,
    };
    shell.render(&list)
}

impl List<'_> {
    fn status(&self, status: Status) -> String {
        self.shell.t(format!("backup-status-{}", status.as_str())).to_string()
    }

    fn kind(&self, kind: Kind) -> String {
        self.shell.t(format!("backup-kind-{}", kind.as_str().replace('_', "-"))).to_string()
    }

    fn copy(&self, copy: &Copy) -> String {
        self.shell.t(format!("backup-copy-{}", copy.status.as_str())).to_string()
    }

    fn drill(&self, drill: &Drill) -> String {
        self.shell.t(format!("backup-drill-{}", drill.status.as_str())).to_string()
    }

    fn newest_size(&self) -> String {
        self.newest.as_ref().map_or_else(|| "–".to_owned(), |backup| self.shell.bytes(backup.total_bytes))
    }

    fn newest_duration(&self) -> String {
        self.shell.duration(self.newest.as_ref().and_then(Backup::seconds))
    }

    fn recovery_time(&self) -> String {
        self.shell.duration(self.proven.as_ref().and_then(|drill| drill.seconds))
    }
}

impl Backup {
    /// Whether there is a copy to check.
    fn has_copy(&self) -> bool {
        self.copies.iter().any(|copy| matches!(copy.status, CopyStatus::Verified | CopyStatus::Damaged))
    }

    /// Duration of the run.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.finished_at.map(|end| (end - self.started_at).as_seconds_f64())
    }
}

impl Status {
    fn tone(self) -> &'static str {
        match self {
            Self::Running => "info",
            Self::Verified => "ok",
            Self::Unverified => "warn",
            Self::Failed => "error",
        }
    }
}

impl CopyStatus {
    fn tone(self) -> &'static str {
        match self {
            Self::Verified => "ok",
            Self::Pruned => "neutral",
            Self::Damaged | Self::Failed => "error",
        }
    }
}

impl DrillStatus {
    fn tone(self) -> &'static str {
        match self {
            Self::Running => "info",
            Self::Passed => "ok",
            Self::NoRoom => "warn",
            Self::Failed => "error",
        }
    }
}

/// Back to the page, with what was done or why it was not.
fn back(shell: &Shell, done: Result<(), ApiError>, message: &str) -> Result<Response, ApiError> {
    match done {
        Ok(()) => Ok(shell.redirect(PATH, &Flash::ok(message))),
        Err(error) if error.status == axum::http::StatusCode::CONFLICT => {
            Ok(shell.redirect(PATH, &Flash::warn(&format!("backup-refused-{}", error.code.replace('_', "-")))))
        }
        Err(error) => Err(error),
    }
}

async fn run(shell: Shell, State(backups): State<Backups>, Form(Nothing {}): Form<Nothing>) -> PageResult {
    require(shell.principal())?;
    let queued = backups.enqueue(&Run { kind: Kind::Manual }).await.map(drop);
    back(&shell, queued, "backup-queued")
}

async fn drill(shell: Shell, State(backups): State<Backups>, Form(Nothing {}): Form<Nothing>) -> PageResult {
    require(shell.principal())?;
    let queued = match backups.key_file(None) {
        Ok(_) => backups.enqueue(&DrillNewest {}).await.map(drop),
        Err(BackupError::Key(_)) => Err(BackupError::NoKey.into()),
        Err(error) => Err(error.into()),
    };
    back(&shell, queued, "backup-drill-queued")
}

async fn verify(
    shell: Shell,
    State(backups): State<Backups>,
    Path(id): Path<BackupId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    require(shell.principal())?;
    let queued = backups.enqueue_verify(id).await.map(drop);
    back(&shell, queued, "backup-verify-queued")
}

async fn hold(
    shell: Shell,
    State(backups): State<Backups>,
    Path(id): Path<BackupId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    set_held(&shell, &backups, id, true).await
}

async fn release(
    shell: Shell,
    State(backups): State<Backups>,
    Path(id): Path<BackupId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    set_held(&shell, &backups, id, false).await
}

async fn set_held(shell: &Shell, backups: &Backups, id: BackupId, held: bool) -> PageResult {
    require(shell.principal())?;
    backups.hold(id, held).await?;
    back(shell, Ok(()), if held { "backup-held" } else { "backup-released" })
}
