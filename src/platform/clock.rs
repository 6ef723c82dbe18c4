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
        let ahead = self.ahead.as_ref().map_or(0, |a| a.load(Ordering::SeqCst));
        DateTime::from_timestamp_micros(Utc::now().timestamp_micros() + ahead).unwrap_or_default()
    }

    /// Moves a movable clock; no effect on the system clock.
    pub fn advance(&self, by: TimeDelta) {
        if let (Some(ahead), Some(micros)) = (&self.ahead, by.num_microseconds()) {
            ahead.fetch_add(micros, Ordering::SeqCst);
        }
    }
}
