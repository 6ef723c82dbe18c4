//! Errors of webhooks.

use jobs::JobsError;
use platform::{
    crypto::SealError,
    db::DbError,
    error::{ApiError, FieldError},
};

#[derive(Debug, thiserror::Error)]
pub enum WebhooksError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("a message cannot be encoded as JSON")]
    Message(#[from] serde_json::Error),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("some fields are invalid")]
    Invalid(Vec<FieldError>),
    #[error("an organisation has at most {0} endpoints")]
    TooMany(i64),
    #[error("this endpoint is disabled: enable it first")]
    Disabled,
    #[error("this message is not queued: it was delivered or given up")]
    NotQueued,
}

platform::from_sqlx!(WebhooksError);

impl From<WebhooksError> for ApiError {
    fn from(error: WebhooksError) -> Self {
        match error {
            WebhooksError::Db(error) => error.into(),
            WebhooksError::Jobs(error) => error.into(),
            WebhooksError::NotFound(what) => Self::not_found(what),
            WebhooksError::Invalid(errors) => Self::validation(errors),
            error @ WebhooksError::TooMany(_) => Self::conflict("too_many_endpoints", error.to_string()),
            error @ WebhooksError::Disabled => Self::conflict("endpoint_disabled", error.to_string()),
            error @ WebhooksError::NotQueued => Self::conflict("delivery_not_queued", error.to_string()),
            error @ (WebhooksError::Seal(_) | WebhooksError::Message(_)) => Self::internal(error),
        }
    }
}
