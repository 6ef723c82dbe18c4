//! When several monitors of one owner fail at once, others that may share the cause are looked at right away: so five hundred dead monitors are known
//! within seconds. Pure.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::definition::Definition;
use crate::model::{GroupId, MonitorId, Owner};

/// So many first failures of one owner within this time are a storm.
const MANY: usize = 5;
const TIME: Duration = Duration::from_secs(10);
/// Checks that are pulled forward, a second.
pub const RATE: u32 = 200;

#[derive(Debug)]
struct Suspect {
    at: Instant,
    monitor: MonitorId,
    owner: Owner,
    group: Option<GroupId>,
    host: Option<String>,
    parent: Option<MonitorId>,
}

/// First failures of the last seconds.
#[derive(Debug, Default)]
pub struct Storm(VecDeque<Suspect>);

/// What monitors must share to be looked at.
#[derive(Debug, Default)]
pub struct Shared {
    monitors: HashSet<MonitorId>,
    groups: HashSet<GroupId>,
    hosts: HashSet<String>,
    owner: Option<Owner>,
}

impl Storm {
    /// A monitor has failed for the first time. If that makes a storm: who else is to be looked at.
    pub fn suspect(&mut self, definition: &Definition, now: Instant) -> Option<Shared> {
        while self.0.pop_front_if(|suspect| now.duration_since(suspect.at) > TIME).is_some() {}
        self.0.push_back(Suspect {
            at: now,
            monitor: definition.id,
            owner: definition.owner,
            group: definition.group,
            host: definition.host.clone(),
            parent: definition.parent,
        });
        let of_owner = || self.0.iter().filter(|suspect| suspect.owner == definition.owner);
        let monitors: HashSet<MonitorId> = of_owner().map(|suspect| suspect.monitor).collect();
        if monitors.len() < MANY {
            return None;
        }
        let mut shared = Shared { owner: Some(definition.owner), monitors, ..Shared::default() };
        for suspect in of_owner() {
            shared.groups.extend(suspect.group);
            shared.hosts.extend(suspect.host.clone());
            shared.monitors.extend(suspect.parent);
        }
        Some(shared)
    }
}

impl Shared {
    /// Whether a monitor may share the cause.
    pub fn has(&self, definition: &Definition) -> bool {
        Some(definition.owner) == self.owner
            && (definition.group.is_some_and(|group| self.groups.contains(&group))
                || definition.host.as_ref().is_some_and(|host| self.hosts.contains(host))
                || definition.parent.is_some_and(|parent| self.monitors.contains(&parent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::state::DefinitionRow;
    use platform::crypto::MasterKey;
    use serde_json::json;
    use uuid::Uuid;

    fn definition(id: u128, host: &str, group: Option<u128>) -> Definition {
        let row = DefinitionRow {
            id: Uuid::from_u128(id),
            number: 1,
            org_id: None,
            key: "x".into(),
            name: "x".into(),
            spec: json!({"kind": "tcp", "host": host, "port": 80}),
            secrets: None,
            group_id: group.map(Uuid::from_u128),
            parent_id: None,
            tags: Vec::new(),
            interval_seconds: 60,
            timeout_ms: 1000,
            retries: 1,
            retry_ms: None,
            successes: 1,
            slow_ms: None,
            certificate_days: 0,
            badge: false,
            is_paused: false,
            is_removed: false,
            revision: 1,
        };
        Definition::read(row, &MasterKey::parse(&"0a".repeat(32)).unwrap())
    }

    #[tokio::test]
    async fn five_at_once_make_a_storm_of_those_who_share_something() {
        let (mut storm, now) = (Storm::default(), Instant::now());
        for id in 1..5 {
            assert!(storm.suspect(&definition(id, "a.example.com", Some(9)), now).is_none());
        }
        assert!(storm.suspect(&definition(4, "a.example.com", Some(9)), now).is_none(), "the same one again");
        let shared = storm.suspect(&definition(5, "a.example.com", Some(9)), now).unwrap();
        assert!(shared.has(&definition(6, "b.example.com", None)), "the same registered domain");
        assert!(shared.has(&definition(7, "other.example.org", Some(9))), "the same group");
        assert!(!shared.has(&definition(8, "other.example.org", Some(10))));
        let later = now + TIME + Duration::from_millis(1);
        assert!(storm.suspect(&definition(10, "a.example.com", Some(9)), later).is_none(), "the others are long ago");
    }
}
