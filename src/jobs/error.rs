//! Errors of the queue ([`JobsError`]) and of a job's handler ([`JobError`]).

use std::time::Duration;

use platform::{db::DbError, error::ApiError};

/// An operation on the queue failed.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the payload does not encode as JSON")]
    Payload(#[source] serde_json::Error),
    #[error("no such job")]
    NotFound,
    #[error("no such queue")]
    QueueNotFound,
    #[error("{0}")]
    Conflict(&'static str),
    #[error("schedule {name}: {reason}")]
    Schedule { name: String, reason: String },
}

platform::from_sqlx!(JobsError);

impl From<JobsError> for ApiError {
    fn from(error: JobsError) -> Self {
        match error {
            JobsError::Db(error) => error.into(),
            JobsError::NotFound => Self::not_found("job"),
            JobsError::QueueNotFound => Self::not_found("queue"),
            JobsError::Conflict(detail) => Self::conflict("job_state", detail),
            error @ (JobsError::Payload(_) | JobsError::Schedule { .. }) => Self::internal(error),
        }
    }
}

/// How a handler ends an attempt other than with success.
#[derive(Debug)]
pub enum JobError {
    /// Transient failure: tried again after a backoff while attempts are left.
    Retry(anyhow::Error),
    /// Will never succeed: goes to the dead letters at once.
    Permanent(anyhow::Error),
    /// Not yet: run again after this time; does not count as an attempt.
    Snooze(Duration),
}

impl JobError {
    /// See [`JobError::Retry`].
    pub fn retry(error: impl Into<anyhow::Error>) -> Self {
        Self::Retry(error.into())
    }

    /// See [`JobError::Permanent`].
    pub fn permanent(error: impl Into<anyhow::Error>) -> Self {
        Self::Permanent(error.into())
    }

    /// See [`JobError::Snooze`].
    pub fn snooze(wait: Duration) -> Self {
        Self::Snooze(wait)
    }
}

/// `?` in a handler means [`JobError::Retry`].
impl<E: Into<anyhow::Error>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::Retry(error.into())
    }
}
