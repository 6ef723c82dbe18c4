//! Whose turn it is: checks are started at their slots, and again after a failure that is not confirmed.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{definition::Definition, found::failed, metrics::Skipped, storm::RATE, targets::Place, task::Task};
use crate::{
    model::{Kind, MonitorId, Observation, Owner, Reason},
    probe::Prober,
    schedule::heap::mix,
};

/// First checks of many monitors are spread over this time at most.
const SPREAD: Duration = Duration::from_secs(30);

/// A domain whose registry could not be asked is looked at again after this time.
const UNABLE: Duration = Duration::from_secs(600);

/// A check that has ended.
#[derive(Debug)]
pub struct Done {
    index: u32,
    id: MonitorId,
    run: u32,
    /// By observed time.
    at: DateTime<Utc>,
    started: Instant,
    lag: Duration,
    owner: Owner,
    target: Option<Arc<str>>,
    seen: Observation,
}

impl Task {
    /// Starts what is due.
    pub(super) fn start_due(&mut self, now: Instant) {
        while let Some((_, index, generation)) = self.heap.pop(now) {
            let is_due = |watched: &super::watched::Watched| {
                watched.generation == generation && watched.is_asked() && !watched.is_in_flight && !watched.is_queued
            };
            if self.get(index).is_some_and(is_due) {
                self.start(index);
            }
        }
    }

    fn start(&mut self, index: u32) {
        let Some(definition) = self.get(index).map(|watched| watched.definition.clone()) else { return };
        let place = self.targets.take(index, definition.owner, definition.target.as_ref());
        let (now, observed) = (Instant::now(), self.observed);
        let Some(watched) = self.get_mut(index) else { return };
        watched.delayed = match place {
            Place::Taken => watched.delayed,
            Place::Full => Some(Skipped::InFlight),
            Place::Busy => Some(Skipped::SameTarget),
        };
        if place != Place::Taken {
            watched.is_queued = true;
            return;
        }
        (watched.is_queued, watched.is_in_flight, watched.run) = (false, true, watched.run.wrapping_add(1));
        watched.started = Some(now);
        let at = observed.at(now);
        // A further attempt has no slot.
        let is_first = watched.attempt == 1;
        let lag = if is_first { (at - watched.slot).to_std().unwrap_or_default() } else { Duration::ZERO };
        let (run, id) = (watched.run, definition.id);
        if is_first {
            self.metrics.started(lag);
            let millis = u32::try_from(lag.as_millis()).unwrap_or(u32::MAX);
            if let Some(longest) = self.lags.first_mut() {
                *longest = millis.max(*longest);
            }
        }
        self.metrics.in_flight(self.targets.running());
        let (probes, results) = (self.uptime.probes().clone(), self.results.0.clone());
        let lifecycle = &self.uptime.inner.lifecycle;
        let soft = lifecycle.soft().clone();
        lifecycle.spawn("uptime.check", async move {
            let seen =
                tokio::select! { seen = look(&probes, &definition, at) => seen, () = soft.cancelled() => return };
            let (owner, target) = (definition.owner, definition.target.clone());
            // Nobody listens: this process has lost the duty meanwhile.
            let _ = results.send(Done { index, id, run, at, started: now, lag, owner, target, seen });
        });
    }

    /// Gives a place back, and starts who waits for it.
    pub(super) fn place_free(&mut self, owner: Owner, target: Option<&Arc<str>>) {
        let mut next = self.targets.give(owner, target);
        while let Some(index) = next.pop() {
            let Some(watched) = self.get_mut(index).filter(|watched| watched.is_queued) else {
                // It is gone: whoever is behind it has the place.
                next.extend(self.targets.next(owner, target));
                continue;
            };
            watched.is_queued = false;
            if watched.is_asked() {
                self.start(index);
            } else {
                next.extend(self.targets.next(owner, target));
            }
        }
    }

    /// A check has ended.
    pub(super) fn ended(&mut self, done: Done) {
        // A lost check has given its place back already.
        if !self.lost.remove(&(done.id, done.run)) {
            self.place_free(done.owner, done.target.as_ref());
        }
        self.metrics.in_flight(self.targets.running());
        let is_its = |watched: &&mut super::watched::Watched| {
            watched.definition.id == done.id && watched.run == done.run && watched.is_in_flight
        };
        let Some(watched) = self.get_mut(done.index).filter(is_its) else { return };
        watched.is_in_flight = false;
        if !watched.is_asked() {
            return;
        }
        self.found(done.index, Observation { at: done.at, ..done.seen }, done.lag);
        self.plan_next(done.index, done.started);
    }

