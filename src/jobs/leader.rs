//! One process of the installation is its leader: what reads or sweeps whole tables runs there, and in no other process.
//!
//! The lease is a row that expires by the database's clock: a leader that is killed, frozen or cut off from the database stops renewing
//! it, and another process has it at most [`LEASE`] later. (A session lock would not do: the kernel of a frozen process keeps its
//! connection alive.) A leader goes by its own clock as well, counted from before it asked: it stops at that time whether or not it
//! hears of its successor, and one that was paused looks at the clock before it goes on. What remains is a statement that was on its way
//! when the pause began; so whatever a leader does must be harmless when it is done twice.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Jobs, JobsError,
    store::{self, Standing},
    worker::{LogOnChange, jittered},
};
use crate::{
    label_enum,
    platform::{crypto, db::DbError},
};

/// A lost leader is replaced this much later at most.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Three chances to keep the lease. A candidate looks as often, and when the lease that it found ends.
const RENEW: Duration = Duration::from_secs(4);

label_enum! {
    /// Duties that one process has.
    pub enum Lease {
        /// Figures of whole tables, and sweeps: any process that serves.
        Upkeep = "upkeep",
        /// Firing schedules: a worker, because a schedule that no worker is there for is missed, and not queued up.
        Schedules = "schedules",
    }
}

/// A process's part in the election for one duty. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Leader(Arc<State>);

#[derive(Debug)]
struct State {
    lease: Lease,
    id: Uuid,
    /// Until when this process leads, by its own clock.
    until: watch::Sender<Option<Instant>>,
}

impl Leader {
    pub(super) fn new(lease: Lease) -> Self {
        let id = Uuid::from_bytes(crypto::random_bytes());
        Self(Arc::new(State { lease, id, until: watch::Sender::new(None) }))
    }

