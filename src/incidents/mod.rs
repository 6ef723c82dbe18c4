//! Incidents: what is wrong, whom it affects, what is done about it, and who is told.
//!
//! Opened by a monitor that goes down (`uptime::Witness`), by an alert from Alertmanager, by what ends soon where a rule says so, or by a person; what shares a cause is one incident. Its
//! timeline is written by people; what monitors say moves its status, never its texts. Rules say who is told: channels (mail, signed webhooks,
//! chats), rotas with escalation until somebody acknowledges, quiet hours, damping of what flaps. A message is decided on once, in the transaction
//! that enqueues it, and delivered in order for each channel, by room mail or room webhooks. Components are what incidents affect and what status
//! pages show.
//!
//! Owns `incidents`, `incident_updates`, `incident_log`, `incident_causes`, `incident_impacts`, `incident_templates`, `incident_components`,
//! `incident_component_monitors`, `incident_component_changes`, `incident_channels`, `incident_rules`, `incident_rotas`,
//! `incident_rota_overrides`, `incident_people`, `incident_defaults`, `incident_told`, `incident_told_keys`. Jobs: `incidents.tell`,
//! `incidents.tell_end`, `incidents.tell_update`, `incidents.escalate`, `incidents.from_alert`, `incidents.from_monitor`, `incidents.maintain`. Metrics:
//! `holdfast_incidents_*`. Checks: `incidents.channels`, `incidents.rota`.

mod channel;
mod components;
mod config;
mod doctor;
mod error;
mod events;
mod flap;
mod grouping;
mod jobs;
mod local;
mod matching;
mod merge;
mod message;
mod metrics;
mod model;
mod module;
mod overview;
mod pages;
mod preview;
mod quiet;
mod rota;
mod routes;
mod service;
mod store;
mod timeline;

pub use config::{Alerts, Config};
pub use doctor::checks;
pub use error::IncidentsError;
pub use events::{EVENTS, IncidentOpened, IncidentResolved, IncidentUpdated};
pub use jobs::register;
pub use metrics::Metrics;
pub use model::*;
pub use module::{ADMIN, READ, ROOM, WRITE, build};
pub use service::{
    Acknowledgement, AffectedDraft, Changed, ChannelDraft, ComponentDraft, Deps, IncidentChanges, IncidentDraft,
    IncidentFull, Incidents, MaintenanceDraft, MonitorWitness, Needs, OnCall, OverrideDraft, PersonDraft,
    PersonSettings, Preview, PreviewRequest, RotaDraft, RuleDraft, Split, TemplateDraft, Tried, UpdateChanges,
    UpdateDraft, Would,
};
pub use store::incidents::Filter as IncidentFilter;
