//! What is watched: monitors, groups, maintenance windows.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::spec::MonitorSpec;
use platform::{id_type, text_enum};

id_type!(MonitorId, "Something that is watched.");
id_type!(GroupId, "A group of monitors.");
id_type!(WindowId, "A maintenance window.");
id_type!(SpanId, "A time during which the status of a monitor did not change.");
id_type!(ImportId, "A file of another monitor program, and what becomes of it.");

text_enum! {
    /// What a monitor asks.
    #[schema(as = MonitorKind)]
    pub enum Kind {
        Http = "http",
        /// Several HTTP requests, with values taken from earlier answers.
        Flow = "flow",
        Tcp = "tcp",
        Tls = "tls",
        Dns = "dns",
        Icmp = "icmp",
        Smtp = "smtp",
        Imap = "imap",
        Postgres = "postgres",
        Grpc = "grpc",
        /// Nothing: somebody else reports, in time.
        Heartbeat = "heartbeat",
        /// When a domain ends, as its registry says.
        Domain = "domain",
        /// A part of the appliance, asked within the process.
        Internal = "internal",
    }
}

text_enum! {
    /// Status of a monitor.
    #[schema(as = MonitorStatus)]
    pub enum Status {
        Up = "up",
        Down = "down",
        /// In a maintenance window: checked, and nobody is told.
        Maintenance = "maintenance",
        Paused = "paused",
        /// Not checked, or the check could not be made: the span's cause says why.
        Unknown = "unknown",
    }
}

impl Status {
    /// Badge colour.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Up => "ok",
            Self::Down => "error",
            Self::Maintenance => "info",
            Self::Paused | Self::Unknown => "neutral",
        }
    }
}

text_enum! {
    /// Why a monitor that is up needs attention. A property beside the status, never a status.
    #[schema(as = MonitorDegraded)]
    pub enum Degraded {
        /// Slower than its limit, three checks in a row.
        Slow = "slow",
        /// A certificate ends soon.
        Certificate = "certificate",
        /// The domain ends soon.
        Domain = "domain",
    }
}

text_enum! {
    /// Why a status began.
    #[schema(as = SpanCause)]
    pub enum Cause {
        /// What a check found, or a beat said.
        Check = "check",
        /// Down only because its parent is down.
        Parent = "parent",
        /// A maintenance window.
        Window = "window",
        /// Somebody paused or resumed it.
        ByHand = "by_hand",
        /// The file no longer has it.
        Removed = "removed",
        /// Not checked yet: it is new, or was changed to another target.
        New = "new",
        /// Nobody checked: no worker ran.
        ProberStopped = "prober_stopped",
        /// The clock jumped over a time that nobody checked.
        Clock = "clock",
        /// Too much to check: its turn did not come for three intervals.
        Overload = "overload",
        /// Single checks of this time were lost, because the database was away for longer than memory lasts.
        Memory = "memory",
        /// The check cannot be made here, or who would know refuses to say: see the error.
        Unable = "unable",
    }
}

text_enum! {
    /// Who manages something, if not people.
    pub enum ManagedBy {
        /// The file of monitors: it cannot be changed otherwise.
        File = "file",
        /// The appliance itself: made again if it is missing.
        Builtin = "builtin",
    }
}

text_enum! {
    /// What the sender of a heartbeat monitor reports.
    #[schema(as = MonitorBeat)]
    pub enum Beat {
        /// Work has begun: its end must come in time.
        Start = "start",
        Ok = "ok",
        /// Work has failed: down at once.
        Fail = "fail",
    }
}

text_enum! {
    /// The program that a file comes from.
    #[schema(as = UptimeImportSource)]
    pub enum ImportSource {
        UptimeKuma = "uptime_kuma",
        Gatus = "gatus",
    }
}

/// A monitor as lists show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Monitor {
    pub id: MonitorId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    /// Its identity in the file and in addresses of badges; unique for its owner.
    pub key: String,
    pub name: String,
    pub description: String,
    pub kind: Kind,
    pub group_id: Option<GroupId>,
    /// While the parent is down nobody is told of this one.
    pub parent_id: Option<MonitorId>,
    pub tags: Vec<String>,
    pub interval_seconds: i32,
    pub status: Status,
    pub since: DateTime<Utc>,
    /// Null while it needs no attention.
    pub degraded: Option<Degraded>,
    /// Null while it does not change all the time.
    pub flapping_since: Option<DateTime<Utc>>,
    /// Why it is down or degraded; of a part of the appliance that is well, what it says of itself, such as the date of the last proven restore.
    pub error: Option<String>,
    /// The first end among the certificates of the chain that was verified.
    pub certificate_ends_at: Option<DateTime<Utc>>,
    pub domain_ends_at: Option<DateTime<Utc>>,
    pub managed_by: Option<ManagedBy>,
    pub removed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A monitor with all of its settings. Secrets are named, never shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MonitorDetail {
    #[serde(flatten)]
    pub monitor: Monitor,
    pub spec: MonitorSpec,
    /// Names of the secrets that it has.
    pub secrets: Vec<String>,
    /// Of one attempt, milliseconds.
    pub timeout_ms: i32,
    /// Further attempts before it is down.
    pub retries: i16,
    /// From the start of one attempt to the start of the next, milliseconds; null: the timeout.
    pub retry_ms: Option<i32>,
    /// Successes in a row before it is up again.
    pub successes: i16,
    /// Slower than this is degraded, milliseconds; null: never.
    pub slow_ms: Option<i32>,
    /// A certificate that ends sooner is degraded, days; 0: never.
    pub certificate_days: i16,
    /// Share of the time that it should be up, such as 0.999.
    pub target: Option<f64>,
    /// Strangers may read its badge though no public page shows it.
    pub badge: bool,
    pub paused_at: Option<DateTime<Utc>>,
    pub paused_by: Option<String>,
    pub created_by: String,
}

/// A group of monitors.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MonitorGroup)]
pub struct Group {
    pub id: GroupId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub key: String,
    pub name: String,
    pub managed_by: Option<ManagedBy>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A maintenance window: once, from `starts_at` to `ends_at`; or recurring, as `cron` says in `zone`, for `minutes`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MaintenanceWindow)]
pub struct Window {
    pub id: WindowId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub key: String,
    pub name: String,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub cron: Option<String>,
    pub minutes: Option<i32>,
    /// Time zone, such as `Europe/Berlin`.
    pub zone: String,
    /// Its time does not count for availability.
    pub excluded: bool,
    /// For everything of its owner; otherwise for any of the monitors, groups and tags below.
    pub every: bool,
    pub monitors: Vec<MonitorId>,
    pub groups: Vec<GroupId>,
    pub tags: Vec<String>,
    pub managed_by: Option<ManagedBy>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
