//! Metrics of queues, schedules and workers, read from the database and exported by every serving process, because they show whether
//! the workers or the leader are gone; the tables are small.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{By, Jobs, JobsError, Loops, Registry, store, worker::LEASE};

/// Prometheus usually scrapes every 15 s.
const EVERY: Duration = Duration::from_secs(10);
/// Values older than this are exported as unknown (NaN).
const STALE: Duration = Duration::from_secs(30);

/// Reads until the shutdown begins.
pub(super) fn start(jobs: &Jobs, registry: Registry, loops: &Loops) {
    let (jobs, registry, read_at) = (jobs.clone(), Arc::new(registry), Arc::new(Mutex::new(Instant::now())));
    loops.every("jobs.figures", EVERY, By::EveryProcess, move || {
        let (jobs, registry, read_at) = (jobs.clone(), registry.clone(), read_at.clone());
        async move {
            // A frozen server neither answers nor breaks the connection.
            let found = timeout(EVERY, refresh(&jobs, &registry)).await;
            let mut read_at = read_at.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(found, Ok(Ok(()))) {
                *read_at = Instant::now();
            } else if read_at.elapsed() > STALE {
                jobs.metrics().unknown(&registry.queues(), &registry.schedule_names());
            }
            Ok(found??)
        }
    });
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
