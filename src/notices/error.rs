//! Errors of notices: jobs are tried again, pages say them.

use agents::AgentError;
use alerting::AlertingError;
use auth::AuthError;
use backup::BackupError;
use jobs::JobsError;
use mail::MailError;
use platform::{db::DbError, error::ApiError};

#[derive(Debug, thiserror::Error)]
pub enum NoticesError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Alerting(#[from] AlertingError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Agents(#[from] AgentError),
    /// A page that was made before the person changed their organisation, or their role was changed.
    #[error("these notices are not mailed to you, or no longer: open the page again")]
    NoChoice,
    /// It will not become better.
    #[error("the event {0} cannot be read: {1}")]
    Unreadable(String, String),
}

platform::from_sqlx!(NoticesError);

impl From<NoticesError> for ApiError {
    fn from(error: NoticesError) -> Self {
        match error {
            NoticesError::Db(error) => error.into(),
            NoticesError::Mail(error) => error.into(),
            NoticesError::Auth(error) => error.into(),
            NoticesError::NoChoice => Self::conflict("no_such_choice", error.to_string()),
            error => Self::internal(error),
        }
    }
}
