//! The events of organisations and their members.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::SessionId;
use events::{Event, EventType};
use platform::ids::UserId;

pub const EVENTS: &[EventType] =
    &[EventType::of::<MemberAdded>(), EventType::of::<MemberRemoved>(), EventType::of::<DeviceAdded>()];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventMemberAdded)]
pub struct MemberAdded {
    pub user_id: UserId,
    /// `viewer`, `member`, `admin` or `owner`
    pub role: &'static str,
}

impl Event for MemberAdded {
    const TOPIC: &'static str = "auth.member.added";
    const ABOUT: &'static str = "A person joined the organisation or was added to it.";
    fn key(&self) -> String {
        self.user_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventMemberRemoved)]
pub struct MemberRemoved {
    pub user_id: UserId,
}

impl Event for MemberRemoved {
    const TOPIC: &'static str = "auth.member.removed";
    const ABOUT: &'static str = "A person left the organisation or was removed from it.";
    fn key(&self) -> String {
        self.user_id.to_string()
    }
}

/// Of the installation: a person may belong to several organisations.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventDeviceAdded)]
pub struct DeviceAdded {
    pub user_id: UserId,
    pub session_id: SessionId,
}

impl Event for DeviceAdded {
    const TOPIC: &'static str = "auth.device.added";
    const ABOUT: &'static str =
        "A person signed in with a browser and from an address that none of their kept sessions has.";
    fn key(&self) -> String {
        self.user_id.to_string()
    }
}
