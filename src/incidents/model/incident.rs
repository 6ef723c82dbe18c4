//! Incidents and announced maintenance, with their timeline and their causes.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ComponentId, ComponentStatus};
use platform::{id_type, text_enum};
use uptime::{Degraded, GroupId, MonitorId, WindowId};

id_type!(IncidentId, "An incident, or an announced maintenance.");
id_type!(UpdateId, "A part of an incident's timeline.");
id_type!(LogId, "What somebody or something did about an incident.");
id_type!(IncidentTemplateId, "A prepared text of an incident.");

text_enum! {
    pub enum IncidentKind {
        Incident = "incident",
        /// Announced work.
        Maintenance = "maintenance",
    }
}

text_enum! {
    /// Status of an incident, and of a maintenance; the words of Statuspage.
    pub enum IncidentStatus {
        Investigating = "investigating",
        Identified = "identified",
        Monitoring = "monitoring",
        Resolved = "resolved",
        Postmortem = "postmortem",
        Scheduled = "scheduled",
        InProgress = "in_progress",
        Verifying = "verifying",
        Completed = "completed",
    }
}

impl IncidentStatus {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Postmortem | Self::Completed)
    }

    pub fn kind(self) -> IncidentKind {
        match self {
            Self::Investigating | Self::Identified | Self::Monitoring | Self::Resolved | Self::Postmortem => {
                IncidentKind::Incident
            }
            Self::Scheduled | Self::InProgress | Self::Verifying | Self::Completed => IncidentKind::Maintenance,
        }
    }
}

text_enum! {
    /// How much an incident affects; the words of Statuspage.
    #[schema(as = IncidentImpact)]
    #[derive(PartialOrd, Ord)]
    pub enum Impact {
        None = "none",
        Maintenance = "maintenance",
        Minor = "minor",
        Major = "major",
        Critical = "critical",
    }
}

impl From<ComponentStatus> for Impact {
    fn from(status: ComponentStatus) -> Self {
        match status {
            ComponentStatus::Operational => Self::None,
            ComponentStatus::UnderMaintenance => Self::Maintenance,
            ComponentStatus::DegradedPerformance => Self::Minor,
            ComponentStatus::PartialOutage => Self::Major,
            ComponentStatus::MajorOutage => Self::Critical,
        }
    }
}

text_enum! {
    /// How urgent an incident is for people on call.
    #[schema(as = IncidentSeverity)]
    #[derive(PartialOrd, Ord)]
    pub enum Severity {
        Info = "info",
        Warning = "warning",
        Critical = "critical",
    }
}

/// An incident as lists show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Incident {
    pub id: IncidentId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    /// Its id in Statuspage's JSON.
    pub code: String,
    pub kind: IncidentKind,
    pub name: String,
    pub status: IncidentStatus,
    pub impact: Impact,
    /// The impact was set by hand.
    pub impact_override: bool,
    pub severity: Severity,
    /// Null: only insiders see it.
    pub published_at: Option<DateTime<Utc>>,
    /// `monitor`, `alert`, `ending`, `window`, `user:<id>`, `key:<id>`
    pub opened_by: String,
    pub started_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
    pub monitoring_at: Option<DateTime<Utc>>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub scheduled_for: Option<DateTime<Utc>>,
    pub scheduled_until: Option<DateTime<Utc>>,
    pub window_id: Option<WindowId>,
    pub merged_into: Option<IncidentId>,
    pub flapping: bool,
    pub postmortem: Option<String>,
    pub postmortem_published_at: Option<DateTime<Utc>>,
    /// Changes with each change; `ETag` and `If-Match` hold it.
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Incident {
    /// Badge colour.
    pub fn tone(&self) -> &'static str {
        match (self.resolved_at.is_some(), self.kind, self.severity) {
            (true, ..) => "ok",
            (false, IncidentKind::Maintenance, _) => "info",
            (false, _, Severity::Critical) => "error",
            (false, _, Severity::Warning) => "warn",
            (false, _, Severity::Info) => "neutral",
        }
    }
}

/// A part of the timeline.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentUpdate)]
pub struct Update {
    pub id: UpdateId,
    /// Its id in Statuspage's JSON.
    pub code: String,
    pub incident_id: IncidentId,
    pub status: IncidentStatus,
    /// Markdown; HTML in it is shown as text.
    pub body: String,
    pub affected: Vec<Affected>,
    pub display_at: DateTime<Utc>,
    pub published: bool,
    /// Subscribers get it by mail.
    pub notify: bool,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What an update did to a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = IncidentAffected)]
