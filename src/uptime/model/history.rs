//! What is known over time.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Cause, MonitorId, Phases, Reason, SpanId, Status};
use platform::text_enum;

text_enum! {
    /// How a single check ended. Stored by its place in this list.
    #[schema(as = CheckOutcome)]
    pub enum Outcome {
        Up = "up",
        Down = "down",
        /// Up, and slow or with a certificate or domain that ends soon.
        Degraded = "degraded",
        /// An attempt that failed, after which another succeeded or is still to come.
        Unconfirmed = "unconfirmed",
    }
}

impl Outcome {
    /// As in `uptime_checks.outcome`.
    pub const fn number(self) -> i16 {
        self as i16
    }

    pub fn of_number(number: i16) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A single check as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UptimeCheck)]
pub struct Check {
    /// When its first attempt really started.
    pub at: DateTime<Utc>,
    pub outcome: Outcome,
    /// Null: it did not fail.
    pub reason: Option<Reason>,
    /// Number of the attempt, 1 for the first.
    pub attempt: i16,
    /// Microseconds.
    pub total: i32,
    pub phases: Phases,
    /// Status of HTTP and gRPC, reply code of SMTP, RCODE of DNS.
    pub code: Option<i16>,
    /// How late it started, milliseconds.
    pub lag: i32,
    /// It ran in a maintenance window.
    pub maintenance: bool,
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    pub error: Option<String>,
}

/// A time during which the status did not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UptimeSpan)]
pub struct Span {
    pub id: SpanId,
    pub monitor_id: MonitorId,
    pub status: Status,
    /// An outage begins with its first failed attempt.
    pub starts_at: DateTime<Utc>,
    /// Null: it lasts.
    pub ends_at: Option<DateTime<Utc>>,
    /// When it was known.
    pub confirmed_at: DateTime<Utc>,
    pub cause: Cause,
    /// Of `down`: the first span of the outage, which a gap or a window may have interrupted.
    pub outage_id: Option<SpanId>,
    /// Whether people were told of it.
    pub told: bool,
    pub error: Option<String>,
}

/// A day of a monitor, in the time zone that was asked for. The seconds add up to the length of the day, or of what has passed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTotal {
    pub monitor: MonitorId,
    pub day: NaiveDate,
    pub up: i64,
    pub down: i64,
    pub maintenance: i64,
    /// Unknown and paused.
    pub unknown: i64,
    /// Outages that began on it.
    pub outages: i32,
}

text_enum! {
    /// Distance between two points.
    #[schema(as = UptimeStep)]
    pub enum Step {
        Minute = "minute",
        Hour = "hour",
        Day = "day",
    }
}

/// Latency of a minute, an hour or a day. Times in microseconds, of checks that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UptimePoint)]
pub struct Point {
    pub at: DateTime<Utc>,
    pub checks: i32,
    pub failed: i32,
    pub p50: Option<i32>,
    pub p90: Option<i32>,
    pub p95: Option<i32>,
    pub p99: Option<i32>,
    pub slowest: Option<i32>,
}

/// Availability between two times: from spans, so neither the number of checks nor their length bends it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UptimeAvailability)]
pub struct Availability {
    /// Seconds of each status. Maintenance that does not count is in `maintenance`, the rest of it in `up` or `down`.
    pub up: i64,
    pub down: i64,
    pub maintenance: i64,
    pub unknown: i64,
    pub outages: i32,
    /// `up / (up + down)`, 0 to 1; null where neither is known.
    pub share: Option<f64>,
    /// Of the error budget: seconds that may be down by the target, less those that were. Null without a target.
    pub budget_left: Option<i64>,
}
