//! A rule against the past: the same functions that tell, over outages that are known. Nobody acknowledges in it. Pure.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    flap::{self, Limits},
    grouping::{self, Opening},
    matching,
    merge::{self, New, Open},
    model::{Cause, ComponentId, Held, IncidentId, Rule, Severity, What, distinct},
    quiet,
};

/// Reminders of a step that are listed.
const REMINDERS: usize = 100;

/// An outage of the past.
#[derive(Clone, Debug)]
pub struct Past {
    pub cause: Cause,
    pub severity: Severity,
    /// When it was known: an outage is confirmed after its last attempt.
    pub known_at: DateTime<Utc>,
    pub components: Vec<ComponentId>,
}

/// A message that would have been sent, or held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Would {
    pub at: DateTime<Utc>,
    pub incident: usize,
    pub what: What,
    /// `None`: sent.
    pub held: Option<Held>,
}

/// An incident that would have been.
#[derive(Clone, Debug)]
pub struct WouldBe {
    pub name: String,
    pub severity: Severity,
    /// With the time when each was known, in their order.
    causes: Vec<(DateTime<Utc>, Cause)>,
    components: Vec<ComponentId>,
    started_at: DateTime<Utc>,
    opened_at: DateTime<Utc>,
    merge_key: Option<String>,
    joins_until: DateTime<Utc>,
    /// It became a part of another.
    merged_at: Option<DateTime<Utc>>,
}

impl WouldBe {
    fn of(past: &Past) -> Self {
        let (started_at, opened_at) = (past.cause.opened_at, past.known_at);
        Self {
            name: merge::outage_name(&past.cause.name),
            severity: past.severity,
            causes: vec![(past.known_at, past.cause.clone())],
            components: past.components.clone(),
            started_at,
            opened_at,
            merge_key: merge::key(&past.cause.traits, &past.components),
            joins_until: merge::joins_until(started_at, opened_at),
            merged_at: None,
        }
    }

    /// When it was resolved: all of its causes had been over for long enough. `None`: one lasts.
    fn over_at(&self, settle: TimeDelta) -> Option<DateTime<Utc>> {
        let ends = self.causes.iter().map(|(_, cause)| cause.closed_at).collect::<Option<Vec<_>>>()?;
        ends.into_iter().max().map(|last| last + settle)
    }

    fn is_open(&self, settle: TimeDelta, now: DateTime<Utc>) -> bool {
        self.merged_at.is_none() && self.over_at(settle).is_none_or(|over| over > now)
    }

    fn is_storm(&self) -> bool {
        self.merge_key.as_deref() == Some(merge::STORM_KEY)
    }

    /// Monitors that were part of it by then.
    fn count(&self, at: DateTime<Utc>) -> usize {
        distinct(self.causes.iter().filter(|(known_at, _)| *known_at <= at).map(|(_, cause)| cause))
    }

    fn is_down(&self, at: DateTime<Utc>) -> bool {
        self.causes.iter().any(|(known_at, cause)| *known_at <= at && cause.closed_at.is_none_or(|closed| closed > at))
    }

    fn list(&self) -> Vec<Cause> {
        self.causes.iter().map(|(_, cause)| cause.clone()).collect()
    }
}

/// What would have been. `all` is sorted by the time when it was known.
pub fn run(rule: &Rule, all: &[Past], settle: TimeDelta, now: DateTime<Utc>) -> (Vec<WouldBe>, Vec<Would>) {
    let mut incidents: Vec<WouldBe> = Vec::new();
    for past in all {
        place(&mut incidents, past, settle);
    }
    let mut messages = Vec::new();
    for (number, incident) in incidents.iter().enumerate() {
        if !rule.disabled && matching::is_for(&rule.matches, incident.severity, &incident.list()) {
            let course = Course { rule, number, incident, all: &incidents, settle, now };
            messages.extend(course.messages());
        }
    }
    messages.sort_by_key(|message| (message.at, message.incident));
    (incidents, messages)
}

