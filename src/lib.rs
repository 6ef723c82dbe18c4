//! Holdfast: a self-hosted GPT agent platform appliance. The map of the house; `docs/architecture.md` has the rules.

// Whether a future may be sent is asked through every type in it; those of the query planner nest deeper than the usual 128.
#![recursion_limit = "256"]

/// The ground floor: config, database, errors, lifecycle, HTTP, telemetry.
pub mod platform;

/// The web shell: layout, assets, translations.
pub mod console;

/// Organisations, users, sessions, API keys.
pub mod auth;
/// Events between rooms.
pub mod events;
/// Background jobs on PostgreSQL.
pub mod jobs;
/// LLM gateway and embeddings.
pub mod llm;
/// Objects on local disk or S3.
pub mod storage;
/// Outgoing webhooks: signed, tried again, in order.
pub mod webhooks;

/// Agents and conversations.
pub mod agents;
/// Alerts of Prometheus: taken, kept, shown, passed on; silences, runbooks.
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
