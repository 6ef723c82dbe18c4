//! A rule against the past: the same functions that tell, over outages that are known. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    flap::{self, Limits},
    matching,
    merge::{self, New, Open},
    model::{Cause, ComponentId, Held, IncidentId, Rule, Severity, What},
    quiet,
};

/// An outage or an alert of the past.
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
    pub causes: Vec<Cause>,
    pub components: Vec<ComponentId>,
    pub opened_at: DateTime<Utc>,
    /// `None`: it lasts.
    pub resolved_at: Option<DateTime<Utc>>,
    merge_key: Option<String>,
    joins_until: DateTime<Utc>,
}

/// What would have been. `all` is sorted by the time when it was known.
pub fn run(rule: &Rule, all: &[Past], settle: TimeDelta, now: DateTime<Utc>) -> (Vec<WouldBe>, Vec<Would>) {
    let mut incidents: Vec<WouldBe> = Vec::new();
    for past in all {
        place(&mut incidents, past, settle);
    }
    for incident in &mut incidents {
        incident.resolved_at = over_at(&incident.causes, settle).filter(|at| *at <= now);
    }
    let mut messages = Vec::new();
    for (number, incident) in incidents.iter().enumerate() {
        if matching::is_for(&rule.matches, incident.severity, &incident.causes) && !rule.disabled {
            messages.extend(told(rule, number, incident, &incidents, now));
        }
    }
    messages.sort_by_key(|message| (message.at, message.incident));
    (incidents, messages)
}

fn place(incidents: &mut Vec<WouldBe>, past: &Past, settle: TimeDelta) {
    let now = past.known_at;
    let open: Vec<(usize, Open)> = incidents
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, incident)| over_at(&incident.causes, settle).is_none_or(|over| over > now))
        .map(|(number, incident)| {
            let open = Open {
                id: IncidentId(Uuid::from_u128(number as u128)),
                merge_key: incident.merge_key.clone(),
                joins_until: Some(incident.joins_until),
                components: incident.components.clone(),
                causes: incident.causes.iter().map(|cause| cause.traits.clone()).collect(),
            };
            (number, open)
        })
        .collect();
    let recent = incidents
        .iter()
        .flat_map(|incident| &incident.causes)
        .filter(|cause| cause.opened_at > now - merge::STORM_WITHIN)
        .count();
    let new = New { traits: &past.cause.traits, components: &past.components };
    let listed: Vec<Open> = open.iter().map(|(_, open)| open.clone()).collect();
    let joined = merge::joins(&new, &listed, now)
        .and_then(|id| open.iter().find(|(_, open)| open.id == id).map(|(number, _)| *number))
        .or_else(|| open.first().map(|(number, _)| *number).filter(|_| merge::is_storm(recent + 1)));
    match joined.and_then(|number| incidents.get_mut(number)) {
        Some(incident) => {
            incident.causes.push(past.cause.clone());
            incident.components.extend(&past.components);
            incident.joins_until = merge::joins_until(incident.opened_at, now);
        }
        None => incidents.push(WouldBe {
            name: past.cause.name.clone(),
            severity: past.severity,
            causes: vec![past.cause.clone()],
            components: past.components.clone(),
            opened_at: now,
            resolved_at: None,
            merge_key: merge::key(&past.cause.traits, &past.components),
            joins_until: merge::joins_until(past.cause.opened_at, now),
        }),
    }
}

/// When all of its causes had been over for long enough; `None`: one lasts.
fn over_at(causes: &[Cause], settle: TimeDelta) -> Option<DateTime<Utc>> {
    causes.iter().map(|cause| cause.closed_at).collect::<Option<Vec<_>>>()?.into_iter().max().map(|last| last + settle)
}

fn told(rule: &Rule, number: usize, incident: &WouldBe, all: &[WouldBe], now: DateTime<Utc>) -> Vec<Would> {
    let wait = TimeDelta::milliseconds(i64::from(rule.group_wait_ms));
    let began = incident.causes.iter().map(|cause| cause.opened_at).min().unwrap_or(incident.opened_at);
    let at = (incident.opened_at + wait).max(began + TimeDelta::seconds(i64::from(rule.after_seconds)));
    let would = |at, what, held| Would { at, incident: number, what, held };
    let is_down = incident.causes.iter().any(|cause| cause.closed_at.is_none_or(|closed| closed > at));
    if at > now || (rule.after_seconds > 0 && !is_down) {
        return Vec::new();
    }
    let limits = Limits {
        changes: usize::try_from(rule.flap_changes).unwrap_or(usize::MAX),
        within: TimeDelta::minutes(i64::from(rule.flap_minutes)),
    };
    let subject = incident.causes.first().map(|cause| cause.subject);
    let same = all.iter().flat_map(|other| &other.causes).filter(|cause| Some(cause.subject) == subject);
    let changes: Vec<DateTime<Utc>> =
        same.flat_map(|cause| [Some(cause.opened_at), cause.closed_at]).flatten().collect();
    let flaps = flap::is_flapping(false, &changes, is_down, limits, at);
    let mut messages = Vec::new();
    let lasts = |at: DateTime<Utc>| incident.resolved_at.is_none_or(|over| over > at);
    let opened = match quiet::held_until(&rule.quiet, incident.severity, at).filter(|_| lasts(at)) {
        Some(until) => {
            messages.push(would(at, What::Opened, Some(Held::Quiet)));
            if !lasts(until) || until > now {
                return messages;
            }
            until
        }
        None => at,
    };
    messages.push(would(opened, What::Opened, None));
    if flaps {
        messages.push(would(opened, What::Flapping, None));
    }
    if let Some(over) = incident.resolved_at.filter(|over| *over > opened) {
        messages.push(would(over, What::Resolved, None));
    }
    messages
}
