//! Database errors.

use std::time::Duration;

use axum::http::StatusCode;

use crate::error::ApiError;

/// A database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("database error")]
    Sql(#[from] sqlx::Error),
    #[error("database task ended early")]
    Task(#[from] tokio::task::JoinError),
}

/// Lets `?` turn a `sqlx::Error` into an error of a room, through its variant `Db(#[from] DbError)`.
#[macro_export]
macro_rules! from_sqlx {
    ($error:ident) => {
        impl From<sqlx::Error> for $error {
            fn from(error: sqlx::Error) -> Self {
                Self::Db(error.into())
            }
        }
    };
}

impl DbError {
    /// Whether a retry soon may succeed: the server is away, restarting, out of connections or disk space, or another session holds a lock.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Sql(
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Protocol(_),
            ) => true,
            Self::Sql(sqlx::Error::Database(e)) => {
                // Classes 08 (connection exception), 57P0x (shutdown, crash, cannot connect now), 53300 (too many connections).
                e.code().is_some_and(|c| c.starts_with("08") || c.starts_with("57P") || c == "53300")
                    || self.is_locked()
                    || self.is_disk_full()
            }
            Self::Task(_) | Self::Sql(_) => false,
        }
    }

    /// Lock timeout (55P03) or deadlock (40P01).
    pub fn is_locked(&self) -> bool {
        self.has_code(&["55P03", "40P01"])
    }

    /// Whether the server's disk is full (53100).
    pub fn is_disk_full(&self) -> bool {
        self.has_code(&["53100"])
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().is_some_and(|c| codes.contains(&&*c)))
    }

    /// Whether a text contains NUL, which PostgreSQL cannot store (22021 in text, 22P05 in jsonb).
    pub fn is_bad_text(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().is_some_and(|c| c == "22021" || c == "22P05"))
    }

    /// Name of the violated constraint.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Sql(e) => constraint(e),
            Self::Task(_) => None,
        }
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        if error.is_disk_full() {
            Self::disk_full("the database").with_source(error)
        } else if error.is_locked() {
            let locked = "another session holds a lock in the database that this needs: try again";
            let after = Some(Duration::from_secs(5));
            Self { retry_after: after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_locked", locked) }
                .with_source(error)
        } else if error.is_unavailable() {
            Self::unavailable(
                Duration::from_secs(2),
                "the database does not answer right now: it is away, or busy with others",
            )
            .with_source(error)
        } else if error.is_bad_text() {
            Self::bad_request("invalid_text", "a text contains the NUL character, which cannot be stored")
                .with_source(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

/// Name of the violated constraint: the schema owns the invariant, the caller maps it to an error code.
pub fn constraint(error: &sqlx::Error) -> Option<&str> {
    match error {
        sqlx::Error::Database(e) => e.constraint(),
        _ => None,
    }
}
