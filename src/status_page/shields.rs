//! The JSON that shields.io makes badges of. Pure.

use serde::Serialize;

use super::page::{Overall, PageModel};
use incidents::ComponentStatus;

/// <https://shields.io/badges/endpoint-badge>
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Badge {
    pub schema_version: u8,
    pub label: String,
    pub message: String,
    pub color: &'static str,
    pub cache_seconds: u32,
}

/// Of a whole page.
pub fn badge(model: &PageModel, overall: Overall) -> Badge {
    Badge {
        schema_version: 1,
        label: model.page.name.clone(),
        message: overall.description.to_lowercase(),
        color: color(overall.indicator.tone()),
        cache_seconds: 60,
    }
}

/// Colour of a status on a badge, whose text is white: each has contrast 4.5:1 with it.
pub fn color(status: ComponentStatus) -> &'static str {
    match status {
        ComponentStatus::Operational => "#1a7f37",
        ComponentStatus::UnderMaintenance => "#0b57d0",
        ComponentStatus::DegradedPerformance => "#8a6100",
        ComponentStatus::PartialOutage => "#b04500",
        ComponentStatus::MajorOutage => "#c01c28",
    }
}
