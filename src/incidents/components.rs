//! The status of a component, out of what monitors and incidents say. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::ComponentStatus;
use uptime::{Degraded, MonitorId, Status};

/// A monitor of a component.
#[derive(Clone, Copy, Debug)]
pub struct Monitor {
    pub id: MonitorId,
    /// What its outage makes of the component.
    pub weight: ComponentStatus,
    pub status: Status,
    pub degraded: Option<Degraded>,
}

/// What is known of a component.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Set by hand.
    pub set: Option<ComponentStatus>,
    /// What is shown now.
    pub shown: Option<ComponentStatus>,
    pub monitors: Vec<Monitor>,
    /// What published incidents do to it now, and maintenances that are in progress.
    pub incidents: Vec<ComponentStatus>,
}

/// What is to be shown.
pub fn status(known: &Known) -> ComponentStatus {
    if let Some(set) = known.set {
        return set;
    }
    let worst = known.incidents.iter().copied().max();
    let of_monitors = known.monitors.iter().filter_map(|monitor| match monitor.status {
        Status::Down => Some(monitor.weight),
        Status::Maintenance => Some(ComponentStatus::UnderMaintenance),
        Status::Up if monitor.degraded.is_some() => Some(ComponentStatus::DegradedPerformance),
        Status::Up => Some(ComponentStatus::Operational),
        Status::Paused | Status::Unknown => None,
    });
    let of_monitors: Vec<ComponentStatus> = of_monitors.collect();
    if worst.is_none() && of_monitors.is_empty() && !known.monitors.is_empty() {
        // Nobody knows: the last status stays, and the page says since when nothing was checked.
        return known.shown.unwrap_or(ComponentStatus::Operational);
    }
    let all = || of_monitors.iter().copied().chain(worst);
    let in_maintenance = all().any(|status| status == ComponentStatus::UnderMaintenance);
    match all().max().unwrap_or(ComponentStatus::Operational) {
        ComponentStatus::MajorOutage => ComponentStatus::MajorOutage,
        _ if in_maintenance || known.incidents.contains(&ComponentStatus::UnderMaintenance) => {
            ComponentStatus::UnderMaintenance
        }
        found => found,
    }
}

/// A change of a monitor.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub monitor: MonitorId,
    pub was: Status,
    pub is: Status,
    pub degraded: Option<Degraded>,
    /// When its span began, which may be long before it is written.
    pub at: DateTime<Utc>,
}

/// What is to be shown from when on, so that it is the monitors' time which counts and not the one when it was written. `steps`, oldest first, led to what is
/// known now; `since`: the time of what is shown.
pub fn course(
    known: &Known,
    steps: &[Step],
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, ComponentStatus)> {
    let is_own = |step: &&Step| known.monitors.iter().any(|monitor| monitor.id == step.monitor);
    let own: Vec<&Step> = steps.iter().filter(is_own).collect();
    let (mut then, mut since) = (known.clone(), since);
    for step in own.iter().rev() {
        set(&mut then, step.monitor, step.was, None);
    }
    let mut found = Vec::new();
    for step in &own {
        set(&mut then, step.monitor, step.is, step.degraded);
        let judged = status(&then);
        // A batch may be written twice: what came later is shown already.
        if then.shown != Some(judged) && step.at > since {
            found.push((step.at, judged));
            (then.shown, since) = (Some(judged), step.at);
        }
    }
    let last = status(&Known { shown: then.shown, ..known.clone() });
    if then.shown != Some(last) {
        let at = own.last().map_or(now, |step| step.at);
        found.push((at.max(since + TimeDelta::microseconds(1)), last));
    }
    found
}

