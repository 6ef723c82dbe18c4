//! Components, incidents, and who is told.

mod component;
mod incident;
mod telling;

pub use component::{Component, ComponentChange, ComponentId, ComponentMonitor, ComponentStatus};
pub(crate) use incident::distinct;
pub use incident::{
    Affected, Cause, CauseSource, Impact, Incident, IncidentId, IncidentKind, IncidentStatus, IncidentTemplateId,
    IncidentView, LogEntry, LogId, LogKind, Severity, Template, Traits, Update, UpdateId,
};
pub use platform::ids::Owner;
pub use telling::{
    Channel, ChannelId, ChannelKind, ChannelSettings, DisabledReason, Held, Layer, Matches, OnHours, Override,
    OverrideId, Quiet, Rota, RotaId, Rule, RuleId, Step, Told, ToldId, Turn, Weekday, What,
};
