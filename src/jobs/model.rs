//! What a job is to those who declare, enqueue, run and look at it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{id_type, platform::ids::OrgId};

id_type!(JobId, "A background job.");

/// Work that outlives the request that asked for it. The value is the payload: stored as JSON, never changed, so it
/// names things by id and stays readable for the next version of the code.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// `<capability>.<verb>`, e.g. `knowledge.extract`.
    const KIND: &'static str;
    /// Jobs of a queue share its pause, its limits and its series in the metrics.
    const QUEUE: &'static str;
    /// Attempts before it goes to the dead letters, 1 to 100. A lost worker counts as an attempt, a snooze does not.
    const MAX_ATTEMPTS: i32 = 5;
    /// After this an attempt is ended and counts as failed.
    const TIMEOUT: Duration = Duration::from_mins(10);
    /// Wait before the second attempt; doubles with each further one up to an hour, with jitter.
    const BACKOFF: Duration = Duration::from_secs(2);
}

/// How a job is to be queued.
#[derive(Clone, Debug, Default)]
pub struct Enqueue {
    /// Not before; `None` is now.
    pub run_at: Option<DateTime<Utc>>,
    /// While a job of this kind and organisation with this key waits or runs, enqueueing gives that one's id.
    /// The one that runs may have read its rows before your change: put a version into the key where that matters.
    pub unique_key: Option<String>,
    /// At most one job with this key runs at a time, over all queues, workers and organisations: use an id.
    pub concurrency_key: Option<String>,
    /// Not before every earlier job with the same `concurrency_key` has ended, which must be ordered, too: none overtakes one that waits
    /// for its next attempt.
    pub ordered: bool,
    /// -9 to 9, greater is sooner. Each step is worth one minute of waiting, so nothing waits for ever.
    pub priority: i16,
}

/// What a handler knows about its attempt.
#[derive(Clone, Debug)]
pub struct JobContext {
    pub job_id: JobId,
    /// `None` for the system's own jobs.
    pub org_id: Option<OrgId>,
    /// 1 for the first.
    pub attempt: i32,
    pub max_attempts: i32,
    /// Attempts before this one whose process ended in the middle: killed, or cut off from the database.
    pub lost: i32,
    /// Cancelled when somebody cancels the job, the lease is lost, or the process ends: return soon. The attempt is
    /// dropped five seconds later.
    pub cancel: CancellationToken,
    pub(super) progress: Arc<Mutex<Progress>>,
}

impl JobContext {
    /// Whether a failure now is final: the last chance to tell the user.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// Shows how far the work is: percent, and a few words. Written with the next heartbeat, so call it freely.
    pub fn progress(&self, percent: u8, note: &str) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *progress =
            Progress { percent: percent.min(100), note: note.chars().filter(|c| *c != '\0').take(200).collect() };
    }
}

/// How far a running job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    pub note: String,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits: for its time, for a worker, or for its next attempt.
    Queued,
    Running,
    Succeeded,
    Cancelled,
    /// Gave up; kept among the dead letters, from where it can be run again.
    Dead,
}

impl JobState {
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Cancelled, Self::Dead];

    /// As stored and as shown in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }
}

impl std::str::FromStr for JobState {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|v| v.as_str() == s).ok_or_else(|| format!("{s:?} is no state of a job"))
    }
}

/// Why an attempt failed, in words for those who use this installation. The chain of causes names hosts, files and
/// statements: that is for its operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    TimedOut,
    WorkerLost,
    PayloadGone,
    Internal,
}

impl Reason {
    pub(super) const ALL: [Self; 4] = [Self::TimedOut, Self::WorkerLost, Self::PayloadGone, Self::Internal];

    /// Of a stored error: what the queue itself wrote begins with its reason's text, all else is internal.
    pub(super) fn of(error: &str) -> Self {
        Self::ALL.into_iter().find(|reason| error.starts_with(reason.text())).unwrap_or(Self::Internal)
    }

    /// As shown in the API.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::TimedOut => "it took too long",
            Self::WorkerLost => "the worker stopped answering and its lease expired",
            Self::PayloadGone => "the payload has been deleted by retention",
            Self::Internal => "something went wrong here; it has been logged",
        }
    }

    /// The end of its translations' key.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed-out",
            Self::WorkerLost => "worker-lost",
            Self::PayloadGone => "payload-gone",
            Self::Internal => "internal",
        }
    }

    /// Puts the reason in the place of the error.
    fn replace(error: &mut Option<String>) {
        if let Some(error) = error {
            Self::of(error).text().clone_into(error);
        }
    }
}

/// A job in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobSummary {
    pub id: JobId,
    /// Null for the system's own.
    pub org_id: Option<OrgId>,
    pub queue: String,
    pub kind: String,
    pub state: JobState,
    pub priority: i16,
    /// Attempts begun.
    pub attempts: i32,
    pub max_attempts: i32,
    pub progress: Progress,
    /// Somebody asked a running job to stop; it has not yet.
    pub cancel_requested: bool,
    pub created_at: DateTime<Utc>,
    /// When it may run (again).
    pub run_at: DateTime<Utc>,
    /// Begin of the last attempt.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed: for an operator's session the chain of causes on one line, for others a short reason.
    pub last_error: Option<String>,
}

impl JobSummary {
    /// Without what only operators see.
    pub(super) fn for_members(mut self) -> Self {
        Reason::replace(&mut self.last_error);
        self
    }
}

/// One attempt that has ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// 1 for the first.
    pub number: i32,
    pub outcome: AttemptOutcome,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    /// The process that ran it.
    pub worker_id: Uuid,
    /// As `last_error` of the job.
    pub error: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Succeeded,
    Failed,
    Cancelled,
    /// The worker stopped answering and the lease ran out.
    Lost,
}

impl AttemptOutcome {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// A job with its attempts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobDetail {
    #[serde(flatten)]
    pub job: JobSummary,
    /// Oldest first; only those that have ended.
    pub history: Vec<Attempt>,
    /// What the job was given; null when it has been deleted by retention.
    pub payload: Option<serde_json::Value>,
    /// The HTTP request that asked for it, as in the request log.
    pub request_id: Option<String>,
    /// Whether it can be run again from the dead letters.
    pub replayable: bool,
}

impl JobDetail {
    /// Without what only operators see.
    pub(super) fn for_members(mut self) -> Self {
        self.job = self.job.for_members();
        self.history.iter_mut().for_each(|attempt| Reason::replace(&mut attempt.error));
        self
    }
}

/// A queue and how it is doing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QueueStatus {
    pub name: String,
    /// No job of it starts until it is resumed.
    pub paused: bool,
    /// Jobs that may run at once, over all workers; null: as many as the workers have room for.
    pub concurrency: Option<i32>,
    /// Jobs that may start in a minute; null: no limit.
    pub rate_per_minute: Option<i32>,
    /// Jobs that wait, delayed ones included.
    pub depth: i64,
    /// Jobs that could run now.
    pub due: i64,
    pub running: i64,
    /// How long the longest waiting due job has waited, seconds.
    pub oldest_seconds: f64,
    /// Jobs that gave up in the last 24 hours.
    pub failed_24h: i64,
    /// Jobs among the dead letters.
    pub dead_letters: i64,
}
