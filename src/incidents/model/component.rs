//! Components: what a status page shows and what an incident affects.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::IncidentId;
use platform::{id_type, text_enum};
use uptime::{ManagedBy, MonitorId};

id_type!(ComponentId, "What a status page shows and what an incident affects.");

text_enum! {
    /// Status of a component, best first; the words of Statuspage.
    #[derive(PartialOrd, Ord)]
    pub enum ComponentStatus {
        Operational = "operational",
        UnderMaintenance = "under_maintenance",
        DegradedPerformance = "degraded_performance",
        PartialOutage = "partial_outage",
        MajorOutage = "major_outage",
    }
}

impl ComponentStatus {
    /// Badge colour.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Operational => "ok",
            Self::UnderMaintenance => "info",
            Self::DegradedPerformance | Self::PartialOutage => "warn",
            Self::MajorOutage => "error",
        }
    }
}

/// A component.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Component {
    pub id: ComponentId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    pub key: String,
    /// Its id in Statuspage's JSON.
    pub code: String,
    pub name: String,
    pub description: String,
    /// Set by hand; null: what monitors and incidents say.
    #[serde(rename = "override")]
    pub set: Option<ComponentStatus>,
    pub status: ComponentStatus,
    pub since: DateTime<Utc>,
    /// An incident that one of its monitors opens is published at once.
    pub announce: bool,
    pub monitors: Vec<ComponentMonitor>,
    pub managed_by: Option<ManagedBy>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Component {
    /// Whether this status was set by hand.
    pub fn is_set_to(&self, status: ComponentStatus) -> bool {
        self.set == Some(status)
    }
}

/// What the outage of a monitor makes of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComponentMonitor {
    pub monitor_id: MonitorId,
    /// `degraded_performance`, `partial_outage` or `major_outage`
    pub weight: ComponentStatus,
}

/// A component was shown otherwise from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentChange {
    pub component: ComponentId,
    pub status: ComponentStatus,
    pub at: DateTime<Utc>,
    pub incident: Option<IncidentId>,
}
