//! Agents: instructions, a model and knowledge bases; conversations whose answers cite their sources.
//!
//! A change of an agent's settings is a new version; going back is pointing at an older one. A question is answered by
//! [`answer`]: retrieve, build the prompt (passages apart from instructions), stream from the model, keep the answer with
//! the citations that it really made. The same runs behind `model = "agent/<slug>"` of the OpenAI surface.
//!
//! A deleted document takes its quotations with it: triggers in the database empty the citations of stored answers
//! (`0062_agents_forget_deleted.sql`), so that knowledge need not know of agents.
//!
//! Owns `agents`, `agent_versions`, `conversations`, `messages`. No jobs. Metrics: `holdfast_agents_*`. Check:
//! `agents.answers`.

mod answer;
mod backend;
mod citations;
pub mod config;
mod doctor;
mod error;
mod events;
mod metrics;
mod model;
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
pub use service::{Agents, Deps};