pub struct Affected {
    pub component: ComponentId,
    pub old: ComponentStatus,
    pub new: ComponentStatus,
}

/// An incident with all that a page shows of it.
#[derive(Clone, Debug)]
pub struct IncidentView {
    pub incident: Incident,
    /// Newest first; only what is published.
    pub updates: Vec<Update>,
    /// What it affects, and how.
    pub components: Vec<(ComponentId, ComponentStatus)>,
    /// What is left of its impact: what monitors did ends with their outages, before the incident is resolved.
    pub impact_now: Impact,
}

text_enum! {
    /// What an incident comes from.
    #[schema(as = IncidentCauseSource)]
    pub enum CauseSource {
        Monitor = "monitor",
        Alert = "alert",
        /// A certificate or a domain that ends soon.
        Ending = "ending",
    }
}

/// What opened an incident, or joined it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentCause)]
pub struct Cause {
    pub source: CauseSource,
    /// The outage by its first span, the alert, or the event that said that something ends.
    #[serde(rename = "ref")]
    pub reference: Uuid,
    /// The monitor, or the alert.
    pub subject: Uuid,
    pub name: String,
    #[serde(skip)]
    #[schema(ignore)]
    pub traits: Traits,
    pub opened_at: DateTime<Utc>,
    /// Null: it lasts.
    pub closed_at: Option<DateTime<Utc>>,
}

impl Cause {
    pub fn lasts(&self) -> bool {
        self.closed_at.is_none()
    }
}

/// How many monitors and alerts these are: one that came back is there more than once.
pub fn distinct<'a>(causes: impl Iterator<Item = &'a Cause>) -> usize {
    causes.map(|cause| (cause.source.as_str(), cause.subject)).collect::<BTreeSet<_>>().len()
}

/// By which further causes join an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traits {
    pub parent: Option<MonitorId>,
    pub group: Option<GroupId>,
    /// Registrable domain or address.
    pub host: Option<String>,
    /// Of an alert: its name and its label `service`.
    pub alert: Option<String>,
    pub service: Option<String>,
    pub runbook: Option<String>,
    /// Of a monitor: by which rules know it.
    pub tags: Vec<String>,
    /// Why it is down.
    pub error: Option<String>,
    /// Seen long after it began.
    pub late: bool,
    /// Of what ends: `certificate` or `domain`, and when.
    pub ending: Option<Degraded>,
    pub ends_at: Option<DateTime<Utc>>,
}

text_enum! {
    /// What was done about an incident.
    #[schema(as = IncidentLogKind)]
    pub enum LogKind {
        Opened = "opened",
        /// A further monitor or alert.
        Joined = "joined",
        /// One of its causes is over.
        Left = "left",
        Acknowledged = "acknowledged",
        Escalated = "escalated",
        /// The rest of the escalation was not needed.
        EscalationEnded = "escalation_ended",
        Told = "told",
        /// No rule matches it.
        Nobody = "nobody",
        Held = "held",
        Published = "published",
        Changed = "changed",
        Merged = "merged",
        Split = "split",
        Flapping = "flapping",
        Steady = "steady",
        Resolved = "resolved",
        Reopened = "reopened",
    }
}

/// What somebody or something did about an incident.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentLogEntry)]
pub struct LogEntry {
    pub id: LogId,
    pub what: LogKind,
    /// `user:<id>`, `key:<id>`, or the room.
    pub done_by: String,
    pub detail: serde_json::Value,
    pub at: DateTime<Utc>,
}

impl LogEntry {
    /// What is worth reading of it besides its kind.
    pub fn summary(&self) -> String {
        let fields = ["name", "rule", "because"];
        fields.into_iter().filter_map(|field| self.detail.get(field)?.as_str()).collect::<Vec<_>>().join(" · ")
    }
}

/// A prepared text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentTemplate)]
pub struct Template {
    pub id: IncidentTemplateId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub name: String,
    /// `en` or `ru`
    pub language: String,
    pub title: String,
    pub body: String,
    pub status: IncidentStatus,
    pub components: Vec<ComponentId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}
