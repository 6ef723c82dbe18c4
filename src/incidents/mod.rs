//! Incidents: what is wrong, whom it affects, what is done about it, and who is told.
//!
//! Opened by a monitor that goes down (`uptime::Witness`), by an alert from Alertmanager, or by a person; what shares a cause is one incident. Its
//! timeline is written by people; what monitors say moves its status, never its texts. Rules say who is told: channels (mail, signed webhooks,
//! chats), rotas with escalation until somebody acknowledges, quiet hours, damping of what flaps. A message is decided on once, in the transaction
//! that enqueues it, and delivered in order for each channel, by room mail or room webhooks. Components are what incidents affect and what status
//! pages show.
//!
//! Owns `incidents`, `incident_updates`, `incident_log`, `incident_causes`, `incident_impacts`, `incident_templates`, `incident_components`,
//! `incident_component_monitors`, `incident_component_changes`, `incident_channels`, `incident_rules`, `incident_rotas`,
//! `incident_rota_overrides`, `incident_people`, `incident_told`, `incident_told_keys`. Jobs: `incidents.maintain`.

mod config;
mod error;
mod events;
mod jobs;
mod model;
mod module;
mod service;
mod store;

pub use config::{Alerts, Config};
pub use error::IncidentsError;
pub use events::{EVENTS, IncidentOpened, IncidentResolved, IncidentUpdated};
pub use jobs::register;
pub use model::*;
pub use module::{ADMIN, READ, ROOM, WRITE, build};
pub use service::{Changed, Deps, Incidents, Needs};
