//! The events of alerts.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{Alert, AlertId};
use events::{Event, EventType};

pub const EVENTS: &[EventType] = &[EventType::of::<AlertFiring>(), EventType::of::<AlertResolved>()];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventAlertFiring)]
pub struct AlertFiring {
    pub alert_id: AlertId,
    /// As in its rule.
    pub name: String,
    /// `critical`, `warning`, `info` or `none`
    pub severity: &'static str,
}

impl Event for AlertFiring {
    const TOPIC: &'static str = "alerting.alert.firing";
    const ABOUT: &'static str = "An alert began to fire.";
    fn key(&self) -> String {
        self.alert_id.to_string()
    }
}

impl From<&Alert> for AlertFiring {
    fn from(alert: &Alert) -> Self {
        Self { alert_id: alert.id, name: alert.name.clone(), severity: alert.severity.as_str() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventAlertResolved)]
pub struct AlertResolved {
    pub alert_id: AlertId,
    pub name: String,
    pub severity: &'static str,
}

impl Event for AlertResolved {
    const TOPIC: &'static str = "alerting.alert.resolved";
    const ABOUT: &'static str = "An alert has ended.";
    fn key(&self) -> String {
        self.alert_id.to_string()
    }
}

impl From<&Alert> for AlertResolved {
    fn from(alert: &Alert) -> Self {
        Self { alert_id: alert.id, name: alert.name.clone(), severity: alert.severity.as_str() }
    }
}
