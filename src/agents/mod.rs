//! Agents: instructions, a model and knowledge bases; conversations whose answers cite their sources.
//!
//! Changing an agent's settings creates a new version; a rollback points to an older one. [`answer`] handles a
//! question: it retrieves chunks, builds the prompt (sources apart from instructions), streams from the model, and
//! stores the answer with the citations that it contains. The same code serves `model = "agent/<slug>"` of the OpenAI
//! API.
//!
//! Deleting a document also deletes its quotations: database triggers empty the citations of stored answers
//! (`0062_agents_forget_deleted.sql`), so that knowledge need not depend on agents.
//!
//! Owns `agents`, `agent_versions`, `conversations`, `messages`. No jobs. Metrics: `holdfast_agents_*`. Check:
//! `agents.answers`.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

mod answer;
mod backend;
mod citations;
pub mod config;
mod doctor;
mod error;
mod events;
mod metrics;
mod model;
mod module;
mod overview;
pub mod pages;
mod prompt;
pub mod routes;
mod service;
mod store;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use doctor::checks;
pub use error::AgentError;
pub use events::EVENTS;
pub use metrics::Metrics;
pub use model::{
    Agent, AgentId, AgentSettings, Citation, Conversation, ConversationId, Draft, Message, MessageId, Retrieval,
};
pub use module::{READ, ROOM, WRITE, build};
pub use service::{Agents, Deps};
pub use store::conversations::AnswerCounts;
