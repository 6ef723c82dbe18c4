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
    /// Whether trying again shortly may help: the server is away, restarting, out of connections or of room, or another session is
    /// in the way.
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

    /// Whether another session's lock was waited for in vain (55P03), or two waited for each other (40P01).
    pub fn is_locked(&self) -> bool {
        self.has_code(&["55P03", "40P01"])
    }

    /// Whether the server has no room on its disk (53100).
    pub fn is_disk_full(&self) -> bool {
        self.has_code(&["53100"])
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().is_some_and(|c| codes.contains(&&*c)))
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
