//! Leader election: work that reads or sweeps whole tables runs in one process of the installation only.
//!
//! The lease is a row that expires by the database's clock: a leader that is killed, frozen or cut off from the database stops renewing it,
//! and another process acquires it at most [`LEASE`] later. (A session lock would not do: the kernel keeps the connection of a frozen process
//! alive.) A leader also uses its own clock, counted from before its request: it stops at that time whether or not it learns of a successor,
//! and after a pause it checks the clock before it continues. A statement that was already sent when the pause began remains possible; so
//! the work of a leader must be harmless when done twice.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use sqlx::PgConnection;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Jobs, JobsError,
    store::{self, Candidacy},
    worker::{LogOnChange, jittered},
};
use platform::{crypto, db::DbError, label_enum};

/// Longest time until a lost leader is replaced.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Renewal interval: three attempts per lease. Candidates check as often, and when the lease that they saw expires.
const RENEW: Duration = Duration::from_secs(4);

label_enum! {
    /// Work that one process does.
    pub enum Lease {
        /// Figures of whole tables, and sweeps: any process that serves.
        Upkeep = "upkeep",
        /// Firing schedules: workers only, because a tick without any worker is missed and not queued.
        Schedules = "schedules",
        /// Checking monitors and rendering status pages: workers only. It goes on without the database: see [`Duty`].
        Prober = "prober",
    }
}

/// How this process stands with a duty that one process of the installation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has the duty. `term` grows with each change of the holder.
    Ours { term: i64 },
    /// Another process has it, or nobody, or this process does not stand for it.
    Theirs,
    /// The lease of this term ended because the database did not answer. As long as the database is away nobody can take the duty over; but if only
    /// this process is cut off, another has taken it.
    Unsure { term: i64 },
}

/// A duty that goes on while the database is away. Cheap to clone.
///
/// A process that was frozen learns too late that its lease has ended, and one that is cut off does not learn it at all: so whatever it writes for the
/// duty is fenced by [`Duty::holds`].
#[derive(Clone, Debug)]
pub struct Duty(pub(super) Leader);

impl Duty {
    /// How this process stands now, by its own clock.
    pub fn standing(&self) -> Standing {
        let standing = *self.0.0.standing.borrow();
        match standing {
            Standing::Ours { term } if !self.0.leads() => Standing::Unsure { term },
            standing => standing,
        }
    }

    /// Its changes, for waiting.
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.0.0.standing.subscribe()
    }

    /// Whether the duty is still this term's; if so, nobody takes it over before the transaction ends. A transaction that writes for the duty begins
    /// with it, as role `system`, and is rolled back if this is false.
    pub async fn holds(&self, conn: &mut PgConnection, term: i64) -> sqlx::Result<bool> {
        store::holds(conn, self.0.0.lease.as_str(), term).await
    }
}

/// This process's candidacy for one lease. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Leader(Arc<State>);

#[derive(Debug)]
struct State {
    lease: Lease,
    id: Uuid,
    /// End of this process's leadership, by its own clock.
    until: watch::Sender<Option<Instant>>,
    /// For a [`Duty`].
    standing: watch::Sender<Standing>,
}