fn set(known: &mut Known, id: MonitorId, status: Status, degraded: Option<Degraded>) {
    for monitor in known.monitors.iter_mut().filter(|monitor| monitor.id == id) {
        (monitor.status, monitor.degraded) = (status, degraded);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};

    fn monitor(weight: ComponentStatus, status: Status) -> Monitor {
        Monitor { id: MonitorId(Uuid::nil()), weight, status, degraded: None }
    }

    fn of(monitors: &[Monitor], incidents: &[ComponentStatus]) -> ComponentStatus {
        let shown = Some(PartialOutage);
        status(&Known { set: None, shown, monitors: monitors.to_vec(), incidents: incidents.to_vec() })
    }

    #[test]
    fn the_worst_is_shown() {
        let up = monitor(MajorOutage, Status::Up);
        assert_eq!(of(&[], &[]), Operational);
        assert_eq!(of(&[up], &[]), Operational);
        assert_eq!(of(&[up, monitor(PartialOutage, Status::Down)], &[]), PartialOutage);
        assert_eq!(of(&[up, monitor(PartialOutage, Status::Down)], &[MajorOutage]), MajorOutage);
        let slow = Monitor { degraded: Some(Degraded::Slow), ..up };
        assert_eq!(of(&[slow], &[]), DegradedPerformance);
    }

    #[test]
    fn maintenance_covers_all_but_a_major_outage() {
        let window = monitor(MajorOutage, Status::Maintenance);
        assert_eq!(of(&[window, monitor(PartialOutage, Status::Down)], &[]), UnderMaintenance);
        assert_eq!(of(&[window, monitor(MajorOutage, Status::Down)], &[]), MajorOutage);
        assert_eq!(of(&[monitor(MajorOutage, Status::Up)], &[UnderMaintenance]), UnderMaintenance);
    }

    #[test]
    fn what_nobody_knows_stays_as_it_was() {
        assert_eq!(
            of(&[monitor(MajorOutage, Status::Unknown), monitor(MajorOutage, Status::Paused)], &[]),
            PartialOutage
        );
        assert_eq!(of(&[monitor(MajorOutage, Status::Unknown), monitor(MajorOutage, Status::Up)], &[]), Operational);
        assert_eq!(of(&[monitor(MajorOutage, Status::Unknown)], &[MajorOutage]), MajorOutage);
    }

    #[test]
    fn a_hand_comes_first() {
        let known = Known { set: Some(Operational), incidents: vec![MajorOutage], ..Known::default() };
        assert_eq!(status(&known), Operational);
    }

    fn at(second: i64) -> DateTime<Utc> {
        "2026-12-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(second)
    }

    fn step(number: u128, was: Status, is: Status, second: i64) -> Step {
        Step { monitor: MonitorId(Uuid::from_u128(number)), was, is, degraded: None, at: at(second) }
    }

    /// Monitors 1, 2 and so on have these statuses now.
    fn known(shown: ComponentStatus, statuses: &[Status]) -> Known {
        let monitors = (1..).zip(statuses).map(|(number, status)| Monitor {
            id: MonitorId(Uuid::from_u128(number)),
            ..monitor(MajorOutage, *status)
        });
        Known { set: None, shown: Some(shown), monitors: monitors.collect(), incidents: Vec::new() }
    }

    #[test]
    fn what_is_shown_has_the_time_of_its_monitor() {
        let down = [step(1, Status::Up, Status::Down, 10)];
        let of = known(Operational, &[Status::Down]);
        assert_eq!(course(&of, &down, at(0), at(60)), [(at(10), MajorOutage)]);
        // Nobody said why: a person has changed something.
        assert_eq!(course(&of, &[], at(0), at(60)), [(at(60), MajorOutage)]);
        let others = [step(9, Status::Up, Status::Down, 10)];
        assert!(course(&known(Operational, &[Status::Up]), &others, at(0), at(60)).is_empty());
    }

    #[test]
    fn what_began_and_ended_in_one_batch_is_shown_with_both_times_and_once() {
        let steps = [step(1, Status::Up, Status::Down, 10), step(1, Status::Down, Status::Up, 50)];
        let of = known(Operational, &[Status::Up]);
        assert_eq!(course(&of, &steps, at(0), at(60)), [(at(10), MajorOutage), (at(50), Operational)]);
        // The same batch again.
        assert!(course(&of, &steps, at(50), at(70)).is_empty());
    }

    #[test]
    fn the_last_one_that_is_down_counts() {
        let steps = [step(1, Status::Down, Status::Up, 30), step(2, Status::Down, Status::Up, 40)];
        let of = known(MajorOutage, &[Status::Up, Status::Up]);
        assert_eq!(course(&of, &steps, at(10), at(60)), [(at(40), Operational)]);
        assert!(course(&known(MajorOutage, &[Status::Up, Status::Down]), &steps[..1], at(10), at(60)).is_empty());
    }

    #[test]
    fn two_changes_have_two_times() {
        let late = [step(1, Status::Up, Status::Down, 10)];
        let of = known(Operational, &[Status::Down]);
        assert_eq!(course(&of, &late, at(20), at(60)), [(at(20) + TimeDelta::microseconds(1), MajorOutage)]);
    }
}
