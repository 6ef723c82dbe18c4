//! Logs, traces, metrics, and their shipping out of the process.
//!
//! event -> [`lines`] (one JSON line, redacted, with the ids of [`trace`](crate::trace)) -> standard output, [`ring`], [`loki`].
//! [`span`] (the same ids) -> [`otlp`].

mod cgroup;
pub mod config;
mod delivery;
mod exemplar;
mod exposition;
pub mod levels;
pub mod lines;
mod log_metrics;
mod logs;
pub mod loki;
pub mod metrics;
pub mod otlp;
mod pretty;
mod process;
mod push_metrics;
pub mod redact;
mod ring;
pub mod span;
mod trace_metrics;

pub use config::Config;
pub use exemplar::Latency;
pub use exposition::Format;
pub use log_metrics::{Level, LogMetrics};
pub use logs::{Guard, Logger, Outputs, init};
pub use metrics::{ANY, Telemetry};
pub use push_metrics::{LossReason, PushMetrics, Pushed};
pub use redact::redact;
pub use ring::{Recent, Ring};
pub use span::Span;
pub use trace_metrics::TraceMetrics;
