//! The state machine of one monitor. Pure: what was seen and what time it is are given, and what follows is returned.
//!
//! What checks say (`checked`: up, down, unknown) is kept apart from what is shown: a pause, a removal or a maintenance window covers it, and when that
//! ends the status is what the last checks gave. `down` and `up` are told as pairs: an `up` is told only if the outage that it ends was.

mod attention;
mod resume;
#[cfg(test)]
mod tests;
mod types;

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Cause, Degraded, MonitorId, Observation, Outcome, SpanId, Status};

pub use attention::Seen;
pub use resume::{Stored, StoredOutage};
pub use types::{Change, Cover, Effect, Ids, Outage, Parent, Rules, Suspect};

/// A monitor's state.
#[derive(Clone, Debug)]
pub struct State {
    /// What is shown.
    pub status: Status,
    pub since: DateTime<Utc>,
    cause: Cause,
    /// It is down only because of this one.
    pub parent: Option<MonitorId>,
    /// What checks say: up, down or unknown.
    pub checked: Status,
    unknown_because: Cause,
    pub outage: Option<Outage>,
    pub suspect: Option<Suspect>,
    /// Until when the parent's verdict is waited for.
    waits: Option<DateTime<Utc>>,
    /// Successes in a row while it is down, and when the first of them started.
    good: Option<(u16, DateTime<Utc>)>,
    pub last_ok_at: Option<DateTime<Utc>>,
    cover: Cover,
    /// Why it is down or degraded; of a part of the appliance that is well, what it says of itself.
    pub error: Option<String>,
    pub degraded: Option<Degraded>,
    slow_in_row: u8,
    pub certificate: Option<Seen>,
    pub certificate_ends_at: Option<DateTime<Utc>>,
    pub domain_ends_at: Option<DateTime<Utc>>,
    /// When it last went down or came up.
    flaps: VecDeque<DateTime<Utc>>,
    pub flapping_since: Option<DateTime<Utc>>,
}

impl State {
    /// Of a monitor that was never checked.
    pub fn new(since: DateTime<Utc>) -> Self {
        Self {
            status: Status::Unknown,
            since,
            cause: Cause::New,
            parent: None,
            checked: Status::Unknown,
            unknown_because: Cause::New,
            outage: None,
            suspect: None,
            waits: None,
            good: None,
            last_ok_at: None,
            cover: Cover::default(),
            error: None,
            degraded: None,
            slow_in_row: 0,
            certificate: None,
            certificate_ends_at: None,
            domain_ends_at: None,
            flaps: VecDeque::new(),
            flapping_since: None,
        }
    }

    pub fn cover(&self) -> Cover {
        self.cover
    }

