//! The events of incidents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{IncidentId, IncidentKind, IncidentStatus, Severity, UpdateId};
use events::{Event, EventType};

pub const EVENTS: &[EventType] =
    &[EventType::of::<IncidentOpened>(), EventType::of::<IncidentUpdated>(), EventType::of::<IncidentResolved>()];

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventIncidentOpened)]
pub struct IncidentOpened {
    pub incident_id: IncidentId,
    /// `incident` or `maintenance`
    pub kind: IncidentKind,
    /// `critical`, `warning` or `info`
    pub severity: Severity,
    /// `monitor`, `alert`, `ending`, `window` or `person`
    pub opened_by: String,
    /// Whether pages show it.
    pub published: bool,
}

impl Event for IncidentOpened {
    const TOPIC: &'static str = "incidents.incident.opened";
    const ABOUT: &'static str = "An incident was opened, or a maintenance announced.";
    fn key(&self) -> String {
        self.incident_id.to_string()
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventIncidentUpdated)]
pub struct IncidentUpdated {
    pub incident_id: IncidentId,
    pub update_id: UpdateId,
    /// Such as `identified`.
    pub status: IncidentStatus,
    /// Whether pages show the update.
    pub published: bool,
    /// Whether subscribers get it by mail.
    pub notify: bool,
}

impl Event for IncidentUpdated {
    const TOPIC: &'static str = "incidents.incident.updated";
    const ABOUT: &'static str = "The timeline of an incident or a maintenance has a further update.";
    fn key(&self) -> String {
        self.incident_id.to_string()
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventIncidentResolved)]
pub struct IncidentResolved {
    pub incident_id: IncidentId,
    /// `incident` or `maintenance`
    pub kind: IncidentKind,
}

impl Event for IncidentResolved {
    const TOPIC: &'static str = "incidents.incident.resolved";
    const ABOUT: &'static str = "An incident was resolved, or a maintenance completed.";
    fn key(&self) -> String {
        self.incident_id.to_string()
    }
}
