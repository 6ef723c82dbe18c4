//! The one source of wall-clock time, so that tests can set it. Leases and schedules use the database's clock instead.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

/// Wall-clock time in UTC. Cheap to clone; clones of a movable clock move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Microseconds ahead of the system's clock; `None` cannot be moved.
    ahead: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// The system's clock, which a test can move.
    pub fn movable() -> Self {
        Self { ahead: Some(Arc::default()) }
    }

    /// Now, in UTC, with microseconds (PostgreSQL's precision).
    #[expect(clippy::disallowed_methods, reason = "the home of the ban")]
    pub fn now(&self) -> DateTime<Utc> {
        let ahead = self.ahead.as_ref().map_or(0, |a| a.load(Ordering::SeqCst));
        DateTime::from_timestamp_micros(Utc::now().timestamp_micros() + ahead).unwrap_or_default()
    }

    /// Moves a movable clock; does nothing to the system's.
    pub fn advance(&self, by: TimeDelta) {
        if let (Some(ahead), Some(micros)) = (&self.ahead, by.num_microseconds()) {
            ahead.fetch_add(micros, Ordering::SeqCst);
        }
    }
}
