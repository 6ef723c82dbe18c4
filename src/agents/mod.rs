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
//! Owns `agents`, `agent_versions`, `conversations`, `messages`, and about these `agent_answer_pieces`, `agent_attachments`,
//! `agent_feedback`; for those who may see how answers came about `agent_traces`, `agent_trace_details`, `agent_document_uses`,
//! `agent_privacy`; and the objects in the folder `agents`. No jobs. Metrics: `holdfast_agents_*`. Check: `agents.answers`.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

mod answer;
mod backend;
mod citations;
pub mod config;
mod directory;
mod doctor;
mod error;
mod events;
mod metrics;
mod model;
mod module;
mod overview;
pub mod pages;
mod prompt;
mod render;
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
    Access, Agent, AgentId, AgentSettings, Attachment, AttachmentId, AttachmentKind, Citation, Conversation,
    ConversationChange, ConversationId, Draft, ExportFormat, Exported, Message, MessageId, Rating, Retrieval, TraceId,
};
pub use module::{Needs, READ, ROOM, WRITE, build};
pub use service::{Agents, Deps, FOLDER, Joined, Reader};
pub use store::conversations::AnswerCounts;
