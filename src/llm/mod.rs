//! The LLM gateway: routes calls by model name, streams answers, and writes a usage row for every call.
//!
//! A model's name starts with its backend: `openrouter/...` is a configured provider, `agent/...` is registered by
//! `agents`, `builtin/extractive` answers from retrieved chunks without a language model. [`Llm`] resolves names and
//! aliases, passes stream chunks through unchanged, meters them, and embeds texts.
//!
//! Owns `llm_usage`, `llm_usage_days`, `embedding_cache`, and, for what is set in the console, `llm_providers`, `llm_aliases` and
//! `llm_settings_version`. Jobs: `llm.retention`. Metrics: `holdfast_llm_*`. Spans: `llm.chat`, `llm.embed`.

mod adaptation;
mod backend;
pub mod config;
mod doctor;
/// In-process embeddings of BERT-family models.
pub mod embed;
mod embeddings;
mod ending;
mod error;
mod extractive;
mod jobs;
mod loose;
mod metrics;
mod model;
mod module;
mod openai;
mod overview;
pub mod pages;
mod parts;
mod prices;
mod routes;
mod runaway;
mod scheduler;
mod service;
mod spans;
mod sse;
mod store;
mod surface;
mod thinking;
mod tokens;
mod turns;
mod usage;
mod wire;

pub use adaptation::{Adaptation, AdaptedModel};
pub use backend::{ChatStream, ModelBackend};
pub use config::{Config, RefusedModel};
pub use doctor::checks;
pub use embed::InputKind;
pub use embeddings::text_hash;
pub use ending::Ending;
pub use error::{Failure, LlmError, OpenAiError, Refusal};
pub use extractive::MODEL as EXTRACTIVE_MODEL;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{
    BackendKind, CallContext, EmbedModel, Embeddings, ModelInfo, Operation, Outcome, Passage, estimate_tokens,
};
pub use module::{INFERENCE, ROOM, build};
pub use routes::router;
pub use service::{ChatTest, Deps, Llm, ProviderInfo, ProviderTest, TestError};
pub use sse::{SseEvent, SseParser};
pub use store::{UsageBy, UsageByDay, UsageByModel, UsageFigure, UsageRange};
pub use surface::{map_errors as map_openai_errors, router as openai_router};
pub use thinking::{Piece, Splitter, without_thinking};
pub use turns::alternate;
pub use wire::{
    ChatChunk, ChatCompletion, ChatRequest, Choice, Chunk, ChunkChoice, Completion, Content, Delta, Message, Original,
    StreamOptions, Usage,
};

#[cfg(test)]
mod tests;
