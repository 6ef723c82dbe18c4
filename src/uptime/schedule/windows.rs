//! Whether a maintenance window is open, and when that changes. Pure: occurrences are computed, never stored.

use std::{cmp::Reverse, collections::BinaryHeap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{GroupId, MonitorId, Window};
use jobs::{Cron, JobsError};

/// A time during which a window is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub from: DateTime<Utc>,
    /// Not in it any more.
    pub until: DateTime<Utc>,
}

/// When a window is open.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `None`: once.
    cron: Option<(Cron, TimeDelta)>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

impl Plan {
    /// Fails if the window's cron or zone is not valid.
    pub fn of(window: &Window) -> Result<Self, JobsError> {
        let cron = match (&window.cron, window.minutes) {
            (Some(cron), Some(minutes)) => {
                Some((Cron::parse(cron, &window.zone)?, TimeDelta::minutes(i64::from(minutes))))
            }
            _ => None,
        };
        Ok(Self { cron, starts_at: window.starts_at, ends_at: window.ends_at })
    }

    /// The occurrence that is open at `t`.
    pub fn open_at(&self, t: DateTime<Utc>) -> Option<Occurrence> {
        match &self.cron {
            None => self.once().filter(|once| (once.from..once.until).contains(&t)),
            Some((cron, length)) => {
                let tick = cron.next(t - *length).ok().filter(|tick| *tick <= t)?;
                self.clipped(tick, *length).filter(|found| (found.from..found.until).contains(&t))
            }
        }
    }

    /// The first occurrence that begins after `t`; `None`: none does.
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<Occurrence> {
        match &self.cron {
            None => self.once().filter(|once| once.from > t),
            Some((cron, length)) => {
                // One that begins before its time is open from then on.
                let after = self.starts_at.filter(|starts| t < *starts).map_or(t, |starts| starts - *length);
                self.clipped(cron.next(after).ok()?, *length)
            }
        }
    }

    fn once(&self) -> Option<Occurrence> {
        Some(Occurrence { from: self.starts_at?, until: self.ends_at? })
    }

    /// Within the time for which the recurrence holds.
    fn clipped(&self, tick: DateTime<Utc>, length: TimeDelta) -> Option<Occurrence> {
        let from = self.starts_at.map_or(tick, |starts| tick.max(starts));
        let until = self.ends_at.map_or(tick + length, |ends| (tick + length).min(ends));
        (from < until).then_some(Occurrence { from, until })
    }
}

/// Occurrences of these that are open at some time between the two, each with its place, oldest first, at most so many: no more are computed.
pub fn merged(plans: &[Plan], from: DateTime<Utc>, until: DateTime<Utc>, most: usize) -> Vec<(usize, Occurrence)> {
    type Next = Reverse<(DateTime<Utc>, usize, DateTime<Utc>)>;
    let next = |place: usize, found: Option<Occurrence>| {
        let found = found.filter(|found| found.from < until)?;
        Some(Reverse((found.from, place, found.until)))
    };
    let first = |(place, plan): (usize, &Plan)| next(place, plan.open_at(from).or_else(|| plan.next_after(from)));
    let mut waiting: BinaryHeap<Next> = plans.iter().enumerate().filter_map(first).collect();
    let mut found = Vec::new();
    while found.len() < most
        && let Some(Reverse((starts, place, ends))) = waiting.pop()
    {
        found.push((place, Occurrence { from: starts, until: ends }));
        let later = plans.get(place).and_then(|plan| plan.next_after(starts.max(from)));
        waiting.extend(next(place, later));
    }
    found
}

