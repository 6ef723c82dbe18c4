//! Writes what waits: once a second, with a change at once. What is not written waits, and a batch whose commit was not answered is written again: keys
//! make that harmless. What the database refuses for what it contains is dropped (`saving.rs`): it would be refused again for ever.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use super::{
    metrics::{Dropped, ProberMetrics},
    outbox::{Batch, Outbox},
    saving,
};
use crate::{
    Uptime, UptimeError,
    model::{Figures, Transition},
    store::{checks, state},
};
use jobs::{Duty, Standing};
use platform::ids::OrgId;

/// Between two batches.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that neither answers nor breaks the connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// The prober says at least so often that it is alive.
const ALIVE: Duration = Duration::from_secs(5);
/// What is written later than this after it happened is late.
const LATE: TimeDelta = TimeDelta::seconds(30);

/// What the writer is told of the prober, and tells it.
#[derive(Debug, Default)]
pub struct Progress {
    /// By observed time, how far it is; `None`: it does not check.
    pub now: Option<DateTime<Utc>>,
    pub revision: i64,
    pub figures: Figures,
    /// Since when nothing could be written.
    pub unwritten_since: Option<DateTime<Utc>>,
}

pub type SharedProgress = Arc<std::sync::Mutex<Progress>>;

pub struct Writer {
    pub uptime: Uptime,
    pub outbox: Arc<Outbox>,
    pub duty: Duty,
    pub metrics: ProberMetrics,
    pub progress: SharedProgress,
}