/// The outage opens an incident or joins one; of many within a minute one is made.
fn place(incidents: &mut Vec<WouldBe>, past: &Past, settle: TimeDelta) {
    let now = past.known_at;
    let open: Vec<Open> = incidents
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, incident)| incident.is_open(settle, now))
        .map(|(number, incident)| Open {
            id: IncidentId(Uuid::from_u128(number as u128)),
            merge_key: incident.merge_key.clone(),
            joins_until: Some(incident.joins_until),
            settles: !incident.is_down(now),
            untouched: true,
            components: incident.components.clone(),
            causes: incident.list(),
        })
        .collect();
    let new = New { cause: &past.cause, components: &past.components };
    let joined = merge::joins(&new, &open, settle, now).and_then(|id| usize::try_from(id.0.as_u128()).ok());
    match joined.and_then(|number| incidents.get_mut(number)) {
        Some(incident) => {
            incident.causes.push((now, past.cause.clone()));
            incident.components.extend(&past.components);
            incident.joins_until = merge::joins_until(incident.started_at, now);
            if incident.is_storm() {
                incident.name = merge::storm_name(incident.count(now));
            }
        }
        None => incidents.push(WouldBe::of(past)),
    }
    let since = now - merge::STORM_WITHIN;
    let recent = incidents.iter().filter(|incident| incident.is_open(settle, now));
    let recent = recent.flat_map(|incident| &incident.causes).filter(|(known_at, _)| *known_at > since);
    if merge::is_storm(distinct(recent.map(|(_, cause)| cause))) {
        gather(incidents, settle, now);
    }
}

/// Makes one incident of those that were opened within a minute.
fn gather(incidents: &mut [WouldBe], settle: TimeDelta, now: DateTime<Utc>) {
    let since = now - merge::STORM_WITHIN;
    let mut touched = incidents.iter_mut().filter(|incident| {
        let is_recent = incident.opened_at > since || (incident.is_storm() && incident.joins_until >= now);
        is_recent && incident.is_open(settle, now)
    });
    let Some(first) = touched.next() else { return };
    for other in touched {
        first.causes.extend(other.causes.iter().cloned());
        first.components.extend(&other.components);
        other.merged_at = Some(now);
    }
    first.causes.sort_by_key(|(known_at, _)| *known_at);
    first.merge_key = Some(merge::STORM_KEY.to_owned());
    first.joins_until = merge::joins_until(first.started_at, now);
    let count = first.count(now);
    if count > 1 {
        first.name = merge::storm_name(count);
    }
}

/// What is told of one incident.
struct Course<'a> {
    rule: &'a Rule,
    number: usize,
    incident: &'a WouldBe,
    all: &'a [WouldBe],
    settle: TimeDelta,
    now: DateTime<Utc>,
}

