//! Errors of a log search, and their HTTP answers.

use axum::http::StatusCode;

use platform::error::{ApiError, FieldError};

/// A search failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogsError {
    #[error("the request is invalid")]
    Invalid(Vec<FieldError>),
    /// With Loki's message, or why it could not be reached.
    #[error("Loki cannot be searched: {0}")]
    Loki(String),
}

impl From<LogsError> for ApiError {
    fn from(error: LogsError) -> Self {
        match error {
            LogsError::Invalid(errors) => Self::validation(errors),
            error @ LogsError::Loki(_) => Self::new(StatusCode::BAD_GATEWAY, "loki_unavailable", error.to_string()),
        }
    }
}
