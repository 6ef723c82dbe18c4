//! What can go wrong with a search, and how clients are told.

use axum::http::StatusCode;

use crate::platform::error::{ApiError, FieldError};

/// A search failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogsError {
    #[error("the request is invalid")]
    Invalid(Vec<FieldError>),
    /// With what it said, or why it could not be asked.
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
