//! Detects connections that return to the pool inside a failed transaction.
//!
//! The statement that opens a transaction can fail after its `BEGIN`: it is cancelled, or it times out on a stalled server. sqlx then
//! returns the connection as it is, and every later `BEGIN` on it fails. Checking every returned connection would add a fifth to the
//! server's cost of a short read, so they are checked only for a while after a failed begin.

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

/// Time after a failed begin during which connections are checked. By then its connection was either used again, which extends the check,
/// or closed as idle.
const CHECK_PERIOD: Duration = IDLE.saturating_mul(2);

/// Whether returned connections of a pool are checked. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ConnectionCheck {
    since: Instant,
    /// End of the checks, milliseconds after `since`; 0: never started.
    until: Arc<AtomicU64>,
}

impl Default for ConnectionCheck {
    fn default() -> Self {
        Self { since: Instant::now(), until: Arc::default() }
    }
}

impl ConnectionCheck {
    /// Called when a begin failed.
    pub fn start(&self, error: &sqlx::Error) {
        // Other errors leave no transaction: there was no connection, or it is gone.
        if matches!(error, sqlx::Error::Database(_) | sqlx::Error::BeginFailed) {
            let until = self.since.elapsed().saturating_add(CHECK_PERIOD);
            self.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    pub fn is_active(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until > 0 && self.since.elapsed() < Duration::from_millis(until)
    }
}

/// Whether a begin failed because of an earlier open transaction: `in_failed_sql_transaction`.
pub(super) fn is_aborted_transaction(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("25P02"))
}

/// False if the connection is inside a live transaction; an error if that transaction has failed. Either way the connection is closed.
pub(super) async fn is_clean(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // In an implicit transaction both times are equal; inside an open block the statement's is later. A simple query, because the messages
    // of a prepared one have timestamps of their own.
    let clean: bool = conn.fetch_one("SELECT now() = statement_timestamp()").await?.try_get(0)?;
    if !clean {
        tracing::warn!("a connection came back inside an open transaction: closed it");
    }
    Ok(clean)
}
