//! What follows from a check: rows for the database, changes of status, what others must be told; and what is looked after each second.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::{
    beats::{Report, Said},
    metrics::Counts,
    task::{BEATS, Task},
    watched::new_span,
};
use crate::{
    events::MonitorEnding,
    model::{Cause, Degraded, Failure, Figures, LiveView, MonitorId, Observation, Owner, Phases, Reason, Status},
    schedule::state::{Change, Effect, Parent},
    text,
};

/// A check that has not come back so long after its timeout is lost with its task.
const LOST: Duration = Duration::from_secs(30);
/// Monitors that are copied for pages in a second, at most.
const VIEWED: u32 = 2000;

/// An observation without an attempt: what others report, or what could not be asked.
pub fn failed(at: DateTime<Utc>, reason: Reason, text: &str) -> Observation {
    let failure = Failure { reason, text: text::sentence(text) };
    Observation { failures: vec![failure], ..well(at) }
}

fn well(at: DateTime<Utc>) -> Observation {
    Observation {
        at,
        failures: Vec::new(),
        total: 0,
        phases: Phases::default(),
        address: None,
        code: None,
        certificate: None,
        domain_ends_at: None,
        http: None,
        degraded: None,
        note: None,
    }
}

/// With what the sender says of it.
fn sender_failed(message: &str) -> String {
    let message = message.trim();
    let said = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("its sender reported a failure{said}")
}

impl Task {
    /// A check, or what counts as one.
    pub(super) fn found(&mut self, index: u32, seen: Observation, lag: Duration) {
        let now = self.observed.at(Instant::now());
        let parent = self.parent(index);
        let mut ids = new_span(&self.uptime.inner.clock);
        let Some(watched) = self.get_mut(index) else { return };
        let rules = watched.definition.rules;
        let (outcome, effects) = watched.state.observe(&rules, &seen, now, parent.as_ref(), &mut ids);
        let (row, kind) = (watched.row(&seen, outcome, lag), watched.definition.kind);
        let took = Duration::from_micros(u64::try_from(seen.total).unwrap_or(0));
        // It began before the clock went back, or another host's clock is ahead: nothing is later than now.
        watched.last_started = watched.last_started.max(Some(seen.at.min(now)));
        watched.keep(seen, now);
        self.outbox.check(row);
        self.metrics.checked(kind, outcome, took);
        self.apply(index, effects, now);
        self.judge_children(index, now);
    }

    fn parent(&self, index: u32) -> Option<Parent> {
        let parent = self.get(index)?.definition.parent?;
        self.get(*self.by_id.get(&parent)?)?.as_parent()
    }

    /// Children that wait for what is known of this one now.
    fn judge_children(&mut self, index: u32, now: DateTime<Utc>) {
        let Some(id) = self.get(index).map(|watched| watched.definition.id) else { return };
        let children = self.children();
        for child in children.get(&id).into_iter().flatten() {
            self.judge_again(*child, now);
        }
    }

    fn judge_again(&mut self, index: u32, now: DateTime<Utc>) {
        if !self.get(index).is_some_and(|watched| watched.state.is_waiting()) {
            return;
        }
        let parent = self.parent(index);
        let mut ids = new_span(&self.uptime.inner.clock);
        let Some(watched) = self.get_mut(index) else { return };
        let effects = watched.state.judge_again(now, parent.as_ref(), &mut ids);
        self.apply(index, effects, now);
        self.judge_children(index, now);
    }

    pub(super) fn apply(&mut self, index: u32, effects: Vec<Effect>, now: DateTime<Utc>) {
        let mut is_changed = false;
        for effect in effects {
            match effect {
                Effect::Status(change) => self.status_changed(index, change),
                Effect::Suspected => self.suspected(index),
                // Looked at again with each check of the parent, and each second.
                Effect::Waits(_) => {}
                Effect::Ending { what, ends_at, days } => self.ending(index, what, ends_at, days),
                Effect::Flapping(is_flapping) => {
                    is_changed = true;
                    self.log_flapping(index, is_flapping, now);
                }
                Effect::Row => is_changed = true,
            }
        }
        if let Some(watched) = self.get(index).filter(|_| is_changed) {
            self.outbox.state(watched.state_row());
        }
    }

