//! `holdfast_log_*`: lines written, and how their way to Loki goes.

use std::sync::LazyLock;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::push_metrics::PushMetrics;
use crate::label_enum;

label_enum! {
    /// Severity of a line, worst first.
    #[derive(PartialOrd, Ord)]
    pub enum Level { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

impl std::str::FromStr for Level {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let level = Self::ALL.iter().find(|level| level.as_str().eq_ignore_ascii_case(text));
        level.copied().ok_or_else(|| format!("{text:?} is no level: error, warn, info, debug or trace"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LevelLabels {
    level: Level,
}

/// The process's own: its logger is there before any registry is.
static OF_PROCESS: LazyLock<LogMetrics> = LazyLock::new(LogMetrics::new);

/// `holdfast_log_*`
#[derive(Clone, Debug)]
pub struct LogMetrics {
    lines: Family<LevelLabels, Counter>,
    by_level: [Counter; 5],
    /// Of the way to Loki.
    pub push: PushMetrics,
    pub loki_enabled: Gauge,
}

impl LogMetrics {
    /// Every series at zero, in no registry.
    pub fn new() -> Self {
        let lines = Family::<LevelLabels, Counter>::default();
        let of = |level| lines.get_or_create_owned(&LevelLabels { level });
        let by_level = [of(Level::Error), of(Level::Warn), of(Level::Info), of(Level::Debug), of(Level::Trace)];
        Self { lines, by_level, push: PushMetrics::new(), loki_enabled: Gauge::default() }
    }

    /// Those of the process's logger.
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// Shows those of the process's logger.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::of_process();
        registry.register("lines", "Log lines written by this process", metrics.lines.clone());
        registry.register("lines_lost", "Log lines that did not reach Loki, by why", metrics.push.lost.clone());
        registry.register_with_unit(
            "buffer",
            "Memory of the lines that Loki has not taken yet",
            Unit::Bytes,
            metrics.push.buffer.clone(),
        );
        registry.register("pushes", "Batches sent to Loki, by how that ended", metrics.push.pushes.clone());
        registry.register_with_unit(
            "push_duration",
            "From sending a batch to Loki's answer",
            Unit::Seconds,
            metrics.push.push_duration.clone(),
        );
        registry.register("loki_enabled", "1 where lines are sent to a Loki", metrics.loki_enabled.clone());
        metrics
    }

    pub fn written(&self, level: Level) {
        self.by_level[level as usize].inc();
    }
}

impl Default for LogMetrics {
    fn default() -> Self {
        Self::new()
    }
}