impl Writer {
    /// Until the shutdown begins; then what waits is written once more.
    pub async fn run(self) {
        let soft = self.uptime.inner.lifecycle.soft().clone();
        let (mut batch, mut named, mut alive) = (Batch::default(), HashSet::new(), Instant::now() - ALIVE);
        loop {
            let is_last = soft.is_cancelled();
            if !is_last {
                tokio::select! { () = sleep(PAUSE) => {}, () = self.outbox.woken() => {}, () = soft.cancelled() => {} }
            }
            let standing = self.duty.standing();
            self.show_unwritten();
            // Nobody knows yet whose the duty is: what was found waits.
            if matches!(standing, Standing::Unsure { .. }) && !is_last {
                self.note_unwritten("the lease has ended, and the database does not answer");
                continue;
            }
            if batch.is_empty() {
                batch = self.outbox.take();
            }
            let is_due = matches!(standing, Standing::Ours { .. }) && alive.elapsed() >= ALIVE;
            if batch.is_empty() && !is_due {
                if is_last {
                    return;
                }
                if standing == Standing::Theirs {
                    // Another process writes now.
                    self.progress().unwritten_since = None;
                }
                continue;
            }
            let written = timeout(PATIENCE, self.write(&batch, standing, &mut named)).await;
            match written.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into())) {
                Ok(()) => {
                    batch = Batch::default();
                    alive = Instant::now();
                    self.note_written();
                }
                Err(error) => {
                    self.note_unwritten(&platform::error::chain(&error));
                    // Unknown whether an hour was named in a transaction that failed.
                    named.clear();
                    if is_last {
                        return;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn write(
        &self,
        batch: &Batch,
        standing: Standing,
        named: &mut HashSet<DateTime<Utc>>,
    ) -> Result<(), UptimeError> {
        let began = Instant::now();
        let mut tx = self.uptime.system().await?;
        let term = match standing {
            Standing::Ours { term } if self.duty.holds(&mut tx, term).await? => Some(term),
            _ => None,
        };
        if !batch.checks.is_empty() {
            saving::checks(&mut tx, &batch.checks, &self.metrics).await?;
            let now = self.uptime.inner.clock.now();
            let hours = hours(batch, named, now);
            if !hours.is_empty() {
                checks::open_hours(&mut tx, &hours).await?;
            }
        }
        // What waits here may be of a term that has ended meanwhile.
        match term {
            Some(term) if batch.term == Some(term) => self.write_changes(&mut tx, batch, term).await?,
            _ if !batch.changes.is_empty() => {
                let count = batch.changes.len();
                tracing::warn!(changes = count, "changes of monitors are not written: another process checks them now");
                self.metrics.dropped(Dropped::Fenced, u64::try_from(count).unwrap_or(u64::MAX));
            }
            _ => {}
        }
        if let Some(term) = term {
            self.say_alive(&mut tx, term).await?;
        }
        tx.commit().await?;
        if !batch.checks.is_empty() {
            self.metrics.wrote(batch.checks.len(), began.elapsed());
        }
        Ok(())
    }

    async fn write_changes(&self, tx: &mut PgConnection, batch: &Batch, term: i64) -> Result<(), UptimeError> {
        let (clock, now) = (&self.uptime.inner.clock, self.uptime.inner.clock.now());
        let fresh = saving::changes(tx, term, &batch.changes, &self.metrics).await?;
        saving::states(tx, term, now, &batch.states, &self.metrics).await?;
        if !batch.changes.is_empty() {
            self.tell(tx, batch).await?;
        }
        for changed in batch.changes.iter().filter(|changed| fresh.contains(&changed.span.id.0)) {
            let org = changed.span.org.map(OrgId);
            if let Some(event) = changed.down() {
                events::publish(tx, clock, org, &event).await?;
            }
            if let Some(event) = changed.up() {
                events::publish(tx, clock, org, &event).await?;
            }
        }
        for (org, event) in &batch.endings {
            events::publish(tx, clock, org.map(OrgId), event).await?;
        }
        Ok(())
    }

    async fn say_alive(&self, tx: &mut PgConnection, term: i64) -> Result<(), UptimeError> {
        let progress = {
            let progress = self.progress();
            progress.now.map(|now| (now, progress.revision, progress.figures))
        };
        if let Some((now, revision, figures)) = progress {
            state::alive(tx, term, now, revision, serde_json::to_value(figures)?).await?;
        }
        Ok(())
    }

    /// Tells the witness, in a savepoint: its fault loses no check. The event of the change tells it again.
    async fn tell(&self, tx: &mut PgConnection, batch: &Batch) -> Result<(), UptimeError> {
        let Some(witness) = self.uptime.inner.witness.get() else { return Ok(()) };
        let now = self.uptime.inner.clock.now();
        let with_lateness = |transition: &Transition| {
            let late = now - transition.confirmed_at > LATE;
            Transition { late, ..transition.clone() }
        };
        let all: Vec<Transition> = batch.changes.iter().map(|changed| with_lateness(&changed.transition)).collect();
        let mut inner = tx.begin().await?;
        match witness.changed(&mut inner, &all).await {
            Ok(()) => inner.commit().await?,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(
                    error,
                    changes = all.len(),
                    "changes of monitors could not be told: their events do it"
                );
                inner.rollback().await?;
            }
        }
        Ok(())
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// For the metric: how long nothing could be written.
    fn show_unwritten(&self) {
        let (now, since) = (self.uptime.inner.clock.now(), self.progress().unwritten_since);
        self.metrics.unwritten(since.map_or(0.0, |since| (now - since).as_seconds_f64().max(0.0)));
    }

    /// Logs when it begins.
    fn note_unwritten(&self, error: &str) {
        let now = self.uptime.inner.clock.now();
        let is_first = {
            let mut progress = self.progress();
            let is_first = progress.unwritten_since.is_none();
            progress.unwritten_since.get_or_insert(now);
            is_first
        };
        if !is_first {
            return;
        }
        let waiting = self.outbox.waiting();
        tracing::warn!(event = "uptime.checks_kept", error, waiting, "checks cannot be written: they wait in memory");
    }

    fn note_written(&self) {
        let since = self.progress().unwritten_since.take();
        if let Some(since) = since {
            let seconds = (self.uptime.inner.clock.now() - since).num_seconds();
            let waiting = self.outbox.waiting();
            tracing::info!(event = "uptime.checks_written", seconds, waiting, "checks are written again");
        }
    }
}

/// Hours that the rollup must hear of: those that this writer has not named, and those that were over when their checks came.
fn hours(batch: &Batch, named: &mut HashSet<DateTime<Utc>>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let hour = |at: DateTime<Utc>| at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at);
    let found: HashSet<DateTime<Utc>> = batch.checks.iter().map(|row| hour(row.check.at)).collect();
    let is_over = |hour: &DateTime<Utc>| *hour + TimeDelta::hours(1) <= now;
    let mut hours: Vec<_> = found.into_iter().filter(|hour| is_over(hour) || !named.contains(hour)).collect();
    hours.sort_unstable();
    named.retain(|hour| !is_over(hour));
    named.extend(hours.iter().copied().filter(|hour| !is_over(hour)));
    hours
}