    /// Whether this process leads now.
    pub(super) fn leads(&self) -> bool {
        self.0.until.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until this process leads.
    pub(super) async fn elected(&self) {
        let mut changes = self.0.until.subscribe();
        while !self.leads() {
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }

    /// Runs `work` for as long as this process leads; `None` when that ended first. Looks at the clock before each step of `work`.
    pub(super) async fn while_leading<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut changes = self.0.until.subscribe();
        let mut work = pin!(work);
        loop {
            let until = (*changes.borrow_and_update()).filter(|until| Instant::now() < *until)?;
            let guarded =
                poll_fn(|context| if Instant::now() < until { work.as_mut().poll(context) } else { Poll::Pending });
            tokio::select! {
                biased;
                () = sleep_until(until) => {}
                _ = changes.changed() => {}
                done = guarded => return Some(done),
            }
        }
    }

    /// Stands for election, and keeps the lease once it has it, until the shutdown begins; then gives it back.
    pub(super) async fn run(self, jobs: Jobs, soft: CancellationToken) {
        let mut errors = LogOnChange::new("stand for election as leader");
        self.show(&jobs);
        while !soft.is_cancelled() {
            let asked = Instant::now();
            // A frozen server answers nothing, and breaks no connection either.
            let patience = RENEW.min(self.left().unwrap_or(RENEW));
            let found = timeout(patience, self.stand(&jobs)).await;
            let found = found.unwrap_or_else(|_| Err(DbError::from(sqlx::Error::PoolTimedOut).into()));
            let mut wait = jittered(RENEW);
            match errors.watch(found) {
                Some(Standing::Ours { term }) => self.won(&jobs, term, asked + LEASE),
                Some(Standing::Theirs { seconds }) => {
                    self.lost(&jobs, "another process has taken over");
                    wait = wait.min(Duration::from_secs_f64(seconds.clamp(0.05, LEASE.as_secs_f64())));
                }
                None => wait = Duration::from_secs(1),
            }
            if self.left() == Some(Duration::ZERO) {
                self.lost(&jobs, "the lease could not be renewed");
            }
            let wait = self.left().map_or(wait, |left| wait.min(left));
            tokio::select! { () = soft.cancelled() => {}, () = sleep(wait) => {} }
        }
        self.resign(&jobs).await;
    }

    /// Time that is left of the lease, where this process thought that it led.
    fn left(&self) -> Option<Duration> {
        (*self.0.until.borrow()).map(|until| until.saturating_duration_since(Instant::now()))
    }

    async fn stand(&self, jobs: &Jobs) -> Result<Standing, JobsError> {
        let mut tx = jobs.db().system().await?;
        let standing = store::stand(&mut tx, self.0.lease.as_str(), self.0.id, LEASE).await?;
        tx.commit().await?;
        Ok(standing)
    }

    fn won(&self, jobs: &Jobs, term: i64, until: Instant) {
        let led = self.0.until.send_replace(Some(until)).is_some();
        if !led {
            jobs.metrics().elected(self.0.lease);
            let (lease, process) = (self.0.lease.as_str(), self.0.id);
            tracing::info!(lease, term, %process, "this process is the leader for {lease}");
        }
        self.show(jobs);
    }

    fn lost(&self, jobs: &Jobs, why: &'static str) {
        if self.0.until.send_replace(None).is_some() {
            let (lease, process) = (self.0.lease.as_str(), self.0.id);
            tracing::warn!(lease, %process, why, "this process is no longer the leader for {lease}: {why}");
        }
        self.show(jobs);
    }

    fn show(&self, jobs: &Jobs) {
        jobs.metrics().leads(self.0.lease, self.leads());
    }

    /// Where the database is away the lease ends by itself.
    async fn resign(&self, jobs: &Jobs) {
        if self.0.until.send_replace(None).is_none() {
            return;
        }
        self.show(jobs);
        let lease = self.0.lease.as_str();
        let resigned = async {
            let mut tx = jobs.db().system().await?;
            store::resign(&mut tx, lease, self.0.id).await?;
            tx.commit().await?;
            Ok::<_, JobsError>(())
        };
        match timeout(RENEW, resigned).await {
            Ok(Ok(())) => {
                tracing::info!(lease, process = %self.0.id, "this process has given up the lead for {lease}: it ends")
            }
            Ok(Err(error)) => tracing::debug!(lease, %error, "the lease is left to end by itself"),
            Err(_) => tracing::debug!(lease, "the lease is left to end by itself: the database does not answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(until: Option<Duration>) -> Leader {
        let leader = Leader::new(Lease::Upkeep);
        leader.0.until.send_replace(until.map(|left| Instant::now() + left));
        leader
    }

    #[tokio::test]
    async fn work_ends_with_the_lease_and_goes_on_where_that_is_renewed() {
        let short = leader(Some(Duration::from_millis(50)));
        let never = std::future::pending::<()>();
        assert_eq!(short.while_leading(never).await, None);
        assert!(!short.leads());
        let renewed = leader(Some(Duration::from_millis(50)));
        let work = async {
            sleep(Duration::from_millis(20)).await;
            renewed.0.until.send_replace(Some(Instant::now() + Duration::from_secs(60)));
            sleep(Duration::from_millis(100)).await;
            7
        };
        assert_eq!(renewed.while_leading(work).await, Some(7));
        assert_eq!(leader(None).while_leading(std::future::ready(7)).await, None, "who does not lead does nothing");
    }

    /// As a process that is stopped and continued: its thread comes back later than its lease lasted.
    #[tokio::test]
    async fn what_was_paused_looks_at_the_clock_before_its_next_step() {
        let paused = leader(Some(Duration::from_millis(30)));
        let mut acted = false;
        let work = async {
            tokio::task::yield_now().await;
            #[expect(clippy::disallowed_methods, reason = "a pause of the thread itself")]
            std::thread::sleep(Duration::from_millis(60));
            tokio::task::yield_now().await;
            acted = true;
        };
        assert_eq!(paused.while_leading(work).await, None);
        assert!(!acted, "it went on after its lease");
    }
}
