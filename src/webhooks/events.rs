//! The events of webhooks.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::EndpointId;
use events::{Event, EventType};

pub const EVENTS: &[EventType] = &[EventType::of::<EndpointDisabled>()];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventEndpointDisabled)]
pub struct EndpointDisabled {
    pub endpoint_id: EndpointId,
    /// `failing` or `gone`
    pub reason: &'static str,
}

impl Event for EndpointDisabled {
    const TOPIC: &'static str = "webhooks.endpoint.disabled";
    const ABOUT: &'static str = "An endpoint was disabled because it failed for days or answered 410 Gone.";
    fn key(&self) -> String {
        self.endpoint_id.to_string()
    }
}
