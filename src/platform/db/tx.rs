//! A transaction that says how long it was open.

use std::ops::{Deref, DerefMut};

use prometheus_client::metrics::histogram::Histogram;
use sqlx::{PgConnection, Postgres};
use tokio::time::Instant;

/// A transaction; dropped without `commit()` it rolls back. What only reads is dropped: the rollback travels with the pool's own
/// ping, where a commit would be a round trip more, and those are most of a short read's cost.
#[derive(Debug)]
pub struct Tx {
    inner: sqlx::Transaction<'static, Postgres>,
    _timed: Timed,
}

impl Tx {
    pub(super) fn new(inner: sqlx::Transaction<'static, Postgres>, durations: Histogram) -> Self {
        Self { inner, _timed: Timed { began: Instant::now(), durations } }
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await
    }

    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

/// Observes at its end, whichever way the transaction came to it.
#[derive(Debug)]
struct Timed {
    began: Instant,
    durations: Histogram,
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.durations.observe(self.began.elapsed().as_secs_f64());
    }
}
