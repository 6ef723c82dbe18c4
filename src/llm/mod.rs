//! The LLM gateway: providers, aliases, chat, embeddings, usage.

pub mod embed;
