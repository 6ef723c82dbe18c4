//! Holdfast: a self-hosted GPT agent platform appliance. The module map; `docs/architecture.md` has the rules.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

/// The lowest layer: config, database, errors, lifecycle, HTTP, telemetry.
pub use ::platform;

/// The web shell: layout, assets, translations.
pub use ::console;

/// Organisations, users, sessions, API keys.
pub use ::auth;
/// Events between rooms.
pub use ::events;
/// Background jobs on PostgreSQL.
pub use ::jobs;
/// What a room hands over to be plugged in.
pub use ::kit;
/// LLM gateway and embeddings.
pub use ::llm;
/// Mail: an outbox, SMTP, templates, bounces.
pub use ::mail;
/// Objects on local disk or S3.
pub use ::storage;
/// Outgoing webhooks: signed, tried again, in order.
pub use ::webhooks;

/// Agents and conversations.
pub use ::agents;
/// Alerts from Prometheus: received, stored, shown, forwarded; silences, runbooks.
pub use ::alerting;
/// Backups, drills, restore.
pub use ::backup;
/// Incidents: timeline, components, on-call, channels.
pub use ::incidents;
/// Knowledge bases: extraction, chunks, vectors, search.
pub use ::knowledge;
/// Log search, and log levels at run time.
pub use ::logs;
/// Events of other rooms as mail, the weekly report.
pub use ::notices;
/// Status pages, rendered ahead.
pub use ::status_page;
/// Monitors: checks, history, the file of monitors, imports.
pub use ::uptime;

/// The composition root: configuration and wiring of every capability.
pub mod app;
/// The command line.
pub mod cli;
