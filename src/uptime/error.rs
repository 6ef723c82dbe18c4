//! Errors of monitors.

use std::time::Duration;

use jobs::JobsError;
use platform::{
    crypto::SealError,
    db::DbError,
    error::{ApiError, FieldError},
    pools::WorkLost,
};

#[derive(Debug, thiserror::Error)]
pub enum UptimeError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("stored JSON is not what it should be")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Sketch(#[from] crate::history::BadSketch),
    #[error(transparent)]
    Lost(#[from] WorkLost),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    /// Code and text.
    #[error("{1}")]
    Conflict(&'static str, String),
    #[error("an organisation has at most {0} monitors")]
    TooMany(i64),
    /// The sender of a heartbeat reports too often: how long it must wait.
    #[error("this token has reported too often")]
    TooOften(Duration),
    /// So many checks by hand are running already.
    #[error("too many checks by hand at a time: wait for the others")]
    Busy,
    /// Of another room.
    #[error("a part of the file of monitors cannot be applied")]
    Section(#[source] anyhow::Error),
    /// Only the file changes it.
    #[error("this is managed by the file of monitors: change it there")]
    Managed,
}

platform::from_sqlx!(UptimeError);

impl UptimeError {
    /// A single invalid field.
    pub fn invalid(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }
}

impl From<UptimeError> for ApiError {
    fn from(error: UptimeError) -> Self {
        match error {
            UptimeError::Db(error) => error.into(),
            UptimeError::Jobs(error) => error.into(),
            UptimeError::NotFound(what) => Self::not_found(what),
            UptimeError::Invalid(errors) => Self::validation(errors),
            UptimeError::Conflict(code, detail) => Self::conflict(code, detail),
            error @ UptimeError::TooMany(_) => Self::conflict("too_many_monitors", error.to_string()),
            error @ UptimeError::Managed => Self::conflict("managed", error.to_string()),
            UptimeError::TooOften(wait) => Self::too_many(wait),
            UptimeError::Busy => Self::too_many(Duration::from_secs(5)),
            error @ (UptimeError::Seal(_)
            | UptimeError::Json(_)
            | UptimeError::Lost(_)
            | UptimeError::Sketch(_)
            | UptimeError::Section(_)) => Self::internal(error),
        }
    }
}
