//! Types for declaring, enqueueing, running and viewing jobs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use platform::{id_type, ids::OrgId, text_enum};

id_type!(JobId, "A background job.");

/// Work that outlives the request that asked for it. The value is the payload, stored as JSON: refer to rows by id, and
/// keep it readable for the next version of the code.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// `<capability>.<verb>`, e.g. `knowledge.extract`.
    const KIND: &'static str;
    /// Jobs of a queue share its pause, its limits and its metric series.
    const QUEUE: &'static str;
    /// Attempts before it goes to the dead letters, 1 to 100. A lost worker counts as an attempt, a snooze does not.
    const MAX_ATTEMPTS: i32 = 5;
    /// An attempt that runs longer is stopped and counts as failed.
    const TIMEOUT: Duration = Duration::from_mins(10);
    /// Wait before the second attempt; doubles with each further one up to an hour, with jitter.
    const BACKOFF: Duration = Duration::from_secs(2);
    /// Whether a `unique_key` is free again when its job starts: work that arrives after that gets a job of its own, and however much arrives
    /// before, one job waits. Enqueueing keeps that one from starting until the caller's transaction ends, so do it last; and a transaction that
    /// enqueues under several keys does so in a fixed order, or two of them may wait for each other.
    const UNIQUE_UNTIL_START: bool = false;
}

/// Options of [`super::enqueue`].
#[derive(Clone, Debug, Default)]
pub struct Enqueue {
    /// Earliest start; `None` is now.
    pub run_at: Option<DateTime<Utc>>,
    /// While a job of this kind and organisation with this key waits or runs, enqueueing returns its id. A running one
    /// may have read its rows before your change: put a version into the key where that matters, or see [`Job::UNIQUE_UNTIL_START`].
    pub unique_key: Option<String>,
    /// At most one job with this key runs at a time, over all queues, workers and organisations: use an id.
    pub concurrency_key: Option<String>,
    /// Starts only after every earlier job with the same `concurrency_key` has ended (those must be ordered, too): none overtakes one that waits
    /// for its next attempt.
    pub ordered: bool,
    /// -9 to 9, greater is sooner. Each step is worth one minute of waiting, so nothing starves.
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
    /// Earlier attempts whose process died or lost the database.
    pub lost: i32,
    /// Cancelled when the job is cancelled, the lease is lost, or the process shuts down: return soon. The attempt is
    /// dropped five seconds later.
    pub cancel: CancellationToken,
    pub(super) progress: Arc<Mutex<Progress>>,
}

impl JobContext {
    /// Whether a failure now is final: the last chance to tell the user.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }

    /// Reports progress: percent and a short note. Written with the next heartbeat, so call it as often as you like.
    pub fn progress(&self, percent: u8, note: &str) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *progress =
            Progress { percent: percent.min(100), note: note.chars().filter(|c| *c != '\0').take(200).collect() };
    }
}

/// Progress of a running job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    pub note: String,
}

text_enum! {
    /// State of a job.
    pub enum JobState {
        /// Waits for its time, for a worker, or for its next attempt.
        Queued = "queued",
        Running = "running",
        Succeeded = "succeeded",
        Cancelled = "cancelled",
        /// Failed for good; kept among the dead letters, from where it can be run again.
        Dead = "dead",
    }
}

/// Why an attempt failed, in words for users. The full chain of causes names hosts, files and SQL statements: it is for
/// operators only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    TimedOut,
    WorkerLost,
    PayloadGone,
    Internal,
}

impl Reason {
    pub(super) const ALL: [Self; 4] = [Self::TimedOut, Self::WorkerLost, Self::PayloadGone, Self::Internal];

    /// Classifies a stored error: errors written by the queue begin with their reason's text, all others are internal.
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

    /// Suffix of its translation key.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed-out",
            Self::WorkerLost => "worker-lost",
            Self::PayloadGone => "payload-gone",
            Self::Internal => "internal",
        }
    }

    /// Replaces the error by its reason.
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
    /// Null for the system's own jobs.
    pub org_id: Option<OrgId>,
    pub queue: String,
    pub kind: String,
    pub state: JobState,
    pub priority: i16,
    /// Attempts started.
    pub attempts: i32,
    pub max_attempts: i32,
    pub progress: Progress,
    /// A running job was asked to stop and has not stopped yet.
    pub cancel_requested: bool,
    pub created_at: DateTime<Utc>,
    /// Earliest start of the next attempt.
    pub run_at: DateTime<Utc>,
    /// Start of the last attempt.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed: for an operator's session the chain of causes on one line, for others a short
    /// reason.
    pub last_error: Option<String>,
}

impl JobSummary {
    /// Hides what only operators may see.
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
    /// The worker process that ran it.
    pub worker_id: Uuid,
    /// Like the job's `last_error`.
    pub error: Option<String>,
}

text_enum! {
    /// How an attempt ended.
    pub enum AttemptOutcome {
        Succeeded = "succeeded",
        Failed = "failed",
        Cancelled = "cancelled",
        /// The worker stopped answering and the lease ran out.
        Lost = "lost",
    }
}

/// A job with its attempts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobDetail {
    #[serde(flatten)]
    pub job: JobSummary,
    /// Ended attempts, oldest first.
    pub history: Vec<Attempt>,
    /// The job's payload; null when retention has deleted it.
    pub payload: Option<serde_json::Value>,
    /// Id of the HTTP request that queued it, as in the request log.
    pub request_id: Option<String>,
    /// Whether it can be run again from the dead letters.
    pub replayable: bool,
}

impl JobDetail {
    /// Hides what only operators may see.
    pub(super) fn for_members(mut self) -> Self {
        self.job = self.job.for_members();
        self.history.iter_mut().for_each(|attempt| Reason::replace(&mut attempt.error));
        self
    }
}

/// A queue with its limits and load.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QueueStatus {
    pub name: String,
    /// While paused, none of its jobs start.
    pub paused: bool,
    /// Jobs that may run at once, over all workers; null: limited only by the workers.
    pub concurrency: Option<i32>,
    /// Jobs that may start in a minute; null: no limit.
    pub rate_per_minute: Option<i32>,
    /// Waiting jobs, delayed ones included.
    pub depth: i64,
    /// Jobs that could run now.
    pub due: i64,
    pub running: i64,
    /// How long the oldest due job has waited, seconds.
    pub oldest_seconds: f64,
    /// Jobs that failed for good in the last 24 hours.
    pub failed_24h: i64,
    /// Jobs among the dead letters.
    pub dead_letters: i64,
}
