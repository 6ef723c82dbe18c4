//! What waits to be written, and what is left of it when the database is away for longer than memory lasts.
//!
//! When `uptime.memory_mb` is full, the oldest minute of checks is thinned: time, duration, outcome and reason stay, and are written as checks later.
//! When all of them are thin, the oldest go. Changes of status are kept in any case; above a hundred thousand, only the first and the last of each
//! monitor.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::metrics::{Dropped, ProberMetrics};
use crate::{
    events::{MonitorDown, MonitorEnding, MonitorUp},
    model::{Check, MonitorId, Outcome, Phases, Reason, Status, Transition},
    store::{checks::CheckRow, spans::SpanRow, state::StateWrite},
};

/// Checks of one transaction.
const BATCH: usize = 5000;
/// Changes of one transaction.
const CHANGES: usize = 1000;
/// So many checks are written without waiting for the second.
const FULL: usize = 1000;
/// Changes that are kept one by one.
const MOST_CHANGES: usize = 100_000;

/// A change of status that is to be written.
#[derive(Clone, Debug)]
pub struct Changed {
    pub span: SpanRow,
    pub transition: Transition,
    /// Of the outage that begins, goes on or ends.
    pub outage_started_at: Option<DateTime<Utc>>,
}

impl Changed {
    /// For other rooms, if an outage begins.
    pub fn down(&self) -> Option<MonitorDown> {
        let transition = &self.transition;
        let outage_id = transition.outage.filter(|_| transition.is == Status::Down)?;
        Some(MonitorDown {
            monitor_id: transition.monitor,
            outage_id,
            key: transition.key.clone(),
            cause: transition.cause,
            started_at: self.outage_started_at.unwrap_or(transition.started_at),
            told: transition.told,
        })
    }

    /// For other rooms, if an outage ends.
    pub fn up(&self) -> Option<MonitorUp> {
        let transition = &self.transition;
        let outage_id = transition.outage.filter(|_| transition.is == Status::Up)?;
        Some(MonitorUp {
            monitor_id: transition.monitor,
            outage_id,
            key: transition.key.clone(),
            started_at: self.outage_started_at.unwrap_or(transition.started_at),
            ended_at: transition.started_at,
            told: transition.told,
        })
    }
}

/// What is written at once.
#[derive(Debug, Default)]
pub struct Batch {
    pub checks: Vec<CheckRow>,
    pub changes: Vec<Changed>,
    pub states: Vec<StateWrite>,
    pub endings: Vec<(Option<Uuid>, MonitorEnding)>,
    /// Of the duty for which changes, states and endings were found. `None`: this process does not have it.
    pub term: Option<i64>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.changes.is_empty() && self.states.is_empty() && self.endings.is_empty()
    }
}

/// A check of which only this is left.
#[derive(Clone, Copy, Debug)]
struct Thin {
    at: DateTime<Utc>,
    org: Option<Uuid>,
    number: i32,
    total: i32,
    outcome: Outcome,
    reason: Option<Reason>,
    attempt: i16,
    maintenance: bool,
}

#[derive(Debug, Default)]
struct Queue {
    /// Older than `checks`.
    thin: VecDeque<Thin>,
    checks: VecDeque<CheckRow>,
    /// Of texts in `checks`.
    texts: usize,
    changes: VecDeque<Changed>,
    states: HashMap<MonitorId, StateWrite>,
    endings: Vec<(Option<Uuid>, MonitorEnding)>,
    term: Option<i64>,
}

impl Queue {
    fn bytes(&self) -> usize {
        self.thin.len() * size_of::<Thin>() + self.checks.len() * size_of::<CheckRow>() + self.texts
    }
}

/// The queue to the database.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    most_bytes: usize,
    metrics: ProberMetrics,
}

