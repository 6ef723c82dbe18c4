//! Extends this worker's leases, all in one statement.

use std::sync::{Arc, PoisonError};

use tokio::time::{Instant, sleep, timeout};

use super::{HEARTBEAT, LEASE, LogOnChange, Stop, Worker};
use crate::{
    JobId, JobsError,
    store::{self, Beat, Held},
};
use platform::db::DbError;

/// Runs until the shutdown has begun and no job is left: draining jobs keep their leases too.
pub(super) async fn run(worker: Arc<Worker>) {
    let (soft, mut freed) = (worker.lifecycle.soft(), worker.freed.subscribe());
    let mut errors = LogOnChange::new("extend leases");
    loop {
        if soft.is_cancelled() {
            // The last job may end at any moment; the tracker should not wait for a whole heartbeat then.
            let _ = timeout(HEARTBEAT, freed.changed()).await;
        } else {
            tokio::select! { () = sleep(HEARTBEAT) => {}, () = soft.cancelled() => {} }
        }
        if worker.running().is_empty() {
            if soft.is_cancelled() {
                return;
            }
            continue;
        }
        let sent = Instant::now();
        if let Some((asked, held)) = errors.watch(beat(&worker).await) {
            worker.liveness.extended();
            apply(&worker, &asked, &held, sent);
        }
        give_up_expired(&worker);
    }
}

/// Extends the leases; returns what was asked for and what still holds.
async fn beat(worker: &Worker) -> Result<(Vec<(JobId, i32)>, Vec<Held>), JobsError> {
    let beats: Vec<Beat> = worker
        .running()
        .iter()
        .map(|(id, job)| Beat {
            id: *id,
            lease_no: job.lease_no,
            progress: job.progress.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
        .collect();
    let extend = async {
        let mut tx = worker.jobs.db().system().await?;
        let held = store::heartbeat(&mut tx, &beats, LEASE).await?;
        tx.commit().await?;
        Ok::<_, JobsError>(held)
    };
    // A server that neither answers nor breaks the connection must not use up the time for the next heartbeat.
    let held = timeout(2 * HEARTBEAT, extend)
        .await
        .unwrap_or_else(|_| Err(DbError::from(sqlx::Error::PoolTimedOut).into()))?;
    Ok((beats.iter().map(|b| (b.id, b.lease_no)).collect(), held))
}

fn apply(worker: &Worker, asked: &[(JobId, i32)], held: &[Held], sent: Instant) {
    let running = worker.running();
    for (id, lease_no) in asked {
        // It may have ended, or been leased anew, while the statement ran.
        let Some(job) = running.get(id).filter(|job| job.lease_no == *lease_no) else { continue };
        match held.iter().find(|h| h.id == *id) {
            Some(answer) => {
                *job.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                if answer.cancel_requested {
                    job.stop(Stop::Cancelled);
                }
            }
            None => job.stop(Stop::Lost),
        }
    }
}

/// Stops attempts whose lease must have expired while the database was unreachable: another worker may have them.
fn give_up_expired(worker: &Worker) {
    for job in worker.running().values() {
        if job.confirmed.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > LEASE {
            job.stop(Stop::Lost);
        }
    }
}
