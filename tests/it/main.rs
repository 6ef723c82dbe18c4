//! The integration tests: one binary, the real router and worker, a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::format_collect,
    clippy::large_stack_arrays,
    reason = "a test that meets what it does not expect must fail, and a story is told in one piece"
)]

mod abuse;
mod agents;
mod agents_shortfall;
mod agents_sources;
mod agents_strangers;
mod alerting;
mod architecture;
mod auth;
mod backup;
mod cli;
mod config;
mod console;
mod db;
mod errors;
mod events;
mod faults;
mod http;
mod idempotency;
mod incidents;
mod jobs;
mod joints;
mod knowledge;
mod knowledge_matches;
mod knowledge_reading;
mod knowledge_s3;
mod lists;
mod llm;
mod llm_answers;
mod llm_providers;
mod llm_requests;
mod logs;
mod mail;
mod metrics;
mod notices;
mod platform_layers;
mod runbooks;
mod status_page;
mod storage;
mod support;
mod support_bundle;
mod tenancy;
mod tenancy_routes;
mod traces;
mod upgrade;
mod upgrade_postgres;
mod uptime;
mod webhooks;
