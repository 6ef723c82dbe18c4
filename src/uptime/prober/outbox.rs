//! What waits to be written, and what is left of it when the database is away for longer than memory lasts.
//!
//! When `uptime.memory_mb` is full, the oldest minute of checks is thinned: time, duration, outcome and reason stay, and are written as checks later.
//! When all of them are thin, the oldest go. Changes of status are kept in any case; above a hundred thousand, only the first and the last of each
//! monitor.

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
        Batch { checks, changes, states, endings }
    }

    /// Changes of a term that another process has taken over are not written: its own are the truth. Checks are, because they were made.
    pub fn forget_changes(&self) {
        let mut queue = self.queue();
        let dropped = queue.changes.len();
        queue.changes.clear();
        queue.states.clear();
        queue.endings.clear();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Owner, SpanId};
    use prometheus_client::registry::Registry;

    fn start() -> DateTime<Utc> {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    fn outbox(bytes: usize) -> Outbox {
        let metrics = ProberMetrics::register(&mut Registry::default());
        Outbox { most_bytes: bytes, ..Outbox::new(1, metrics) }
    }

    fn row(second: i64, error: Option<&str>) -> CheckRow {
        let check = Check {
            at: start() + TimeDelta::seconds(second),
            outcome: if error.is_some() { Outcome::Down } else { Outcome::Up },
            reason: error.map(|_| Reason::Status),
            attempt: 1,
            total: 1234,
            phases: Phases { connect: Some(7), ..Phases::default() },
            code: Some(200),
            lag: 3,
            maintenance: false,
            address: None,
            error: error.map(str::to_owned),
        };
        CheckRow { number: 1, org: None, check }
    }

    fn changed(monitor: u128, second: i64, is: Status) -> (Changed, StateWrite) {
        let (id, at) = (MonitorId(Uuid::from_u128(monitor)), start() + TimeDelta::seconds(second));
        let span = SpanRow {
            id: SpanId(Uuid::from_u128(u128::try_from(second).unwrap())),
            org: None,
            monitor: id.0,
            status: is.as_str(),
            starts_at: at,
            ends_at: None,
            confirmed_at: at,
            cause: Cause::Check.as_str(),
            because_of: None,
            outage: None,
            told: true,
            error: None,
        };
        let transition = Transition {
            span: span.id,
            monitor: id,
            owner: Owner::Installation,
            key: "shop".into(),
            name: "Shop".into(),
            group: None,
            parent: None,
            host: None,
            tags: Vec::new(),
            was: Status::Unknown,
            is,
            cause: Cause::Check,
            outage: Some(span.id),
            told: true,
            started_at: at,
            confirmed_at: at,
            degraded: None,
            error: None,
            late: false,
        };
        let state = StateWrite {
            monitor: id,
            status: is.as_str(),
            because_of: None,
            since: at,
            outage: None,
            outage_told: false,
            degraded: None,
            flapping_since: None,
            error: None,
            certificate: None,
            certificate_ends_at: None,
            domain_ends_at: None,
        };
        (Changed { span, transition, outage_started_at: None }, state)
    }

    #[test]
    fn the_ring_overflows_and_says_so() {
        // Room for about two minutes of one check a second.
        let outbox = outbox(120 * size_of::<CheckRow>());
        for second in 0..600 {
            outbox.check(row(second, (second % 10 == 0).then_some("it failed")));
        }
        let mut all = Vec::new();
        loop {
            let batch = outbox.take();
            if batch.is_empty() {
                break;
            }
            all.extend(batch.checks);
        }
        let seconds: Vec<i64> = all.iter().map(|row| (row.check.at - start()).num_seconds()).collect();
        assert!(seconds.is_sorted() && seconds.last() == Some(&599), "{seconds:?}");
        let (thin, whole): (Vec<_>, Vec<_>) = all.iter().partition(|row| row.check.code.is_none());
        assert!(whole.len() >= 60 && thin.len() > whole.len(), "{} thin, {} whole", thin.len(), whole.len());
        // What is thin still says when, how long, how and why.
        let failed = thin.iter().find(|row| row.check.outcome == Outcome::Down).unwrap();
        assert_eq!((failed.check.reason, failed.check.total, &failed.check.error), (Some(Reason::Status), 1234, &None));
        let folded = outbox.metrics.folded_so_far();
        assert_eq!(folded, u64::try_from(thin.len()).unwrap() + (600 - u64::try_from(all.len()).unwrap()));
    }

    #[test]
    fn a_change_goes_with_the_checks_of_its_time_and_its_state_with_the_last_change() {
        let outbox = outbox(usize::MAX);
        for second in 0..6000 {
            outbox.check(row(second, None));
        }
        for (second, is) in [(100, Status::Down), (5500, Status::Up)] {
            let (changed, state) = changed(1, second, is);
            outbox.change(changed, state);
        }
        let first = outbox.take();
        assert_eq!((first.checks.len(), first.changes.len(), first.states.len()), (5000, 1, 0));
        assert!(first.changes[0].down().is_some() && first.changes[0].up().is_none());
        let second = outbox.take();
        assert_eq!((second.checks.len(), second.changes.len(), second.states.len()), (1000, 1, 1));
        assert_eq!((second.states[0].status, second.changes[0].up().is_some()), ("up", true));
        assert!(outbox.take().is_empty());
    }

    #[test]
    fn of_too_many_changes_the_first_and_the_last_of_each_monitor_stay() {
        let mut changes: VecDeque<Changed> = (0..10).map(|second| changed(1, second, Status::Down).0).collect();
        changes.push_back(changed(2, 20, Status::Down).0);
        assert_eq!(merge(&mut changes), 8);
        let left: Vec<i64> = changes.iter().map(|one| (one.transition.started_at - start()).num_seconds()).collect();
        assert_eq!(left, [0, 9, 20]);
    }

    #[test]
    fn changes_of_a_lost_term_go_and_checks_stay() {
        let outbox = outbox(usize::MAX);
        outbox.check(row(0, None));
        let (changed, state) = changed(1, 1, Status::Down);
        outbox.change(changed, state);
        outbox.forget_changes();
        let batch = outbox.take();
        assert_eq!((batch.checks.len(), batch.changes.len(), batch.states.len()), (1, 0, 0));
    }
}
