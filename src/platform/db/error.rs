//! What can go wrong between us and the database.

/// A database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("database error")]
    Sql(#[from] sqlx::Error),
    #[error("database task ended early")]
    Task(#[from] tokio::task::JoinError),
}

impl DbError {
    /// Whether trying again shortly may help: the server is away, restarting, or out of connections.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Sql(
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Protocol(_),
            ) => true,
            Self::Sql(sqlx::Error::Database(e)) => {
                // Classes 08 (connection exception), 57P0x (shutdown, crash, cannot connect now), 53300 (too many connections).
                e.code().is_some_and(|c| c.starts_with("08") || c.starts_with("57P") || c == "53300")
            }
            Self::Task(_) | Self::Sql(_) => false,
        }
    }

    /// Whether a text held what PostgreSQL cannot keep: NUL (22021 in text, 22P05 in jsonb).
    pub fn is_bad_text(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().is_some_and(|c| c == "22021" || c == "22P05"))
    }

    /// Name of the constraint that was violated.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Sql(e) => constraint(e),
            Self::Task(_) => None,
        }
    }
}

/// Name of the constraint that was violated: the schema owns the invariant, the caller maps it to an error code.
pub fn constraint(error: &sqlx::Error) -> Option<&str> {
    match error {
        sqlx::Error::Database(e) => e.constraint(),
        _ => None,
    }
}
