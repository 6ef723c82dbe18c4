//! Log search, and log levels at run time, for operators of the installation.
//!
//! Owns no table, job or metric: `platform::telemetry` writes and ships the lines and owns `holdfast_log_*`. With a
//! Loki configured, the search goes there, always within `{service="holdfast"}`; without one it covers the recent lines
//! that this process keeps in memory. Both hold lines after redaction.

mod config;
mod doctor;
mod error;
mod loki;
mod model;
mod module;
pub mod pages;
pub mod routes;
mod service;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use doctor::checks;
pub use error::LogsError;
pub use model::{LogLine, Source};
pub use module::{ROOM, build};
pub use service::{Deps, Logs};
