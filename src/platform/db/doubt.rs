//! Connections that may have come back to the pool inside a transaction that failed.
//!
//! The statement that opens a transaction can fail after its `BEGIN`: it is cancelled, or the server stood still until its time was
//! over. sqlx then returns the connection as it is, and every later `BEGIN` on it fails. Asking each connection that comes back would
//! be a fifth of what a short read costs the server: so they are asked only while there is a reason to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{Executor as _, PgConnection, Row as _};
use tokio::time::Instant;

use super::IDLE;

/// So long after a failed begin: until then, its connection was used again, which raises the doubt again, or closed because it was idle.
const LASTS: Duration = IDLE.saturating_mul(2);

/// Whether the connections of a pool are to be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    since: Instant,
    /// Until when, milliseconds after `since`; 0 when there never was any.
    until: Arc<AtomicU64>,
}

impl Default for Doubt {
    fn default() -> Self {
        Self { since: Instant::now(), until: Arc::default() }
    }
}

impl Doubt {
    /// A begin has failed.
    pub fn raise(&self, error: &sqlx::Error) {
        // The others never had a transaction: there was no connection, or it is gone.
        if matches!(error, sqlx::Error::Database(_) | sqlx::Error::BeginFailed) {
            let until = self.since.elapsed().saturating_add(LASTS);
            self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    pub fn is_raised(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until > 0 && self.since.elapsed() < Duration::from_millis(until)
    }
}

/// Whether a begin failed because of the transaction that was open before it: `in_failed_sql_transaction`.
pub(super) fn is_of_another(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("25P02"))
}

/// False where the connection is inside a transaction that works; an error where that has failed. It is closed either way.
pub(super) async fn is_clean(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // In an implicit transaction both are the same instant; inside a block that somebody left open the statement is younger. A simple
    // query: the messages of a prepared one have timestamps of their own.
    let clean: bool = conn.fetch_one("SELECT now() = statement_timestamp()").await?.try_get(0)?;
    if !clean {
        tracing::warn!("a connection came back inside an open transaction: closed it");
    }
    Ok(clean)
}
