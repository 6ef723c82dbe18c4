//! What the prober knows now, in memory.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Degraded, GroupId, Kind, MonitorId, Observation, Owner, Status};

/// Every monitor as the prober of this process knows it. Made anew at most once a second.
#[derive(Clone, Debug, Default)]
pub struct LiveView {
    /// When it was made, by the prober's clock.
    pub as_of: DateTime<Utc>,
    /// Since when nothing could be written to the database; `None`: it can.
    pub unwritten_since: Option<DateTime<Utc>>,
    pub figures: Figures,
    pub monitors: HashMap<MonitorId, Live>,
}

/// One monitor.
#[derive(Clone, Debug)]
pub struct Live {
    pub owner: Owner,
    pub key: String,
    pub name: String,
    pub kind: Kind,
    pub group: Option<GroupId>,
    pub interval_seconds: i32,
    pub status: Status,
    pub since: DateTime<Utc>,
    /// It is down only because this one is.
    pub because_of: Option<MonitorId>,
    pub degraded: Option<Degraded>,
    pub flapping: bool,
    /// Strangers may see its name and its status.
    pub badge: bool,
    /// Its last check; `None` before the first.
    pub last: Option<Last>,
}

/// The last check of a monitor.
#[derive(Clone, Debug)]
pub struct Last {
    pub ended_at: DateTime<Utc>,
    pub observation: Observation,
}

/// How the prober does: in `uptime_prober.figures`, for other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    pub monitors: u32,
    pub in_flight: u32,
    /// The longest delay of a check in the last minute, milliseconds.
    pub lag_ms: u32,
    /// Checks that wait to be written.
    pub in_memory: u32,
    /// When the clock of the prober's host jumped last, since the prober started.
    pub stepped_at: Option<DateTime<Utc>>,
}
