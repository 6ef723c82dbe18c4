//! The integration tests: one binary, the real router and worker, a real PostgreSQL.

mod architecture;
mod auth;
mod db;
mod http;
mod jobs;
mod knowledge;
mod llm;
mod support;
mod tenancy;
