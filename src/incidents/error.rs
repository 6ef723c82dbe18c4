//! Errors of incidents.

use auth::AuthError;
use jobs::JobsError;
use mail::MailError;
use platform::{
    crypto::SealError,
    db::DbError,
    error::{ApiError, FieldError},
};
use uptime::UptimeError;
use webhooks::WebhooksError;

#[derive(Debug, thiserror::Error)]
pub enum IncidentsError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Webhooks(#[from] WebhooksError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Uptime(#[from] UptimeError),
    #[error("stored JSON is not what it should be")]
    Json(#[from] serde_json::Error),
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
    /// Somebody else was faster.
    #[error("it was changed meanwhile: read it again, and change what is there now")]
    Changed,
}

platform::from_sqlx!(IncidentsError);

impl IncidentsError {
    /// A single invalid field.
    pub fn invalid(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }
}

impl From<IncidentsError> for ApiError {
    fn from(error: IncidentsError) -> Self {
        match error {
            IncidentsError::Db(error) => error.into(),
            IncidentsError::Jobs(error) => error.into(),
            IncidentsError::Mail(error) => error.into(),
            IncidentsError::Webhooks(error) => error.into(),
            IncidentsError::Auth(error) => error.into(),
            IncidentsError::Uptime(error) => error.into(),
            IncidentsError::NotFound(what) => Self::not_found(what),
            IncidentsError::Invalid(errors) => Self::validation(errors),
            IncidentsError::Conflict(code, detail) => Self::conflict(code, detail),
            error @ IncidentsError::Managed => Self::conflict("managed", error.to_string()),
            error @ IncidentsError::Changed => Self::conflict("changed_meanwhile", error.to_string()),
            error @ (IncidentsError::Seal(_) | IncidentsError::Json(_)) => Self::internal(error),
        }
    }
}