    fn plan_next(&mut self, index: u32, started: Instant) {
        let (now, observed) = (Instant::now(), self.observed);
        let time = observed.at(now);
        let Some(watched) = self.get_mut(index) else { return };
        watched.generation = watched.generation.wrapping_add(1);
        let generation = watched.generation;
        if let Some(after) = watched.retries_after() {
            watched.attempt = watched.attempt.saturating_add(1);
            self.heap.push((started + after).max(now), index, generation);
            return;
        }
        watched.attempt = 1;
        let is_unable = watched.last.as_ref().is_some_and(|last| last.observation.is_unable());
        if is_unable && watched.definition.kind == Kind::Domain {
            // Its interval is a day: so long nobody would know.
            let due = now + UNABLE;
            watched.slot = observed.at(due);
            self.heap.push(due, index, generation);
            return;
        }
        let missed = watched.grid.between(watched.slot, time);
        watched.slot = watched.grid.after(time);
        let due = observed.moment(watched.slot, now);
        let reason = watched.delayed.take().unwrap_or(Skipped::Busy);
        if missed > 0 {
            self.metrics.skipped(reason, missed);
        }
        self.heap.push(due, index, generation);
    }

    /// The first turn: after the start, a pause, a change. `spread`: of many at once, those that are overdue get theirs within some seconds.
    pub(super) fn plan_first(&mut self, index: u32, now: Instant, spread: bool) {
        let observed = self.observed;
        let time = observed.at(now);
        let Some(watched) = self.get_mut(index) else { return };
        watched.generation = watched.generation.wrapping_add(1);
        if !watched.is_asked() {
            return;
        }
        let generation = watched.generation;
        let interval = watched.definition.interval.to_std().unwrap_or(SPREAD);
        let slot = watched.last_started.map(|last| watched.grid.after(last)).filter(|slot| spread && *slot > time);
        // What is not confirmed yet is not left waiting for its slot.
        let slot = slot.filter(|_| watched.state.suspect.is_none());
        let due = match slot {
            Some(slot) => observed.moment(slot, now),
            None if spread => {
                let most = interval.min(SPREAD).as_millis().max(1);
                let (_, seed) = watched.definition.id.0.as_u64_pair();
                let wait = u128::from(mix(seed.rotate_left(7))) % most;
                now + Duration::from_millis(u64::try_from(wait).unwrap_or(0))
            }
            None => now,
        };
        watched.slot = observed.at(due);
        self.heap.push(due, index, generation);
    }

    /// Its next check is wanted sooner: once for each interval.
    pub(super) fn pull(&mut self, index: u32, due: Instant) {
        let observed = self.observed;
        let Some(watched) = self.get_mut(index) else { return };
        let interval = watched.definition.interval.to_std().unwrap_or(SPREAD);
        let is_pulled = watched.pulled_at.is_some_and(|pulled| due.duration_since(pulled) < interval);
        if !watched.is_asked()
            || watched.is_in_flight
            || watched.is_queued
            || is_pulled
            || watched.state.suspect.is_some()
        {
            return;
        }
        watched.pulled_at = Some(due);
        watched.generation = watched.generation.wrapping_add(1);
        watched.slot = observed.at(due);
        let generation = watched.generation;
        self.heap.push(due, index, generation);
    }

    /// A monitor has failed for the first time: its parent may be the cause, and so may be something that others share.
    pub(super) fn suspected(&mut self, index: u32) {
        let now = Instant::now();
        let Some(definition) = self.get(index).map(|watched| watched.definition.clone()) else { return };
        if let Some(parent) = definition.parent.and_then(|parent| self.by_id.get(&parent).copied()) {
            self.pull(parent, now);
        }
        let Some(shared) = self.storm.suspect(&definition, now) else { return };
        let others: Vec<u32> = self
            .indices()
            .into_iter()
            .filter(|index| self.get(*index).is_some_and(|w| shared.has(&w.definition)))
            .collect();
        let step = Duration::from_secs(1) / RATE;
        for (place, other) in (0_u32..).zip(others) {
            self.pull(other, now + step * place);
        }
    }
}

async fn look(probes: &Prober, definition: &Definition, at: DateTime<Utc>) -> Observation {
    match &definition.spec {
        Ok(spec) => probes.run(definition.owner, spec, &definition.secrets, definition.timeout).await,
        Err(error) => failed(at, Reason::Local, error),
    }
}
