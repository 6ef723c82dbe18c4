//! The integration tests: one binary, the real router and worker, a real PostgreSQL.

mod abuse;
mod agents;
mod architecture;
mod auth;
mod config;
mod db;
mod faults;
mod http;
mod jobs;
mod knowledge;
mod llm;
mod support;
mod tenancy;
mod tenancy_routes;
