//! What can go wrong with the queue ([`JobsError`]) and in a job ([`JobError`]).

use std::time::Duration;

use crate::platform::{db::DbError, error::ApiError};

/// The queue could not do what was asked.
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

impl From<sqlx::Error> for JobsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

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

/// How an attempt ends other than well.
#[derive(Debug)]
pub enum JobError {
    /// May work another time: tried again after a backoff, as long as attempts are left.
    Retry(anyhow::Error),
    /// Will never work: straight to the dead letters.
    Permanent(anyhow::Error),
    /// Not yet: run again after this time, without counting as an attempt.
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

/// `?` in a handler means: try again.
impl<E: Into<anyhow::Error>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::Retry(error.into())
    }
}
