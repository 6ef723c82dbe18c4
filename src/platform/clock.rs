//! The only source of wall-clock time, so that tests can set it. Leases and schedules use the database's clock instead.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

/// Wall-clock time in UTC. Cheap to clone; clones of a movable clock move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Microseconds ahead of the system clock; `None`: fixed to it.
    ahead: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The system clock, movable by a test.
    pub fn movable() -> Self {
        Self { ahead: Some(Arc::default()) }
    }

    /// The current time in UTC, microsecond precision (PostgreSQL's).
    #[expect(clippy::disallowed_methods, reason = "the home of the ban")]
    pub fn now(&self) -> DateTime<Utc> {
        self.moved(DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).unwrap_or_default())
    }

    /// A time of another clock, such as the database's, as far ahead of it as a test has moved this one.
    pub fn moved(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        at + TimeDelta::microseconds(self.ahead.as_ref().map_or(0, |ahead| ahead.load(Ordering::SeqCst)))
    }

    /// Moves a movable clock; no effect on the system clock.
    pub fn advance(&self, by: TimeDelta) {
        if let (Some(ahead), Some(micros)) = (&self.ahead, by.num_microseconds()) {
            ahead.fetch_add(micros, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_another_clock_is_moved_as_this_one() {
        let (system, movable) = (Clock::system(), Clock::movable());
        let theirs = DateTime::UNIX_EPOCH;
        movable.advance(TimeDelta::hours(2));
        assert_eq!(system.moved(theirs), theirs);
        assert_eq!(movable.moved(theirs), theirs + TimeDelta::hours(2));
    }
}
