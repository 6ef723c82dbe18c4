//! `llm.retention`: deletes expired usage rows and cached vectors.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{metrics::Kept, service::Llm, store};
use jobs::{CatchUp, Cron, Job, JobsError, Registry};
use platform::db::DbError;

/// Rows per statement: a fraction of a second, so that nothing waits long for its locks.
const BATCH: i64 = 5000;

/// Nightly.
#[derive(Debug, Serialize, Deserialize)]
struct Retention {}

impl Job for Retention {
    const KIND: &'static str = "llm.retention";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(30);
}

/// Registers the job and its schedule.
pub fn register(registry: &mut Registry, llm: &Llm) -> Result<(), JobsError> {
    let llm = llm.clone();
    registry.register::<Retention, _, _>(move |context, _| {
        let llm = llm.clone();
        async move { Ok(llm.remove_expired(&context.cancel).await?) }
    });
    registry.schedule(Retention::KIND, Cron::parse("41 3 * * *", "UTC")?, CatchUp::One, &Retention {})
}

impl Llm {
    /// Deletes expired rows until none is left or `cancel` is set.
    pub async fn remove_expired(&self, cancel: &CancellationToken) -> Result<(), DbError> {
        let config = &self.inner.config;
        for (kept, days) in
            [(Kept::Usage, config.usage_retention_days), (Kept::Vectors, config.embedding.cache_retention_days)]
        {
            let before = self.clock().now() - TimeDelta::days(i64::from(days));
            let mut removed = 0;
            let result = self.remove_batches(kept, before, cancel, &mut removed).await;
            // Rows deleted before a failure count, too.
            self.inner.metrics.expired(kept, days, removed);
            result?;
        }
        Ok(())
    }

    async fn remove_batches(
        &self,
        kept: Kept,
        before: DateTime<Utc>,
        cancel: &CancellationToken,
        removed: &mut u64,
    ) -> Result<(), DbError> {
        while !cancel.is_cancelled() {
            let mut tx = self.inner.db.system().await?;
            let rows = match kept {
                Kept::Usage => store::delete_usage(&mut tx, before, BATCH).await?,
                Kept::Vectors => store::delete_vectors(&mut tx, before, BATCH).await?,
            };
            tx.commit().await?;
            *removed += rows;
            if rows < BATCH.unsigned_abs() {
                break;
            }
        }
        Ok(())
    }
}
