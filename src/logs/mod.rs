//! Log search, and log levels at run time, for operators of the installation.
//!
//! Owns no table, no job and no metric: lines are made and carried by `platform::telemetry` (`holdfast_log_*` are its). With a Loki
//! configured the search asks that, always within `{service="holdfast"}`; without one it looks through the recent lines that this
//! process keeps in memory. Both hold what was redacted before.

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