    /// Whether it would be down, if its parent were not waited for.
    pub fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }

    /// An attempt has ended. Returns how it is stored.
    pub fn observe(
        &mut self,
        rules: &Rules,
        seen: &Observation,
        now: DateTime<Utc>,
        parent: Option<&Parent>,
        ids: Ids<'_>,
    ) -> (Outcome, Vec<Effect>) {
        let mut effects = Vec::new();
        self.note_ends(rules, seen, now, &mut effects);
        if seen.is_unable() {
            (self.suspect, self.waits, self.good) = (None, None, None);
            (self.checked, self.unknown_because, self.parent) = (Status::Unknown, Cause::Unable, None);
            self.error = seen.error();
            self.settle(seen.at, now, ids, &mut effects);
            return (Outcome::Unconfirmed, effects);
        }
        let outcome = if seen.is_up() {
            self.succeed(rules, seen, now, ids, &mut effects)
        } else {
            self.fail(rules, seen, now, parent, ids, &mut effects)
        };
        (outcome, effects)
    }

    fn succeed(
        &mut self,
        rules: &Rules,
        seen: &Observation,
        now: DateTime<Utc>,
        ids: Ids<'_>,
        effects: &mut Vec<Effect>,
    ) -> Outcome {
        self.last_ok_at = Some(seen.at);
        (self.suspect, self.waits) = (None, None);
        let was_down = self.checked == Status::Down || (self.checked == Status::Unknown && self.outage.is_some());
        let (count, first) = self.good.map_or((1, seen.at), |(count, first)| (count + 1, first));
        if was_down && count < rules.successes {
            self.good = Some((count, first));
            return Outcome::Up;
        }
        self.good = None;
        let degraded = self.judge_attention(rules, seen, now);
        if degraded != self.degraded {
            self.degraded = degraded;
            effects.push(Effect::Row);
        }
        if self.error != seen.note {
            self.error.clone_from(&seen.note);
            effects.push(Effect::Row);
        }
        if self.checked != Status::Up {
            (self.checked, self.parent) = (Status::Up, None);
            let first = if was_down { first } else { seen.at };
            self.settle(first, now, ids, effects);
        }
        if degraded.is_some() { Outcome::Degraded } else { Outcome::Up }
    }

    fn fail(
        &mut self,
        rules: &Rules,
        seen: &Observation,
        now: DateTime<Utc>,
        parent: Option<&Parent>,
        ids: Ids<'_>,
        effects: &mut Vec<Effect>,
    ) -> Outcome {
        self.good = None;
        self.slow_in_row = 0;
        // What is down only because of its parent is judged anew when that is up again.
        let is_parents = self.parent.is_some();
        let parent_is_down = parent.is_some_and(|parent| parent.checked == Status::Down);
        if self.checked == Status::Down && (!is_parents || parent_is_down) {
            self.error = seen.error();
            return Outcome::Down;
        }
        let suspect = self.suspect.get_or_insert(Suspect { first_failed_at: seen.at, attempts: 0, error: None });
        suspect.attempts = suspect.attempts.saturating_add(1);
        suspect.error = seen.error();
        let attempts = suspect.attempts;
        if attempts == 1 {
            effects.push(Effect::Suspected);
        }
        if attempts <= rules.retries {
            return Outcome::Unconfirmed;
        }
        self.judge(now, parent, ids, effects);
        Outcome::Down
    }

    /// The parent has changed, or has been waited for long enough.
    pub fn judge_again(&mut self, now: DateTime<Utc>, parent: Option<&Parent>, ids: Ids<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.waits.is_some() {
            self.judge(now, parent, ids, &mut effects);
        }
        effects
    }

    /// All attempts have failed.
    fn judge(&mut self, now: DateTime<Utc>, parent: Option<&Parent>, ids: Ids<'_>, effects: &mut Vec<Effect>) {
        let Some(suspect) = &self.suspect else { return };
        let because_of = match parent {
            Some(parent) if parent.checked == Status::Down => Some(parent.id),
            // It has not been well since: so it may be the cause, and is being asked.
            Some(parent) if parent.is_suspect || parent.last_ok_at.is_none_or(|ok| ok < suspect.first_failed_at) => {
                let until = *self.waits.get_or_insert(now + parent.patience);
                if now < until {
                    effects.push(Effect::Waits(until));
                    return;
                }
                None
            }
            _ => None,
        };
        let first = suspect.first_failed_at;
        self.error.clone_from(&suspect.error);
        (self.suspect, self.waits) = (None, None);
        if self.parent.is_some() && because_of.is_none() {
            // The parent's outage is over, this one is its own.
            self.outage = None;
        }
        (self.checked, self.parent, self.degraded) = (Status::Down, because_of, None);
        self.settle(first, now, ids, effects);
    }

    /// Paused, removed, a window: or no longer.
    pub fn set_cover(&mut self, cover: Cover, now: DateTime<Utc>, ids: Ids<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let before = std::mem::replace(&mut self.cover, cover);
        let stood = before.is_paused || before.is_removed;
        if stood && !cover.is_paused && !cover.is_removed {
            // Nobody knows what it is now.
            self.forget(if before.is_removed { Cause::Removed } else { Cause::ByHand });
        }
        self.settle(now, now, ids, &mut effects);
        effects
    }

    /// Nobody knows what it was from this time on, and what it is now: until the next check says.
    pub fn lose(&mut self, from: DateTime<Utc>, now: DateTime<Utc>, cause: Cause, ids: Ids<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.cover.is_paused || self.cover.is_removed {
            return effects;
        }
        self.forget(cause);
        self.settle(from, now, ids, &mut effects);
        effects
    }

    fn forget(&mut self, cause: Cause) {
        (self.checked, self.unknown_because, self.parent) = (Status::Unknown, cause, None);
        (self.suspect, self.waits, self.good, self.degraded) = (None, None, None, None);
    }

    /// What is shown: its status, why, and because of what.
    fn shown(&self) -> (Status, Cause, Option<uuid::Uuid>) {
        if self.cover.is_removed {
            return (Status::Unknown, Cause::Removed, None);
        }
        if self.cover.is_paused {
            return (Status::Paused, Cause::ByHand, None);
        }
        if let Some(window) = self.cover.window {
            return (Status::Maintenance, Cause::Window, Some(window.0));
        }
        match (self.checked, self.parent) {
            (Status::Down, Some(parent)) => (Status::Down, Cause::Parent, Some(parent.0)),
            (Status::Unknown, _) => (Status::Unknown, self.unknown_because, None),
            (checked, _) => (checked, Cause::Check, None),
        }
    }

    /// Shows what is so now. `at`: when it began.
    fn settle(&mut self, at: DateTime<Utc>, now: DateTime<Utc>, ids: Ids<'_>, effects: &mut Vec<Effect>) {
        let (is, cause, because_of) = self.shown();
        let was = self.status;
        let is_own_now = is == Status::Down && self.cause == Cause::Parent && cause == Cause::Check;
        let is_unknown_otherwise = is == Status::Unknown && self.cause != cause;
        if is == was && !is_own_now && !is_unknown_otherwise {
            return;
        }
        // A span cannot begin before the one before it, nor with it.
        let started_at = at.max(self.since + TimeDelta::microseconds(1));
        let span = ids();
        let (outage, told) = match is {
            Status::Down => self.go_down(span, started_at, cause),
            // Only what ended an outage is told, and only if that was told.
            Status::Up => (self.outage, self.outage.take().is_some_and(|outage| outage.told)),
            _ => (self.outage, false),
        };
        if matches!((was, is), (Status::Up | Status::Down, Status::Up | Status::Down)) && was != is {
            self.flap(now, effects);
        }
        (self.status, self.cause, self.since) = (is, cause, started_at);
        let error = self.error.clone().filter(|_| matches!(is, Status::Down | Status::Unknown));
        let confirmed_at = now.max(started_at);
        effects.push(Effect::Status(Change {
            span,
            was,
            is,
            cause,
            because_of,
            outage,
            told,
            started_at,
            confirmed_at,
            error,
        }));
    }

    /// An outage begins, or goes on after what only interrupted it: then it was told before, if at all.
    fn go_down(&mut self, span: SpanId, started_at: DateTime<Utc>, cause: Cause) -> (Option<Outage>, bool) {
        let is_own = cause == Cause::Check;
        let told = match &mut self.outage {
            Some(outage) => {
                let first_told = is_own && !outage.told;
                outage.told |= is_own;
                first_told
            }
            none => {
                *none = Some(Outage { id: span, started_at, told: is_own });
                is_own
            }
        };
        (self.outage, told)
    }
}