impl Course<'_> {
    fn would(&self, at: DateTime<Utc>, what: What, held: Option<Held>) -> Would {
        Would { at, incident: self.number, what, held }
    }

    /// Whether it is open then.
    fn lasts(&self, at: DateTime<Utc>) -> bool {
        let over = self.incident.over_at(self.settle).is_some_and(|over| over <= at);
        !over && self.incident.merged_at.is_none_or(|merged| merged > at)
    }

    fn messages(&self) -> Vec<Would> {
        let Some(at) = self.opening() else { return Vec::new() };
        let mut messages = Vec::new();
        let severity = self.incident.severity;
        let opened = match quiet::held_until(&self.rule.quiet, severity, at).filter(|_| self.lasts(at)) {
            Some(until) => {
                messages.push(self.would(at, What::Opened, Some(Held::Quiet)));
                if !self.lasts(until) || until > self.now {
                    return messages;
                }
                until
            }
            None => at,
        };
        messages.push(self.would(opened, What::Opened, None));
        messages.extend(self.later(opened));
        messages.extend(self.steps(opened));
        let over =
            self.incident.over_at(self.settle).filter(|over| self.incident.merged_at.is_none() && *over <= self.now);
        if let Some(over) = over.filter(|over| *over > opened) {
            messages.push(self.would(over, What::Resolved, None));
        }
        messages
    }

    /// When the opening is told; `None`: it was a part of another by then, or over sooner than the rule asks for.
    fn opening(&self) -> Option<DateTime<Utc>> {
        let group_wait = TimeDelta::milliseconds(i64::from(self.rule.group_wait_ms));
        let after = self.incident.started_at + TimeDelta::seconds(i64::from(self.rule.after_seconds));
        let mut at = (self.incident.opened_at + group_wait).max(after);
        loop {
            let joined_at =
                self.incident.causes.iter().map(|(known_at, _)| *known_at).filter(|known| *known <= at).max()?;
            let opened_at = self.incident.opened_at;
            let opening = Opening { opened_at, joined_at, group_wait, is_storm: self.incident.is_storm() };
            match opening.waits_until(at) {
                Some(until) => at = until,
                None => break,
            }
        }
        let is_merged = self.incident.merged_at.is_some_and(|merged| merged <= at);
        let is_too_short = self.rule.after_seconds > 0 && !self.incident.is_down(at);
        (at <= self.now && !is_merged && !is_too_short).then_some(at)
    }

    /// What joined after the opening, and flapping.
    fn later(&self, opened: DateTime<Utc>) -> Vec<Would> {
        let rule = self.rule;
        let group_wait = TimeDelta::milliseconds(i64::from(rule.group_wait_ms));
        let interval = TimeDelta::seconds(i64::from(rule.group_interval_seconds));
        let limits = Limits {
            changes: usize::try_from(rule.flap_changes).unwrap_or(usize::MAX),
            within: TimeDelta::minutes(i64::from(rule.flap_minutes)),
        };
        let changes = self.changes();
        let (mut told, mut last, mut flapping) = (self.incident.count(opened), opened, false);
        let mut messages = Vec::new();
        for at in self.incident.causes.iter().map(|(known_at, _)| *known_at + group_wait).filter(|at| *at > opened) {
            if !self.lasts(at) || at > self.now {
                break;
            }
            let flaps = flap::is_flapping(flapping, &changes, self.incident.is_down(at), limits, at);
            if flaps && !flapping {
                messages.push(self.would(at, What::Flapping, None));
            }
            flapping = flaps;
            let due = at.max(last + interval);
            if !flaps && grouping::has_grown(told, self.incident.count(at)) && self.lasts(due) && due <= self.now {
                messages.push(self.would(due, What::Grown, None));
                (told, last) = (self.incident.count(due), due);
            }
        }
        messages
    }

    /// When the monitor that it is mostly about changed.
    fn changes(&self) -> Vec<DateTime<Utc>> {
        let subject = self.incident.causes.first().map(|(_, cause)| cause.subject);
        let same = self.all.iter().flat_map(|other| &other.causes).filter(|(_, cause)| Some(cause.subject) == subject);
        same.flat_map(|(_, cause)| [Some(cause.opened_at), cause.closed_at]).flatten().collect()
    }

    /// The further steps and reminders, as nobody acknowledges.
    fn steps(&self, opened: DateTime<Utc>) -> Vec<Would> {
        let is_told = |at: &DateTime<Utc>| self.lasts(*at) && *at <= self.now;
        let mut messages = Vec::new();
        for step in &self.rule.steps {
            let at = opened + TimeDelta::seconds(i64::from(step.after_seconds.max(0)));
            if step.after_seconds > 0 && is_told(&at) {
                messages.push(self.would(at, What::Escalated, None));
            }
            let Some(repeat) = step.repeat_seconds else { continue };
            let repeat = TimeDelta::seconds(i64::from(repeat.max(60)));
            let reminders = std::iter::successors(Some(at + repeat), |before| Some(*before + repeat));
            let reminders = reminders.take_while(is_told).take(REMINDERS);
            messages.extend(reminders.map(|at| self.would(at, What::Reminder, None)));
        }
        messages
    }
}
