//! Errors of events.

use crate::{jobs::JobsError, platform::db::DbError};

/// Events could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
}

crate::from_sqlx!(EventsError);
