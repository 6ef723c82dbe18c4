//! Holdfast: a self-hosted GPT agent platform appliance. The map of the house; `docs/architecture.md` has the rules.

/// The ground floor: config, database, errors, lifecycle, HTTP, telemetry.
pub mod platform;

/// The web shell: layout, assets, translations.
pub mod console;

/// Background jobs on PostgreSQL.
pub mod jobs;
/// Objects on local disk or S3.
pub mod storage;
/// LLM gateway and embeddings.
pub mod llm;
/// Organisations, users, sessions, API keys.
pub mod auth;

/// Knowledge bases: extraction, chunks, vectors, search.
pub mod knowledge;
/// Agents and conversations.
pub mod agents;

/// The command line.
pub mod cli;
