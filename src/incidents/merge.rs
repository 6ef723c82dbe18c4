//! Which incident a new cause belongs to. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Cause, ComponentId, IncidentId, Traits};
use uptime::MonitorId;

/// A cause joins for so long after the last one that did,
pub const JOINS: TimeDelta = TimeDelta::minutes(5);
/// and for so long after the incident began.
pub const JOINS_MOST: TimeDelta = TimeDelta::minutes(30);
/// Outages of so many monitors of an owner within [`STORM_WITHIN`] are one incident, whatever they share.
pub const STORM: usize = 10;
pub const STORM_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// Merge key of an incident that a storm made.
pub const STORM_KEY: &str = "storm";

/// A cause that has no incident yet.
#[derive(Clone, Debug)]
pub struct New<'a> {
    pub cause: &'a Cause,
    /// Those of its monitor.
    pub components: &'a [ComponentId],
}

/// An incident that is open, of the same owner.
#[derive(Clone, Debug)]
pub struct Open {
    pub id: IncidentId,
    pub merge_key: Option<String>,
    pub joins_until: Option<DateTime<Utc>>,
    /// All of its causes are over, and it will be resolved unless one comes back.
    pub settles: bool,
    /// Monitors opened it, and nobody has acknowledged it or spoken since.
    pub untouched: bool,
    pub components: Vec<ComponentId>,
    pub causes: Vec<Cause>,
}

/// The incident that the cause joins; `None`: it opens one of its own. `open` is sorted, youngest first. `settle`: how long a cause is over before its
/// incident is.
pub fn joins(new: &New<'_>, open: &[Open], settle: TimeDelta, now: DateTime<Utc>) -> Option<IncidentId> {
    let own = open.iter().find(|incident| comes_back(new.cause, incident, settle));
    let key = key(&new.cause.traits, new.components);
    let may_join = |incident: &&Open| incident.joins_until.is_some_and(|until| now <= until);
    let shared = || {
        open.iter().filter(may_join).find(|incident| {
            let has_key = key.is_some() && incident.merge_key == key;
            let affects = new.components.iter().any(|component| incident.components.contains(component));
            has_key || affects || shares(new.cause, &incident.causes)
        })
    };
    own.or_else(shared).map(|incident| incident.id)
}

/// Whether it is an outage of the same monitor again, before the last one has been over for long enough. However long the incident has been open: it would say
/// that it is over while the monitor is down.
fn comes_back(cause: &Cause, incident: &Open, settle: TimeDelta) -> bool {
    incident.causes.iter().any(|before| {
        let is_same = before.source == cause.source && before.subject == cause.subject;
        is_same && before.closed_at.is_some_and(|at| incident.settles || cause.opened_at <= at + settle)
    })
}

/// The storm that further outages join, whatever they share.
pub fn storm_of(open: &[Open], now: DateTime<Utc>) -> Option<IncidentId> {
    let is_storm = |incident: &&Open| {
        let may_join = incident.joins_until.is_some_and(|until| now <= until);
        incident.merge_key.as_deref() == Some(STORM_KEY) && incident.untouched && may_join
    };
    open.iter().find(is_storm).map(|incident| incident.id)
}

/// Whether it has its parent, host or group in common with at least half of them. A parent and its children are in common, too.
fn shares(cause: &Cause, causes: &[Cause]) -> bool {
    let common = |other: &&Cause| {
        let (one, two) = (&cause.traits, &other.traits);
        same(one.parent.as_ref(), two.parent.as_ref())
            || same(one.host.as_ref(), two.host.as_ref())
            || same(one.group.as_ref(), two.group.as_ref())
            || one.parent == Some(MonitorId(other.subject))
            || two.parent == Some(MonitorId(cause.subject))
    };
    !causes.is_empty() && causes.iter().filter(common).count() * 2 >= causes.len()
}

fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.is_some() && one == other
}

