//! The one source of wall-clock time, so that tests can set it. Leases and schedules use the database's clock instead.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

/// Wall-clock time in UTC. Cheap to clone; clones of a fixed clock move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Microseconds since the epoch; `None` reads the system's clock.
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is moved.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self { fixed: Some(Arc::new(AtomicI64::new(at.timestamp_micros()))) }
    }

    /// Now, in UTC, with microseconds (PostgreSQL's precision).
    #[expect(clippy::disallowed_methods, reason = "the home of the ban")]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.fixed {
            Some(at) => at.load(Ordering::SeqCst),
            None => Utc::now().timestamp_micros(),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Moves a fixed clock forward; does nothing to the system's.
    pub fn advance(&self, by: TimeDelta) {
        if let (Some(at), Some(micros)) = (&self.fixed, by.num_microseconds()) {
            at.fetch_add(micros, Ordering::SeqCst);
        }
    }
}
