//! A change of a monitor's status.

use chrono::{DateTime, Utc};

use super::{Cause, Degraded, GroupId, MonitorId, Owner, SpanId, Status};

/// A monitor's status has changed. Given to [`crate::Witness`] in the transaction that writes the span.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The span that begins. A batch that is written again has the same.
    pub span: SpanId,
    pub monitor: MonitorId,
    pub owner: Owner,
    pub key: String,
    pub name: String,
    pub group: Option<GroupId>,
    pub parent: Option<MonitorId>,
    /// Registrable domain or address of the target, in lower case.
    pub host: Option<String>,
    pub tags: Vec<String>,
    pub was: Status,
    pub is: Status,
    pub cause: Cause,
    /// The outage that begins, goes on after a gap or a window, or ends with this: by its first span. `None`: there is none.
    pub outage: Option<SpanId>,
    /// Whether people are to be told. `down`: not if its parent is down, nor in a window, nor if it only goes on. `up`: only if they were told of the
    /// outage that it ends.
    pub told: bool,
    /// An outage starts with its first failed attempt, and its end with the first success.
    pub started_at: DateTime<Utc>,
    pub confirmed_at: DateTime<Utc>,
    pub degraded: Option<Degraded>,
    pub error: Option<String>,
    /// Written long after it happened, because the database was away.
    pub late: bool,
}
