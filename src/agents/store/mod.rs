//! The SQL of agents and conversations.

pub mod agents;
pub mod conversations;
