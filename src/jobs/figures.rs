//! Metrics of queues, schedules and workers, read from the database and exported by every serving process: exported by
//! workers only, they would disappear with the last worker.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Jobs, JobsError, Registry, store,
    worker::{LEASE, LogOnChange, jittered},
};
use crate::platform::db::DbError;

/// Prometheus usually scrapes every 15 s.
const EVERY: Duration = Duration::from_secs(10);
/// Values older than this are exported as unknown (NaN).
const STALE: Duration = Duration::from_secs(30);

/// Reads until the shutdown begins.
pub(super) async fn run(jobs: Jobs, registry: Registry, soft: CancellationToken) {
    let mut errors = LogOnChange::new("read the queue metrics");
    let mut read = Instant::now();
    while !soft.is_cancelled() {
        // A frozen server neither answers nor breaks the connection.
        let found = timeout(EVERY, refresh(&jobs, &registry)).await;
        let found = found.unwrap_or_else(|_| Err(DbError::from(sqlx::Error::PoolTimedOut).into()));
        if errors.watch(found).is_some() {
            read = Instant::now();
        } else if read.elapsed() > STALE {
            jobs.metrics().unknown(&registry.queues(), &registry.schedule_names());
        }
        tokio::select! { () = soft.cancelled() => {}, () = sleep(jittered(EVERY)) => {} }
    }
}

async fn refresh(jobs: &Jobs, registry: &Registry) -> Result<(), JobsError> {
    let names: Vec<String> = registry.schedule_names().into_iter().map(str::to_owned).collect();
    let mut tx = jobs.db().system().await?;
    let queues = store::queues(&mut tx).await?;
    let schedules = store::schedule_states(&mut tx, &names).await?;
    let workers = store::live_workers(&mut tx, LEASE.as_secs_f64()).await?;
    tx.commit().await?;
    for &name in &registry.schedule_names() {
        if let Some(state) = schedules.iter().find(|s| s.name == name) {
            jobs.metrics().schedule(name, state);
        }
    }
    for name in registry.queues() {
        let live = workers.iter().find(|(queue, _)| queue == name).map_or(0, |(_, live)| *live);
        jobs.metrics().queue(name, queues.iter().find(|q| q.name == name), live);
    }
    Ok(())
}
