//! Logs, metrics, and the tasks that carry them out of the process.

pub mod config;
mod logs;
pub mod metrics;

pub use config::Config;
pub use logs::{Guard, LogMetrics, init};
pub use metrics::Telemetry;
