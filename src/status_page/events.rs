//! The events of status pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::PageId;
use events::{Event, EventType};
use incidents::{ComponentId, ComponentStatus};

pub const EVENTS: &[EventType] = &[EventType::of::<ShownComponentChanged>()];

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventStatusPageComponentChanged)]
pub struct ShownComponentChanged {
    pub page_id: PageId,
    pub component_id: ComponentId,
    /// Such as `operational`.
    pub old: ComponentStatus,
    pub new: ComponentStatus,
}

impl Event for ShownComponentChanged {
    const TOPIC: &'static str = "status_page.component.changed";
    const ABOUT: &'static str = "A status page shows another status of a component.";
    fn key(&self) -> String {
        format!("{}:{}", self.page_id, self.component_id)
    }
}
