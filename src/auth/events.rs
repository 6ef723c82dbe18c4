//! The events of organisations and their members.

use serde::Serialize;
use utoipa::ToSchema;

use events::{Event, EventType};
use platform::ids::UserId;

pub const EVENTS: &[EventType] = &[EventType::of::<MemberAdded>(), EventType::of::<MemberRemoved>()];

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
