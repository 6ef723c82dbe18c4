//! A transaction that measures how long it was open.

use std::ops::{Deref, DerefMut};

use prometheus_client::metrics::histogram::Histogram;
use sqlx::{PgConnection, Postgres};
use tokio::time::Instant;

use crate::trace::Context;

/// A transaction; rolls back when dropped without `commit()`. Reads are dropped on purpose: the rollback is pipelined with the pool's own
/// ping, whereas a commit would add a round trip, most of the cost of a short read.
#[derive(Debug)]
pub struct Tx {
    inner: sqlx::Transaction<'static, Postgres>,
    _timed: Timed,
}

impl Tx {
    /// `asked`: when the caller, whose context is `context`, started to wait for it.
    pub(super) fn new(
        inner: sqlx::Transaction<'static, Postgres>,
        durations: Histogram,
        asked: Instant,
        context: Option<Context>,
    ) -> Self {
        Self { inner, _timed: Timed { asked, began: Instant::now(), durations, context } }
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

/// Observes the duration on drop, however the transaction ends.
#[derive(Debug)]
struct Timed {
    asked: Instant,
    began: Instant,
    durations: Histogram,
    context: Option<Context>,
}

impl Drop for Timed {
    fn drop(&mut self) {
        let now = Instant::now();
        self.durations.observe((now - self.began).as_secs_f64());
        if let Some(context) = &self.context {
            context.spent_in_database(now - self.asked);
        }
    }
}