    fn status_changed(&mut self, index: u32, change: Change) {
        let Some(watched) = self.get(index) else { return };
        let (id, key, is, cause) = (watched.definition.id, watched.definition.key.as_str(), change.is, change.cause);
        let (told, error) = (change.told, change.error.as_deref().unwrap_or_default());
        let (was, cause) = (change.was.as_str(), cause.as_str());
        match is {
            Status::Down => {
                tracing::warn!(event = "uptime.monitor_down", monitor = %id, key, cause, told, error, "monitor {key} is down");
            }
            Status::Up if change.outage.is_some() => {
                tracing::info!(event = "uptime.monitor_up", monitor = %id, key, told, "monitor {key} is up again");
            }
            _ => tracing::debug!(monitor = %id, key, was, is = is.as_str(), cause, "monitor {key} is {}", is.as_str()),
        }
        self.outbox.change(watched.changed(change), watched.state_row());
        self.metrics.changed(is);
    }

    fn ending(&mut self, index: u32, what: Degraded, ends_at: DateTime<Utc>, days: i16) {
        let Some(definition) = self.get(index).map(|watched| watched.definition.clone()) else { return };
        let (key, what_ends) = (definition.key.as_str(), what.as_str());
        tracing::warn!(event = "uptime.monitor_degraded", monitor = %definition.id, key, what = what_ends, %ends_at, days, "a {what_ends} ends soon");
        let event = MonitorEnding { monitor_id: definition.id, key: definition.key.clone(), what, ends_at, days };
        self.outbox.ending(definition.org(), event);
    }

    fn log_flapping(&self, index: u32, is_flapping: bool, now: DateTime<Utc>) {
        let Some(definition) = self.get(index).map(|watched| &watched.definition) else { return };
        let (id, key) = (definition.id, definition.key.as_str());
        tracing::info!(event = "uptime.monitor_flapping", monitor = %id, key, is_flapping, %now, "monitor {key}: flapping {is_flapping}");
    }

    /// A report of a heartbeat monitor.
    pub(super) fn beat(&mut self, report: Report) {
        let Report { monitor, beat, at, message } = report;
        let (instant, observed) = (Instant::now(), self.observed);
        let Some(index) = self.by_id.get(&monitor).copied() else { return };
        let Some(watched) = self.get_mut(index) else { return };
        let is_off = watched.definition.is_paused || watched.definition.is_removed;
        // The reader looks back: what is older than what was judged last is known, or was overtaken.
        if is_off || watched.last_started.is_some_and(|last| at <= last) {
            return;
        }
        let Some(beats) = watched.beats.as_mut() else { return };
        match beats.take(beat, at, |time| observed.moment(time, instant)) {
            Said::Known | Said::Begun => {}
            Said::Well => {
                let note = Some(text::sentence(&message)).filter(|note| !note.trim().is_empty());
                self.found(index, Observation { note, ..well(at) }, Duration::ZERO);
            }
            Said::Failed => {
                let seen = failed(at, Reason::BeatFailed, &sender_failed(&message));
                self.found(index, seen, Duration::ZERO);
            }
        }
    }

    /// Deadlines of beats: judged only while what others have taken can be seen.
    pub(super) fn judge_beats(&mut self, instant: Instant) {
        let is_sure = self.sure_since.is_some_and(|since| instant.duration_since(since) >= BEATS);
        let is_read = self.beats_read.is_some_and(|read| instant.duration_since(read) < BEATS * 2);
        if !is_sure || !is_read {
            return;
        }
        let observed = self.observed;
        for index in self.indices() {
            let Some(watched) = self.get_mut(index) else { continue };
            let is_off = watched.definition.is_paused || watched.definition.is_removed;
            let Some(beats) = watched.beats.as_mut().filter(|_| !is_off) else { continue };
            let Some((reason, at)) = beats.missed(instant, |time| observed.moment(time, instant)) else { continue };
            let text = match reason {
                Reason::RunTooLong => "a run has begun and not ended in time",
                _ => "no report has come in time",
            };
            self.found(index, failed(at, reason, text), Duration::ZERO);
        }
    }

