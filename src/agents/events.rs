//! The events of agents.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::{AgentId, ConversationId};
use events::{Event, EventType};

pub const EVENTS: &[EventType] = &[
    EventType::of::<AgentCreated>(),
    EventType::of::<AgentChanged>(),
    EventType::of::<AgentDeleted>(),
    EventType::of::<ConversationDeleted>(),
];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventAgentCreated)]
pub struct AgentCreated {
    pub agent_id: AgentId,
    /// As in `model="agent/<slug>"`.
    pub slug: String,
}

impl Event for AgentCreated {
    const TOPIC: &'static str = "agents.agent.created";
    const ABOUT: &'static str = "An agent was made.";
    fn key(&self) -> String {
        self.agent_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventAgentChanged)]
pub struct AgentChanged {
    pub agent_id: AgentId,
    pub slug: String,
    /// The version that answers from now on.
    pub version: i32,
}

impl Event for AgentChanged {
    const TOPIC: &'static str = "agents.agent.changed";
    const ABOUT: &'static str = "An agent was changed or rolled back to an earlier version.";
    fn key(&self) -> String {
        self.agent_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventAgentDeleted)]
pub struct AgentDeleted {
    pub agent_id: AgentId,
}

impl Event for AgentDeleted {
    const TOPIC: &'static str = "agents.agent.deleted";
    const ABOUT: &'static str = "An agent was deleted with all of its conversations, which have no event of their own.";
    fn key(&self) -> String {
        self.agent_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventConversationDeleted)]
pub struct ConversationDeleted {
    pub conversation_id: ConversationId,
    pub agent_id: AgentId,
}

impl Event for ConversationDeleted {
    const TOPIC: &'static str = "agents.conversation.deleted";
    const ABOUT: &'static str = "A person deleted a conversation.";
    fn key(&self) -> String {
        self.conversation_id.to_string()
    }
}
