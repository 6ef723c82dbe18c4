//! Errors of notices. Only jobs meet them, which are tried again.

use agents::AgentError;
use alerting::AlertingError;
use auth::AuthError;
use backup::BackupError;
use jobs::JobsError;
use mail::MailError;
use platform::db::DbError;

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
    /// It will not become better.
    #[error("the event {0} cannot be read: {1}")]
    Unreadable(String, String),
}

platform::from_sqlx!(NoticesError);