impl Leader {
    pub(super) fn new(lease: Lease) -> Self {
        let id = Uuid::from_bytes(crypto::random_bytes());
        let (until, standing) = (watch::Sender::new(None), watch::Sender::new(Standing::Theirs));
        Self(Arc::new(State { lease, id, until, standing }))
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

    /// Runs `work` while this process leads; `None` if leadership ended first. Checks the clock before each poll of `work`.
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

    /// Tries to acquire the lease, and renews it, until the shutdown begins; then releases it.
    pub(super) async fn run(self, jobs: Jobs, soft: CancellationToken) {
        let mut errors = LogOnChange::new("stand for election as leader");
        self.show(&jobs);
        while !soft.is_cancelled() {
            let asked = Instant::now();
            // A frozen server neither answers nor breaks the connection.
            let limit = RENEW.min(self.left().unwrap_or(RENEW));
            let found = timeout(limit, self.stand(&jobs)).await;
            let found = found.unwrap_or_else(|_| Err(DbError::from(sqlx::Error::PoolTimedOut).into()));
            let mut wait = jittered(RENEW);
            match errors.watch(found) {
                Some(Candidacy::Ours { term }) => self.won(&jobs, term, asked + LEASE),
                Some(Candidacy::Theirs { seconds }) => {
                    self.lost(&jobs, "another process has taken over");
                    self.set_standing(|_| Standing::Theirs);
                    wait = wait.min(Duration::from_secs_f64(seconds.clamp(0.05, LEASE.as_secs_f64())));
                }
                None => wait = Duration::from_secs(1),
            }
            if self.left() == Some(Duration::ZERO) {
                self.lost(&jobs, "the lease could not be renewed");
                self.set_standing(|before| match before {
                    Standing::Ours { term } => Standing::Unsure { term },
                    other => other,
                });
            }
            let wait = self.left().map_or(wait, |left| wait.min(left));
            tokio::select! { () = soft.cancelled() => {}, () = sleep(wait) => {} }
        }
        self.resign(&jobs).await;
    }

    /// Remaining time of the lease, if this process held it.
    fn left(&self) -> Option<Duration> {
        (*self.0.until.borrow()).map(|until| until.saturating_duration_since(Instant::now()))
    }

    async fn stand(&self, jobs: &Jobs) -> Result<Candidacy, JobsError> {
        let mut tx = jobs.db().system().await?;
        let candidacy = store::stand(&mut tx, self.0.lease.as_str(), self.0.id, LEASE).await?;
        tx.commit().await?;
        Ok(candidacy)
    }

    /// Wakes those who wait for a change, if it is one.
    fn set_standing(&self, next: impl FnOnce(Standing) -> Standing) {
        self.0.standing.send_if_modified(|standing| {
            let before = *standing;
            *standing = next(before);
            *standing != before
        });
    }

    fn won(&self, jobs: &Jobs, term: i64, until: Instant) {
        let led = self.0.until.send_replace(Some(until)).is_some();
        self.set_standing(|_| Standing::Ours { term });
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

    /// Releases the lease. If the database is unreachable, it expires by itself.
    async fn resign(&self, jobs: &Jobs) {
        self.set_standing(|_| Standing::Theirs);
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
                tracing::info!(lease, process = %self.0.id, "this process has released the lease {lease}: it shuts down");
            }
            Ok(Err(error)) => tracing::debug!(lease, %error, "the lease was not released: it expires by itself"),
            Err(_) => tracing::debug!(lease, "the lease was not released: the database does not answer"),
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

    #[test]
    fn a_duty_is_in_doubt_as_soon_as_its_lease_has_ended() {
        let leader = leader(Some(Duration::from_secs(60)));
        let (duty, mut changes) = (Duty(leader.clone()), Duty(leader.clone()).changes());
        assert_eq!(duty.standing(), Standing::Theirs);
        leader.set_standing(|_| Standing::Ours { term: 3 });
        assert_eq!((duty.standing(), changes.has_changed().unwrap()), (Standing::Ours { term: 3 }, true));
        changes.mark_unchanged();
        leader.set_standing(|_| Standing::Ours { term: 3 });
        assert!(!changes.has_changed().unwrap(), "a renewal is no change");
        // Nobody has said so yet: the process was frozen.
        leader.0.until.send_replace(Some(Instant::now()));
        assert_eq!(duty.standing(), Standing::Unsure { term: 3 });
    }

    /// As a process that is stopped and continued: its thread comes back later than its lease lasted.
    #[tokio::test]
    async fn what_was_paused_looks_at_the_clock_before_its_next_step() {
        let paused = leader(Some(Duration::from_millis(30)));
        let mut acted = false;
        let work = async {
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(60));
            tokio::task::yield_now().await;
            acted = true;
        };
        assert_eq!(paused.while_leading(work).await, None);
        assert!(!acted, "it went on after its lease");
    }
}