    /// What waits, flaps, is late or lost.
    pub(super) fn look_after(&mut self, instant: Instant, now: DateTime<Utc>) {
        for index in self.indices() {
            self.judge_again(index, now);
            let Some(watched) = self.get_mut(index) else { continue };
            let effects = watched.state.calm(now);
            let (definition, target) = (watched.definition.clone(), watched.definition.target.clone());
            let timeout = TimeDelta::from_std(definition.timeout).unwrap_or(TimeDelta::MAX);
            let ran = watched.started.map(|started| instant.duration_since(started));
            let is_lost = watched.is_in_flight && ran.is_some_and(|ran| ran > definition.timeout + LOST);
            let is_late = watched.is_asked()
                && watched.state.suspect.is_none()
                && watched.last_started.is_some_and(|last| now - last > definition.interval * 3 + timeout);
            let is_known = watched.state.checked != Status::Unknown;
            if is_lost {
                // Its task has ended without a result, which only a fault of ours does.
                let run = watched.run;
                (watched.is_in_flight, watched.run) = (false, run.wrapping_add(1));
                let (id, key) = (definition.id, definition.key.as_str());
                tracing::error!(monitor = %id, key, "a check has ended without a result");
                self.lost.insert((id, run));
            }
            self.apply(index, effects, now);
            if is_lost {
                self.place_free(definition.owner, target.as_ref());
                self.plan_first(index, instant, false);
            } else if is_late && is_known {
                self.lose(index, now, now, Cause::Overload);
            }
        }
    }

    /// For the writer, pages and metrics.
    pub(super) fn report(&mut self, instant: Instant, now: DateTime<Utc>, revision: i64) {
        if instant.duration_since(self.minute) >= Duration::from_secs(60) {
            self.minute = instant;
            self.lags.rotate_right(1);
            if let Some(first) = self.lags.first_mut() {
                *first = 0;
            }
        }
        let figures = Figures {
            monitors: u32::try_from(self.by_id.len()).unwrap_or(u32::MAX),
            in_flight: u32::try_from(self.targets.running()).unwrap_or(u32::MAX),
            lag_ms: self.lags.iter().copied().max().unwrap_or(0),
            in_memory: u32::try_from(self.outbox.waiting()).unwrap_or(u32::MAX),
            stepped_at: self.stepped_at,
        };
        let unwritten_since = {
            let mut progress = self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            (progress.now, progress.revision, progress.figures) = (Some(now), revision, figures);
            progress.unwritten_since
        };
        // Copying ten thousand monitors each second would be work for nothing.
        let pause = Duration::from_secs(u64::from(figures.monitors / VIEWED).max(1));
        if instant.duration_since(self.viewed) + Duration::from_millis(50) < pause {
            return;
        }
        self.viewed = instant;
        self.metrics.count(&self.counts(now));
        let monitors: HashMap<MonitorId, _> =
            self.watched.iter().flatten().map(|watched| (watched.definition.id, watched.live())).collect();
        let view = LiveView { as_of: now, unwritten_since, figures, monitors };
        self.uptime.inner.live.store(Some(Arc::new(view)));
    }

    fn counts(&self, now: DateTime<Utc>) -> Counts {
        let mut counts = Counts::default();
        for watched in self.watched.iter().flatten() {
            let state = &watched.state;
            if let Some(place) = Status::ALL.iter().position(|status| *status == state.status)
                && let Some(count) = counts.statuses.get_mut(place)
            {
                *count += 1;
            }
            counts.flapping += u32::from(state.flapping_since.is_some());
            if watched.definition.owner == Owner::Installation {
                counts.ending(now, state.certificate_ends_at, state.domain_ends_at);
            }
        }
        counts
    }
}
