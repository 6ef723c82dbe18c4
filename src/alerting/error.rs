//! Errors of alerting.

use axum::http::StatusCode;

use super::alertmanager::AlertmanagerError;
use jobs::JobsError;
use platform::{
    db::DbError,
    error::{ApiError, FieldError},
};
use webhooks::WebhooksError;

#[derive(Debug, thiserror::Error)]
pub enum AlertingError {
    #[error(
        "no alerts are accepted yet: set alerting.token_file to the file with Alertmanager's token (`authorization` of its webhook receiver)"
    )]
    NoToken,
    #[error(
        "the token is wrong: Alertmanager's webhook receiver must send the one in alerting.token_file as `Authorization: Bearer`"
    )]
    WrongToken,
    #[error("version {0:?} of Alertmanager's webhook format is not supported, only 4")]
    UnknownVersion(String),
    #[error("none of the alerts can be read")]
    Unreadable(Vec<FieldError>),
    #[error("no such alert")]
    NotFound,
    #[error(transparent)]
    Alertmanager(#[from] AlertmanagerError),
    #[error("fields are invalid")]
    Invalid(Vec<FieldError>),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Webhooks(#[from] WebhooksError),
    #[error("cannot be encoded as JSON")]
    Json(#[from] serde_json::Error),
}

platform::from_sqlx!(AlertingError);

impl From<AlertingError> for ApiError {
    fn from(error: AlertingError) -> Self {
        match error {
            // Not 404: Alertmanager retries after a 5xx, so nothing is lost until the token is set.
            AlertingError::NoToken => Self::new(StatusCode::SERVICE_UNAVAILABLE, "alerting_off", error.to_string()),
            AlertingError::WrongToken => {
                Self::new(StatusCode::UNAUTHORIZED, "invalid_alerting_token", error.to_string())
            }
            AlertingError::UnknownVersion(_) => {
                Self::validation(vec![FieldError::new("/version", "unknown_version", error.to_string())])
            }
            AlertingError::Unreadable(errors) => {
                let text = "none of the alerts can be read";
                Self { errors, ..Self::bad_request("invalid_value", text) }
            }
            AlertingError::NotFound => Self::not_found("alert"),
            AlertingError::Alertmanager(error) => error.into(),
            AlertingError::Invalid(errors) => Self::validation(errors),
            AlertingError::Db(error) => error.into(),
            AlertingError::Jobs(error) => error.into(),
            AlertingError::Webhooks(error) => error.into(),
            AlertingError::Json(_) => Self::internal(error),
        }
    }
}
