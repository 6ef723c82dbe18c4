//! Which status may follow which, and how much an incident affects. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{ComponentStatus, Impact, IncidentKind, IncidentStatus};

/// An incident is reopened within this time; later it is a new one.
pub const REOPENS: TimeDelta = TimeDelta::hours(24);

/// Why a status cannot follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMove {
    #[error("this status belongs to the other kind: incidents and maintenances have their own")]
    OtherKind,
    #[error("a post-mortem comes after the incident was resolved")]
    NotResolved,
    #[error("it was resolved more than 24 hours ago: open a new incident")]
    TooLate,
    #[error("a maintenance goes forward only: scheduled, in progress, verifying, completed")]
    Backward,
}

/// Whether `to` may follow `from`, which may be the same.
pub fn check(
    from: IncidentStatus,
    to: IncidentStatus,
    resolved_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), BadMove> {
    if from.kind() != to.kind() {
        return Err(BadMove::OtherKind);
    }
    if from.kind() == IncidentKind::Maintenance {
        return if place(to) >= place(from) { Ok(()) } else { Err(BadMove::Backward) };
    }
    if to == IncidentStatus::Postmortem && !from.is_over() {
        return Err(BadMove::NotResolved);
    }
    if reopens(from, to) && resolved_at.is_some_and(|at| now - at > REOPENS) {
        return Err(BadMove::TooLate);
    }
    Ok(())
}

/// Whether this opens what was over.
pub fn reopens(from: IncidentStatus, to: IncidentStatus) -> bool {
    from.is_over() && !to.is_over()
}

/// Order of a maintenance.
fn place(status: IncidentStatus) -> u8 {
    match status {
        IncidentStatus::InProgress => 1,
        IncidentStatus::Verifying => 2,
        IncidentStatus::Completed => 3,
        _ => 0,
    }
}

/// How much an incident affects: the worst of what it does to components.
pub fn impact(kind: IncidentKind, affected: impl IntoIterator<Item = ComponentStatus>) -> Impact {
    match kind {
        IncidentKind::Maintenance => Impact::Maintenance,
        IncidentKind::Incident => affected.into_iter().map(Impact::from).max().unwrap_or(Impact::None),
    }
}

/// What the clock makes of a maintenance; `None`: nothing new.
pub fn by_clock(
    status: IncidentStatus,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<IncidentStatus> {
    match status {
        IncidentStatus::Scheduled | IncidentStatus::InProgress if now >= until => Some(IncidentStatus::Completed),
        IncidentStatus::Scheduled if now >= from => Some(IncidentStatus::InProgress),
        // A person who verifies ends it by hand.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use IncidentStatus::{
        Completed, Identified, InProgress, Investigating, Monitoring, Postmortem, Resolved, Scheduled, Verifying,
    };

    #[test]
    fn an_incident_moves_freely_until_it_is_over() {
        let now: DateTime<Utc> = "2026-12-01T12:00:00Z".parse().unwrap();
        for from in [Investigating, Identified, Monitoring] {
            for to in [Investigating, Identified, Monitoring, Resolved] {
                assert_eq!(check(from, to, None, now), Ok(()), "{from:?} {to:?}");
            }
            assert_eq!(check(from, Postmortem, None, now), Err(BadMove::NotResolved));
            assert_eq!(check(from, Scheduled, None, now), Err(BadMove::OtherKind));
        }
        let yesterday = Some(now - TimeDelta::hours(23));
        assert_eq!(check(Resolved, Postmortem, yesterday, now), Ok(()));
        assert_eq!(check(Resolved, Investigating, yesterday, now), Ok(()));
        assert_eq!(check(Postmortem, Investigating, Some(now - TimeDelta::hours(25)), now), Err(BadMove::TooLate));
        assert!(reopens(Resolved, Investigating) && !reopens(Resolved, Postmortem) && !reopens(Identified, Resolved));
    }

    #[test]
    fn a_maintenance_goes_forward_by_the_clock_or_by_hand() {
        let now: DateTime<Utc> = "2026-12-01T12:00:00Z".parse().unwrap();
        assert_eq!(check(Scheduled, Completed, None, now), Ok(()));
        assert_eq!(check(Verifying, InProgress, None, now), Err(BadMove::Backward));
        let (from, until) = (now, now + TimeDelta::hours(1));
        assert_eq!(by_clock(Scheduled, from, until, now - TimeDelta::seconds(1)), None);
        assert_eq!(by_clock(Scheduled, from, until, now), Some(InProgress));
        assert_eq!(by_clock(InProgress, from, until, now), None);
        assert_eq!(by_clock(InProgress, from, until, until), Some(Completed));
        assert_eq!(by_clock(Scheduled, from, until, until), Some(Completed), "a worker was away all the time");
        assert_eq!(by_clock(Verifying, from, until, until), None);
    }

    #[test]
    fn the_impact_is_that_of_the_worst() {
        let incident = IncidentKind::Incident;
        assert_eq!(impact(incident, []), Impact::None);
        let affected = [ComponentStatus::DegradedPerformance, ComponentStatus::PartialOutage];
        assert_eq!(impact(incident, affected), Impact::Major);
        assert_eq!(impact(IncidentKind::Maintenance, affected), Impact::Maintenance);
    }
}