/// By which others join: the narrowest that it has.
pub fn key(traits: &Traits, components: &[ComponentId]) -> Option<String> {
    if let Some(alert) = &traits.alert {
        return Some(format!("alert:{alert}:{}", traits.service.as_deref().unwrap_or_default()));
    }
    let parent = traits.parent.map(|parent| format!("parent:{parent}"));
    let host = || traits.host.as_ref().map(|host| format!("host:{host}"));
    let component = || components.first().map(|component| format!("component:{component}"));
    parent.or_else(host).or_else(component)
}

/// Until when others join an incident that began then, after a cause that joined now.
pub fn joins_until(started_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    (now + JOINS).min(started_at.max(now - JOINS_MOST) + JOINS_MOST)
}

/// Whether outages of so many monitors within [`STORM_WITHIN`] are a storm.
pub fn is_storm(recent: usize) -> bool {
    recent >= STORM
}

/// Name of the incident that an outage opens.
pub fn outage_name(monitor: &str) -> String {
    format!("{monitor} is down")
}

/// Name of the incident of a storm.
pub fn storm_name(monitors: usize) -> String {
    format!("{monitors} monitors are down")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::CauseSource;
    use uptime::GroupId;

    const SETTLE: TimeDelta = TimeDelta::minutes(2);

    fn now() -> DateTime<Utc> {
        "2026-12-01T12:00:00Z".parse().unwrap()
    }

    /// An outage of a monitor that begins now.
    fn outage(monitor: u128, traits: Traits) -> Cause {
        Cause {
            source: CauseSource::Monitor,
            reference: Uuid::from_u128(monitor * 1000),
            subject: Uuid::from_u128(monitor),
            name: format!("Monitor {monitor}"),
            traits,
            opened_at: now(),
            closed_at: None,
        }
    }

    fn on(monitor: u128, host: &str) -> Cause {
        outage(monitor, Traits { host: Some(host.to_owned()), ..Traits::default() })
    }

    fn open(number: u128, causes: &[Cause]) -> Open {
        Open {
            id: IncidentId(Uuid::from_u128(number)),
            merge_key: key(&causes[0].traits, &[]),
            joins_until: Some(now() + JOINS),
            settles: false,
            untouched: true,
            components: Vec::new(),
            causes: causes.to_vec(),
        }
    }

    fn found(cause: &Cause, components: &[ComponentId], open: &[Open]) -> Option<u128> {
        joins(&New { cause, components }, open, SETTLE, now()).map(|id| id.0.as_u128())
    }

    #[test]
    fn what_shares_a_cause_is_one_incident() {
        let incidents = [open(2, &[on(20, "b.example")]), open(1, &[on(10, "a.example")])];
        assert_eq!(found(&on(11, "a.example"), &[], &incidents), Some(1));
        assert_eq!(found(&on(11, "c.example"), &[], &incidents), None);
        let nothing = outage(11, Traits::default());
        assert_eq!(found(&nothing, &[], &incidents), None, "nothing in common is nothing in common");
        let child =
            |monitor| outage(monitor, Traits { parent: Some(MonitorId(Uuid::from_u128(7))), ..Traits::default() });
        let children = [open(3, &[child(30)])];
        assert_eq!(found(&child(31), &[], &children), Some(3));
    }

    #[test]
    fn a_parent_and_its_children_are_one_incident() {
        let parent = outage(7, Traits::default());
        let child = outage(8, Traits { parent: Some(MonitorId(Uuid::from_u128(7))), ..Traits::default() });
        assert_eq!(found(&parent, &[], &[open(1, std::slice::from_ref(&child))]), Some(1));
        assert_eq!(found(&child, &[], &[open(1, std::slice::from_ref(&parent))]), Some(1));
        assert_eq!(found(&outage(9, Traits::default()), &[], &[open(1, &[parent])]), None);
    }

    #[test]
    fn what_comes_back_joins_its_own_incident_however_old_that_is() {
        let over = |minutes| {
            let ended = Some(now() - TimeDelta::minutes(minutes));
            Cause { closed_at: ended, ..outage(1, Traits::default()) }
        };
        let old = |causes: &[Cause]| Open { joins_until: Some(now() - TimeDelta::hours(1)), ..open(1, causes) };
        let again = outage(1, Traits::default());
        assert_eq!(found(&again, &[], &[old(&[over(1)])]), Some(1), "a heartbeat has no host");
        assert_eq!(found(&outage(2, Traits::default()), &[], &[old(&[over(1)])]), None);
        // Another one lasts: this one was over for long, and people are to hear of it.
        let lasts = outage(3, Traits::default());
        assert_eq!(found(&again, &[], &[old(&[over(3), lasts.clone()])]), None);
        assert_eq!(found(&again, &[], &[old(&[over(1), lasts])]), Some(1));
        let settles = Open { settles: true, ..old(&[over(3)]) };
        assert_eq!(found(&again, &[], &[settles]), Some(1));
        let alert = Cause { source: CauseSource::Ending, ..over(1) };
        assert_eq!(found(&again, &[], &[old(&[alert])]), None, "what ends soon is another cause");
    }

    #[test]
    fn a_component_that_is_affected_is_enough() {
        let component = ComponentId(Uuid::from_u128(9));
        let affected = Open { components: vec![component], ..open(1, &[on(10, "a.example")]) };
        assert_eq!(found(&on(11, "z.example"), &[component], std::slice::from_ref(&affected)), Some(1));
        assert_eq!(found(&on(11, "z.example"), &[ComponentId(Uuid::from_u128(8))], &[affected]), None);
    }

    #[test]
    fn half_of_the_causes_must_share_it() {
        let group = |monitor: u128, host: &str| {
            let mut cause = on(monitor, host);
            cause.traits.group = Some(GroupId(Uuid::from_u128(5)));
            cause
        };
        let other = on(10, "x.example");
        let half = open(1, &[other.clone(), group(11, "y.example")]);
        assert_eq!(found(&group(12, "z.example"), &[], &[half]), Some(1));
        let third = open(1, &[other.clone(), other, group(11, "y.example")]);
        assert_eq!(found(&group(12, "z.example"), &[], &[third]), None);
    }

    #[test]
    fn nothing_joins_too_late() {
        let late = Open { joins_until: Some(now() - TimeDelta::seconds(1)), ..open(1, &[on(10, "a.example")]) };
        let by_hand = Open { joins_until: None, ..open(2, &[on(10, "a.example")]) };
        assert_eq!(found(&on(11, "a.example"), &[], &[late, by_hand]), None);
        assert_eq!(joins_until(now(), now()), now() + JOINS);
        assert_eq!(joins_until(now() - TimeDelta::minutes(28), now()), now() + TimeDelta::minutes(2));
    }

    #[test]
    fn an_alert_joins_its_own_kind() {
        let alert = |subject: u128, name: &str| {
            let service = Some("mail".into());
            let traits = Traits { alert: Some(name.into()), service, ..Traits::default() };
            Cause { source: CauseSource::Alert, ..outage(subject, traits) }
        };
        let incidents = [open(1, &[alert(10, "MailQueueOld")])];
        assert_eq!(found(&alert(11, "MailQueueOld"), &[], &incidents), Some(1));
        assert_eq!(found(&alert(11, "MailFailing"), &[], &incidents), None);
    }

    #[test]
    fn ten_within_a_minute_are_a_storm() {
        assert!(!is_storm(STORM - 1) && is_storm(STORM));
        assert_eq!(storm_name(500), "500 monitors are down");
        let storm = Open { merge_key: Some(STORM_KEY.to_owned()), ..open(1, &[on(10, "a.example")]) };
        assert_eq!(storm_of(&[open(2, &[on(20, "b.example")]), storm.clone()], now()), Some(storm.id));
        let late = Open { joins_until: Some(now() - TimeDelta::seconds(1)), ..storm.clone() };
        assert_eq!(storm_of(&[Open { untouched: false, ..storm }, late], now()), None);
    }
}