/// Whether a window is for a monitor of its owner.
pub fn is_for(window: &Window, monitor: MonitorId, group: Option<GroupId>, tags: &[String]) -> bool {
    window.every
        || window.monitors.contains(&monitor)
        || group.is_some_and(|group| window.groups.contains(&group))
        || tags.iter().any(|tag| window.tags.contains(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WindowId;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn between(plan: &Plan, from: &str, until: &str) -> Vec<Occurrence> {
        merged(std::slice::from_ref(plan), at(from), at(until), 10).into_iter().map(|(_, found)| found).collect()
    }

    fn window(cron: Option<&str>, starts_at: Option<&str>, ends_at: Option<&str>) -> Window {
        Window {
            id: WindowId(uuid::Uuid::nil()),
            installation: true,
            key: "patches".into(),
            name: "Patches".into(),
            starts_at: starts_at.map(at),
            ends_at: ends_at.map(at),
            cron: cron.map(str::to_owned),
            minutes: cron.map(|_| 90),
            zone: "Europe/Berlin".into(),
            excluded: true,
            every: true,
            monitors: Vec::new(),
            groups: Vec::new(),
            tags: Vec::new(),
            managed_by: None,
            created_by: "x".into(),
            created_at: at("2026-01-01T00:00:00Z"),
            updated_at: at("2026-01-01T00:00:00Z"),
        }
    }

    #[test]
    fn a_recurring_window_follows_the_clocks_of_its_zone() {
        let plan = Plan::of(&window(Some("0 2 * * SUN"), None, None)).unwrap();
        // The clocks are turned back on 25 October 2026 at 3:00.
        let found = between(&plan, "2026-10-17T00:00:00Z", "2026-11-02T00:00:00Z");
        let from: Vec<String> = found.iter().map(|found| found.from.to_rfc3339()).collect();
        assert_eq!(
            (from[0].as_str(), from.last().unwrap().as_str()),
            ("2026-10-18T00:00:00+00:00", "2026-11-01T01:00:00+00:00")
        );
        assert_eq!(from.len(), 3, "{from:?}");
        assert!(found.iter().all(|found| found.until - found.from == TimeDelta::minutes(90)));
        let open = plan.open_at(at("2026-11-01T02:29:59Z")).unwrap();
        assert_eq!(open.from, at("2026-11-01T01:00:00Z"));
        assert_eq!(plan.open_at(open.until), None);
    }

    fn begins(cron: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
        let window = Window { zone: zone.into(), ..window(Some(cron), None, None) };
        let found = between(&Plan::of(&window).unwrap(), from, until);
        assert!(found.iter().all(|found| found.until - found.from == TimeDelta::minutes(90)), "{found:?}");
        found.iter().map(|found| found.from.format("%m-%d %H:%M").to_string()).collect()
    }

    #[test]
    fn windows_follow_daylight_saving() {
        // Berlin goes from 2:00 to 3:00 on 29 March 2026: half past two does not exist, and the window opens at the end of the gap.
        let spring = begins("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z");
        assert_eq!(spring, ["03-28 01:30", "03-29 01:00", "03-30 00:30"]);
        // What is after the gap only has another distance to Greenwich.
        let spring = begins("30 4 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z");
        assert_eq!(spring, ["03-28 03:30", "03-29 02:30", "03-30 02:30"]);
        // And back on 25 October at 3:00: half past two exists twice, and the window opens once, at the first.
        let autumn = begins("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z");
        assert_eq!(autumn, ["10-24 00:30", "10-25 00:30", "10-26 01:30"]);
        // Lord Howe Island changes by half an hour: on 4 October 2026 from 2:00 to 2:30 (+10:30 becomes +11) ...
        let spring = begins("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T12:00:00Z", "2026-10-05T12:00:00Z");
        assert_eq!(spring, ["10-02 15:45", "10-03 15:30", "10-04 15:15"]);
        // ... and on 5 April from 2:00 back to 1:30: a quarter to two exists twice.
        let autumn = begins("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T12:00:00Z", "2026-04-06T12:00:00Z");
        assert_eq!(autumn, ["04-03 14:45", "04-04 14:45", "04-05 15:15"]);
    }

    #[test]
    fn a_window_that_is_open_when_the_clocks_change_has_its_length() {
        let berlin = Window { minutes: Some(180), ..window(Some("0 1 * * *"), None, None) };
        let plan = Plan::of(&berlin).unwrap();
        for (inside, from, until) in [
            ("2026-03-29T01:30:00Z", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z"),
            ("2026-10-25T01:30:00Z", "2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z"),
        ] {
            let open = Occurrence { from: at(from), until: at(until) };
            assert_eq!(plan.open_at(at(inside)), Some(open));
            assert_eq!(plan.open_at(open.until), None);
        }
    }

    #[test]
    fn a_recurrence_ends_where_its_time_does_and_one_occurrence_is_one() {
        let bounds = (Some("2026-11-01T01:30:00Z"), Some("2026-11-08T01:10:00Z"));
        let plan = Plan::of(&window(Some("0 2 * * SUN"), bounds.0, bounds.1)).unwrap();
        let found = between(&plan, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let first = Occurrence { from: at("2026-11-01T01:30:00Z"), until: at("2026-11-01T02:30:00Z") };
        let last = Occurrence { from: at("2026-11-08T01:00:00Z"), until: at("2026-11-08T01:10:00Z") };
        assert_eq!(found, [first, last]);
        assert_eq!(plan.open_at(at("2026-11-01T01:45:00Z")), Some(first));
        assert_eq!(plan.next_after(at("2026-11-01T01:10:00Z")), Some(first));
        let once = Plan::of(&window(None, bounds.0, bounds.1)).unwrap();
        assert_eq!(between(&once, "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z").len(), 1);
        assert_eq!(once.next_after(at("2026-11-02T00:00:00Z")), None);
    }

    #[test]
    fn occurrences_of_several_windows_come_in_the_order_of_time_and_end_with_the_limit() {
        let plans = ["* * * * *", "30 2 * * *"].map(|cron| Plan::of(&window(Some(cron), None, None)).unwrap());
        let found = merged(&plans, at("2026-11-01T01:00:00Z"), at("2027-11-01T00:00:00Z"), 100);
        assert!(found.len() == 100 && found.is_sorted_by_key(|(_, found)| found.from), "{found:?}");
        // Half past two in Berlin.
        let second: Vec<_> = found.iter().filter(|(place, _)| *place == 1).map(|(_, found)| found.from).collect();
        assert_eq!(second, [at("2026-11-01T01:30:00Z")]);
    }

    #[test]
    fn a_window_is_for_what_it_names() {
        let mut window = Window { every: false, tags: vec!["eu".into()], ..window(None, None, None) };
        let monitor = MonitorId(uuid::Uuid::max());
        assert!(
            is_for(&window, monitor, None, &["eu".to_owned()]) && !is_for(&window, monitor, None, &["us".to_owned()])
        );
        window.monitors.push(monitor);
        assert!(is_for(&window, monitor, None, &[]));
    }
}