impl Outbox {
    pub fn new(memory_mb: u64, metrics: ProberMetrics) -> Self {
        let most_bytes = usize::try_from(memory_mb.saturating_mul(1024 * 1024)).unwrap_or(usize::MAX);
        Self { queue: Mutex::default(), wake: Notify::new(), most_bytes, metrics }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn check(&self, row: CheckRow) {
        let mut queue = self.queue();
        queue.texts += row.check.error.as_ref().map_or(0, String::len);
        queue.checks.push_back(row);
        if queue.bytes() > self.most_bytes {
            self.shrink(&mut queue);
        }
        let is_full = queue.checks.len() >= FULL;
        self.metrics.in_memory(queue.checks.len() + queue.thin.len());
        drop(queue);
        if is_full {
            self.wake.notify_one();
        }
    }

    /// A change is written at once.
    pub fn change(&self, changed: Changed, state: StateWrite) {
        let mut queue = self.queue();
        queue.states.insert(state.monitor, state);
        queue.changes.push_back(changed);
        if queue.changes.len() > MOST_CHANGES {
            let merged = merge(&mut queue.changes);
            self.metrics.dropped(Dropped::Memory, merged);
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Of each monitor the last one counts.
    pub fn state(&self, state: StateWrite) {
        self.queue().states.insert(state.monitor, state);
    }

    pub fn ending(&self, org: Option<Uuid>, event: MonitorEnding) {
        self.queue().endings.push((org, event));
    }

    /// Waits for something that does not wait for the second.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Checks that wait.
    pub fn waiting(&self) -> usize {
        let queue = self.queue();
        queue.checks.len() + queue.thin.len()
    }

    /// The oldest, in the order of time.
    pub fn take(&self) -> Batch {
        let mut queue = self.queue();
        let thin = queue.thin.len().min(BATCH);
        let mut checks: Vec<CheckRow> = queue.thin.drain(..thin).map(whole).collect();
        let rest = queue.checks.len().min(BATCH - thin);
        for row in queue.checks.drain(..rest).collect::<Vec<_>>() {
            queue.texts = queue.texts.saturating_sub(row.check.error.as_ref().map_or(0, String::len));
            checks.push(row);
        }
        let is_all = queue.checks.is_empty() && queue.thin.is_empty();
        let until = checks.last().map(|row| row.check.at).filter(|_| !is_all);
        let ready = queue
            .changes
            .iter()
            .take(CHANGES)
            .take_while(|changed| until.is_none_or(|until| changed.transition.confirmed_at <= until));
        let ready = ready.count();
        let changes: Vec<Changed> = queue.changes.drain(..ready).collect();
        // A state says what follows from all changes: it goes with the last of them.
        let has_more = !queue.changes.is_empty();
        let states = if has_more { Vec::new() } else { std::mem::take(&mut queue.states).into_values().collect() };
        let endings = std::mem::take(&mut queue.endings);
        self.metrics.in_memory(queue.checks.len() + queue.thin.len());
        Batch { checks, changes, states, endings, term: queue.term }
    }

    /// From now on what is found is of this term; changes of an earlier one are forgotten.
    pub fn begin(&self, term: i64) {
        self.forget_changes();
        self.queue().term = Some(term);
    }

    /// Changes of a term that another process has taken over are not written: its own are the truth. Checks are, because they were made.
    pub fn forget_changes(&self) {
        let mut queue = self.queue();
        let dropped = queue.changes.len();
        queue.changes.clear();
        queue.states.clear();
        queue.endings.clear();
        queue.term = None;
        drop(queue);
        if dropped > 0 {
            tracing::warn!(changes = dropped, "changes of monitors are not written: another process checks them now");
        }
        self.metrics.dropped(Dropped::Fenced, u64::try_from(dropped).unwrap_or(u64::MAX));
    }

    /// Thins the oldest minute; without one, drops the oldest thin one.
    fn shrink(&self, queue: &mut Queue) {
        let minute = |at: DateTime<Utc>| at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at);
        // The newest minute stays whole.
        let newest = queue.checks.back().map(|row| minute(row.check.at));
        let oldest = queue.checks.front().map(|row| minute(row.check.at)).filter(|oldest| Some(*oldest) != newest);
        if let Some(oldest) = oldest {
            let mut folded = 0;
            while let Some(row) = queue.checks.pop_front_if(|row| minute(row.check.at) == oldest) {
                queue.texts = queue.texts.saturating_sub(row.check.error.as_ref().map_or(0, String::len));
                queue.thin.push_back(thin(&row));
                folded += 1;
            }
            self.metrics.folded(folded);
            return;
        }
        let Some(oldest) = queue.thin.front().map(|thin| minute(thin.at)) else {
            // A single minute that does not fit: its oldest half goes.
            let half = queue.checks.len() / 2;
            for row in queue.checks.drain(..half).collect::<Vec<_>>() {
                queue.thin.push_back(thin(&row));
            }
            queue.texts = queue.checks.iter().map(|row| row.check.error.as_ref().map_or(0, String::len)).sum();
            self.metrics.folded(u64::try_from(half).unwrap_or(u64::MAX));
            return;
        };
        let before = queue.thin.len();
        queue.thin.retain(|thin| minute(thin.at) != oldest);
        let lost = before - queue.thin.len();
        self.metrics.dropped_checks(Dropped::Memory, u64::try_from(lost).unwrap_or(u64::MAX));
    }
}

fn thin(row: &CheckRow) -> Thin {
    let check = &row.check;
    Thin {
        at: check.at,
        org: row.org,
        number: row.number,
        total: check.total,
        outcome: check.outcome,
        reason: check.reason,
        attempt: check.attempt,
        maintenance: check.maintenance,
    }
}

fn whole(thin: Thin) -> CheckRow {
    let check = Check {
        at: thin.at,
        outcome: thin.outcome,
        reason: thin.reason,
        attempt: thin.attempt,
        total: thin.total,
        phases: Phases::default(),
        code: None,
        lag: 0,
        maintenance: thin.maintenance,
        address: None,
        error: None,
    };
    CheckRow { number: thin.number, org: thin.org, check }
}

/// Leaves the first and the last change of each monitor. Returns how many went.
fn merge(changes: &mut VecDeque<Changed>) -> u64 {
    let mut ends: HashMap<MonitorId, (usize, usize)> = HashMap::new();
    for (place, changed) in changes.iter().enumerate() {
        ends.entry(changed.transition.monitor).or_insert((place, place)).1 = place;
    }
    let (before, mut place) = (changes.len(), 0);
    changes.retain(|changed| {
        let is_end =
            ends.get(&changed.transition.monitor).is_some_and(|(first, last)| [*first, *last].contains(&place));
        place += 1;
        is_end
    });
    u64::try_from(before - changes.len()).unwrap_or(u64::MAX)
}
