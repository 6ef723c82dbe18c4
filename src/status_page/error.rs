//! Errors of status pages.

use incidents::IncidentsError;
use jobs::JobsError;
use mail::MailError;
use platform::{
    crypto::SealError,
    db::DbError,
    error::{ApiError, FieldError},
    pools::WorkLost,
};
use uptime::UptimeError;

#[derive(Debug, thiserror::Error)]
pub enum StatusPageError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Uptime(#[from] UptimeError),
    #[error(transparent)]
    Incidents(#[from] IncidentsError),
    #[error("stored JSON is not what it should be")]
    Json(#[from] serde_json::Error),
    #[error("a page could not be made")]
    Template(#[from] askama::Error),
    #[error("a table could not be written")]
    Csv(#[from] csv::Error),
    #[error("an answer could not be compressed")]
    Compress(#[from] std::io::Error),
    #[error("work on a CPU pool was lost")]
    Work(#[from] WorkLost),
    /// Of a password.
    #[error("the hash of a page's password cannot be used: {0}")]
    Hash(String),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    /// Code and text.
    #[error("{1}")]
    Conflict(&'static str, String),
    /// Only the file changes it.
    #[error("this is managed by the file of monitors: change it there")]
    Managed,
}

platform::from_sqlx!(StatusPageError);

impl StatusPageError {
    /// A single invalid field.
    pub fn invalid(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }
}

impl From<StatusPageError> for ApiError {
    fn from(error: StatusPageError) -> Self {
        match error {
            StatusPageError::Db(error) => error.into(),
            StatusPageError::Jobs(error) => error.into(),
            StatusPageError::Mail(error) => error.into(),
            StatusPageError::Uptime(error) => error.into(),
            StatusPageError::Incidents(error) => error.into(),
            StatusPageError::NotFound(what) => Self::not_found(what),
            StatusPageError::Invalid(errors) => Self::validation(errors),
            StatusPageError::Conflict(code, detail) => Self::conflict(code, detail),
            error @ StatusPageError::Managed => Self::conflict("managed", error.to_string()),
            error @ (StatusPageError::Seal(_)
            | StatusPageError::Json(_)
            | StatusPageError::Template(_)
            | StatusPageError::Csv(_)
            | StatusPageError::Compress(_)
            | StatusPageError::Work(_)
            | StatusPageError::Hash(_)) => Self::internal(error),
        }
    }
}
