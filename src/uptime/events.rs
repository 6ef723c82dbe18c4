//! The events of monitors.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Cause, Degraded, MonitorId, SpanId};
use events::{Event, EventType};

pub const EVENTS: &[EventType] =
    &[EventType::of::<MonitorDown>(), EventType::of::<MonitorUp>(), EventType::of::<MonitorEnding>()];

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventMonitorDown)]
pub struct MonitorDown {
    pub monitor_id: MonitorId,
    /// The outage: its end has the same.
    pub outage_id: SpanId,
    pub key: String,
    /// `parent`: only because the monitor that it depends on is down.
    pub cause: Cause,
    /// When the first attempt failed.
    pub started_at: DateTime<Utc>,
    /// Whether people are told of it.
    pub told: bool,
}

impl Event for MonitorDown {
    const TOPIC: &'static str = "uptime.monitor.down";
    const ABOUT: &'static str = "A monitor is down: all attempts of a check failed, or its sender reported a failure.";
    fn key(&self) -> String {
        self.monitor_id.to_string()
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventMonitorUp)]
pub struct MonitorUp {
    pub monitor_id: MonitorId,
    /// The outage that ended.
    pub outage_id: SpanId,
    pub key: String,
    /// When the outage began.
    pub started_at: DateTime<Utc>,
    /// When the first attempt succeeded.
    pub ended_at: DateTime<Utc>,
    /// Whether people are told of it.
    pub told: bool,
}

impl Event for MonitorUp {
    const TOPIC: &'static str = "uptime.monitor.up";
    const ABOUT: &'static str = "A monitor is up again after an outage.";
    fn key(&self) -> String {
        self.monitor_id.to_string()
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventMonitorEnding)]
pub struct MonitorEnding {
    pub monitor_id: MonitorId,
    pub key: String,
    /// `certificate` or `domain`
    pub what: Degraded,
    pub ends_at: DateTime<Utc>,
    /// The threshold that was passed, days; 0: it has ended.
    pub days: i16,
}

impl Event for MonitorEnding {
    const TOPIC: &'static str = "uptime.monitor.ending";
    const ABOUT: &'static str =
        "A certificate or a domain ends soon: told once for each threshold and each certificate.";
    fn key(&self) -> String {
        self.monitor_id.to_string()
    }
}
