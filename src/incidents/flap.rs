//! What goes down and up all the time is told once. Pure.

use chrono::{DateTime, TimeDelta, Utc};

/// Flapping ends when nothing has changed for as long as the rule looks back, or when it has been down for this long.
pub const STEADY_DOWN: TimeDelta = TimeDelta::minutes(10);

/// What is flapping, by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many changes
    pub changes: usize,
    /// within so long.
    pub within: TimeDelta,
}

/// Whether an incident whose causes changed at these times is flapping now. `is_down`: one of them lasts.
pub fn is_flapping(was: bool, changes: &[DateTime<Utc>], is_down: bool, limits: Limits, now: DateTime<Utc>) -> bool {
    let recent = changes.iter().filter(|at| **at > now - limits.within && **at <= now).count();
    if !was {
        return recent >= limits.changes;
    }
    match changes.iter().filter(|at| **at <= now).max() {
        Some(last) if is_down => now - *last < STEADY_DOWN.min(limits.within),
        Some(last) => now - *last < limits.within,
        None => false,
    }
}

/// When flapping ends if nothing changes any more.
pub fn steady_at(changes: &[DateTime<Utc>], is_down: bool, limits: Limits) -> Option<DateTime<Utc>> {
    let quiet = if is_down { STEADY_DOWN.min(limits.within) } else { limits.within };
    changes.iter().max().map(|last| *last + quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { changes: 6, within: TimeDelta::minutes(30) };

    fn at(minute: i64) -> DateTime<Utc> {
        "2026-12-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
    }

    #[test]
    fn six_changes_in_half_an_hour_are_flapping() {
        let changes: Vec<_> = (0..6).map(|n| at(n * 5)).collect();
        assert!(is_flapping(false, &changes, false, LIMITS, at(25)));
        assert!(!is_flapping(false, &changes[1..], false, LIMITS, at(25)));
        let slow: Vec<_> = (0..6).map(|n| at(n * 7)).collect();
        assert!(!is_flapping(false, &slow, false, LIMITS, at(35)));
    }

    #[test]
    fn it_ends_when_it_is_up_for_long_or_down_for_ten_minutes() {
        let changes: Vec<_> = (0..6).map(at).collect();
        assert!(is_flapping(true, &changes, false, LIMITS, at(34)));
        assert!(!is_flapping(true, &changes, false, LIMITS, at(35)));
        assert!(is_flapping(true, &changes, true, LIMITS, at(14)));
        assert!(!is_flapping(true, &changes, true, LIMITS, at(15)));
        assert_eq!(steady_at(&changes, false, LIMITS), Some(at(35)));
        assert_eq!(steady_at(&changes, true, LIMITS), Some(at(15)));
    }
}
