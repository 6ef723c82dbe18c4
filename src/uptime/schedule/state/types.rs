//! What the state machine is given, and what it gives back.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Cause, Degraded, MonitorId, SpanId, Status, WindowId};

/// How a monitor is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Further attempts before it is down; 0 for what others report.
    pub retries: u16,
    /// Successes in a row before it is up again.
    pub successes: u16,
    /// Of a successful attempt, milliseconds.
    pub slow_ms: Option<i32>,
    /// 0: never.
    pub certificate_days: i16,
    /// `None`: no kind that knows a domain's end.
    pub domain_days: Option<i16>,
}

/// A failure that is not confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub first_failed_at: DateTime<Utc>,
    pub attempts: u16,
    pub error: Option<String>,
}

/// An outage that is not known to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Its first span.
    pub id: SpanId,
    pub started_at: DateTime<Utc>,
    /// Whether people were told of it.
    pub told: bool,
}

/// What a child must know of its parent.
#[derive(Clone, Copy, Debug)]
pub struct Parent {
    pub id: MonitorId,
    /// What its checks say, whatever covers it.
    pub checked: Status,
    pub is_suspect: bool,
    /// When its last good attempt started.
    pub last_ok_at: Option<DateTime<Utc>>,
    /// How long its verdict is waited for.
    pub patience: TimeDelta,
}

/// What covers what checks say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    pub is_removed: bool,
    pub is_paused: bool,
    pub window: Option<WindowId>,
}

/// A status that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub span: SpanId,
    pub was: Status,
    pub is: Status,
    pub cause: Cause,
    /// The parent, or the window.
    pub because_of: Option<uuid::Uuid>,
    /// The outage that begins, goes on or ends with it.
    pub outage: Option<Outage>,
    pub told: bool,
    pub started_at: DateTime<Utc>,
    pub confirmed_at: DateTime<Utc>,
    pub error: Option<String>,
}

/// What follows from a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The shown status has changed.
    Status(Change),
    /// A first failure: look at the parent, and at those who may share the cause.
    Suspected,
    /// It would be down, but its parent must be judged first: ask again with [`super::State::judge_again`] then, or when the parent has changed.
    Waits(DateTime<Utc>),
    /// A certificate or a domain has passed a threshold, of so many days.
    Ending {
        what: Degraded,
        ends_at: DateTime<Utc>,
        days: i16,
    },
    Flapping(bool),
    /// Something of the row of the state has changed, besides the status.
    Row,
}

/// Makes ids of spans.
pub type Ids<'a> = &'a mut dyn FnMut() -> SpanId;
