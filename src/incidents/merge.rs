//! Which incident a new cause belongs to. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{ComponentId, IncidentId, Traits};

/// A cause joins for so long after the last one that did,
pub const JOINS: TimeDelta = TimeDelta::minutes(5);
/// and for so long after the incident began.
pub const JOINS_MOST: TimeDelta = TimeDelta::minutes(30);
/// So many outages of an owner within [`STORM_WITHIN`] are one incident, whatever they share.
pub const STORM: usize = 10;
pub const STORM_WITHIN: TimeDelta = TimeDelta::seconds(60);
/// Merge key of an incident that a storm made.
pub const STORM_KEY: &str = "storm";

/// A cause that has no incident yet.
#[derive(Clone, Debug)]
pub struct New<'a> {
    pub traits: &'a Traits,
    /// Those of its monitor.
    pub components: &'a [ComponentId],
}

/// An incident that is open, of the same owner.
#[derive(Clone, Debug)]
pub struct Open {
    pub id: IncidentId,
    pub merge_key: Option<String>,
    pub joins_until: Option<DateTime<Utc>>,
    pub components: Vec<ComponentId>,
    pub causes: Vec<Traits>,
}

/// The incident that the cause joins; `None`: it opens one of its own. `open` is sorted, youngest first.
pub fn joins(new: &New<'_>, open: &[Open], now: DateTime<Utc>) -> Option<IncidentId> {
    let key = key(new.traits, new.components);
    let may_join = |incident: &&Open| incident.joins_until.is_some_and(|until| now <= until);
    open.iter()
        .filter(may_join)
        .find(|incident| {
            let has_key = key.is_some() && incident.merge_key == key;
            let affects = new.components.iter().any(|component| incident.components.contains(component));
            has_key || affects || shares(new.traits, &incident.causes)
        })
        .map(|incident| incident.id)
}

/// Whether it has its parent, host or group in common with at least half of them.
fn shares(traits: &Traits, causes: &[Traits]) -> bool {
    let common = |other: &&Traits| {
        same(traits.parent.as_ref(), other.parent.as_ref())
            || same(traits.host.as_ref(), other.host.as_ref())
            || same(traits.group.as_ref(), other.group.as_ref())
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

/// Whether so many outages within [`STORM_WITHIN`] are a storm.
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
    use uptime::{GroupId, MonitorId};

    fn now() -> DateTime<Utc> {
        "2026-12-01T12:00:00Z".parse().unwrap()
    }

    fn on(host: &str) -> Traits {
        Traits { host: Some(host.to_owned()), ..Traits::default() }
    }

    fn open(number: u128, causes: &[Traits]) -> Open {
        Open {
            id: IncidentId(Uuid::from_u128(number)),
            merge_key: key(&causes[0], &[]),
            joins_until: Some(now() + JOINS),
            components: Vec::new(),
            causes: causes.to_vec(),
        }
    }

    fn found(traits: &Traits, components: &[ComponentId], open: &[Open]) -> Option<u128> {
        joins(&New { traits, components }, open, now()).map(|id| id.0.as_u128())
    }

    #[test]
    fn what_shares_a_cause_is_one_incident() {
        let incidents = [open(2, &[on("b.example")]), open(1, &[on("a.example")])];
        assert_eq!(found(&on("a.example"), &[], &incidents), Some(1));
        assert_eq!(found(&on("c.example"), &[], &incidents), None);
        assert_eq!(found(&Traits::default(), &[], &incidents), None, "nothing in common is nothing in common");
        let parent = Traits { parent: Some(MonitorId(Uuid::from_u128(7))), ..on("c.example") };
        let children = [open(3, &[Traits { host: None, ..parent.clone() }])];
        assert_eq!(found(&parent, &[], &children), Some(3));
    }

    #[test]
    fn a_component_that_is_affected_is_enough() {
        let component = ComponentId(Uuid::from_u128(9));
        let affected = Open { components: vec![component], ..open(1, &[on("a.example")]) };
        assert_eq!(found(&on("z.example"), &[component], std::slice::from_ref(&affected)), Some(1));
        assert_eq!(found(&on("z.example"), &[ComponentId(Uuid::from_u128(8))], &[affected]), None);
    }

    #[test]
    fn half_of_the_causes_must_share_it() {
        let group = |host: &str| Traits { group: Some(GroupId(Uuid::from_u128(5))), ..on(host) };
        let other = on("x.example");
        let half = open(1, &[other.clone(), group("y.example")]);
        assert_eq!(found(&group("z.example"), &[], &[half]), Some(1));
        let third = open(1, &[other.clone(), other, group("y.example")]);
        assert_eq!(found(&group("z.example"), &[], &[third]), None);
    }

    #[test]
    fn nothing_joins_too_late() {
        let late = Open { joins_until: Some(now() - TimeDelta::seconds(1)), ..open(1, &[on("a.example")]) };
        let by_hand = Open { joins_until: None, ..open(2, &[on("a.example")]) };
        assert_eq!(found(&on("a.example"), &[], &[late, by_hand]), None);
        assert_eq!(joins_until(now(), now()), now() + JOINS);
        assert_eq!(joins_until(now() - TimeDelta::minutes(28), now()), now() + TimeDelta::minutes(2));
    }

    #[test]
    fn an_alert_joins_its_own_kind() {
        let alert = |name: &str| Traits { alert: Some(name.into()), service: Some("mail".into()), ..Traits::default() };
        let incidents = [open(1, &[alert("MailQueueOld")])];
        assert_eq!(found(&alert("MailQueueOld"), &[], &incidents), Some(1));
        assert_eq!(found(&alert("MailFailing"), &[], &incidents), None);
    }

    #[test]
    fn ten_within_a_minute_are_a_storm() {
        assert!(!is_storm(STORM - 1) && is_storm(STORM));
        assert_eq!(storm_name(500), "500 monitors are down");
    }
}
