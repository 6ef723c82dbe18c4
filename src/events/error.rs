//! Errors of events.

use jobs::JobsError;
use platform::db::DbError;

/// Events could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
}

platform::from_sqlx!(EventsError);
