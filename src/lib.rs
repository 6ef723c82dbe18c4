//! Holdfast: a self-hosted GPT agent platform appliance. The module map; `docs/architecture.md` has the rules.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

/// The lowest layer: config, database, errors, lifecycle, HTTP, telemetry.
pub mod platform;

/// The web shell: layout, assets, translations.
pub mod console;

/// Organisations, users, sessions, API keys.
pub mod auth;
/// Events between rooms.
pub mod events;
/// Background jobs on PostgreSQL.
pub mod jobs;
/// What a room hands over to be plugged in.
pub mod kit;
/// LLM gateway and embeddings.
pub mod llm;
/// Objects on local disk or S3.
pub mod storage;
/// Outgoing webhooks: signed, tried again, in order.
pub mod webhooks;

/// Agents and conversations.
pub mod agents;
/// Alerts from Prometheus: received, stored, shown, forwarded; silences, runbooks.
pub mod alerting;
/// Backups, drills, restore.
pub mod backup;
/// Knowledge bases: extraction, chunks, vectors, search.
pub mod knowledge;
/// Log search, and log levels at run time.
pub mod logs;

/// The composition root: configuration and wiring of every capability.
pub mod app;
/// The command line.
pub mod cli;
