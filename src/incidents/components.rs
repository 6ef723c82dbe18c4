//! The status of a component, out of what monitors and incidents say. Pure.

use super::model::ComponentStatus;
use uptime::{Degraded, Status};

/// A monitor of a component.
#[derive(Clone, Copy, Debug)]
pub struct Monitor {
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
    /// What published incidents that are open do to it, and maintenances that are in progress.
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

#[cfg(test)]
mod tests {
    use super::*;
    use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};

    fn monitor(weight: ComponentStatus, status: Status) -> Monitor {
        Monitor { weight, status, degraded: None }
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
}
