//! `holdfast_log_*`: log lines written, and their shipping to Loki.

use std::sync::LazyLock;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

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
        level.copied().ok_or_else(|| format!("{text:?} is not a level: error, warn, info, debug or trace"))
    }
}

label_enum! {
    /// Why a line did not reach Loki, or a span the collector.
    pub enum LossReason {
        /// The buffer was full: the oldest entries were dropped.
        BufferFull = "buffer_full",
        /// Its batch was rejected, and a retry would not help.
        Rejected = "rejected",
        /// The server does not accept batches of that size.
        TooLarge = "too_large",
        /// The process ended first.
        Shutdown = "shutdown"
    }
}

label_enum! {
    /// Result of a push.
    pub enum Pushed {
        Ok = "ok",
        /// Loki or the collector did not answer, or asked to wait: retried.
        Retried = "retried",
        Rejected = "rejected"
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LevelLabels {
    level: Level,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LostLabels {
    reason: LossReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PushedLabels {
    outcome: Pushed,
}

/// A push of half a megabyte takes milliseconds on the same host, ten seconds at most.
pub(super) const PUSH_BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Metrics of the process: the logger exists before any registry.
static OF_PROCESS: LazyLock<LogMetrics> = LazyLock::new(LogMetrics::new);

/// `holdfast_log_*`
#[derive(Clone, Debug)]
pub struct LogMetrics {
    lines: Family<LevelLabels, Counter>,
    by_level: [Counter; 5],
    lost: Family<LostLabels, Counter>,
    pub buffer: Gauge,
    pushes: Family<PushedLabels, Counter>,
    pub push_duration: Histogram,
    pub loki_enabled: Gauge,
}

impl LogMetrics {
    /// All series at zero, in no registry.
    pub fn new() -> Self {
        let lines = Family::<LevelLabels, Counter>::default();
        let lost = Family::<LostLabels, Counter>::default();
        let pushes = Family::<PushedLabels, Counter>::default();
        for &reason in LossReason::ALL {
            let _ = lost.get_or_create(&LostLabels { reason });
        }
        for &outcome in Pushed::ALL {
            let _ = pushes.get_or_create(&PushedLabels { outcome });
        }
        let of = |level| lines.get_or_create_owned(&LevelLabels { level });
        let by_level = [of(Level::Error), of(Level::Warn), of(Level::Info), of(Level::Debug), of(Level::Trace)];
        let (buffer, loki_enabled) = (Gauge::default(), Gauge::default());
        Self { lines, by_level, lost, buffer, pushes, push_duration: Histogram::new(PUSH_BUCKETS), loki_enabled }
    }

    /// Metrics of the process's logger.
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// Registers the metrics of the process's logger.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::of_process();
        registry.register("lines", "Log lines written by this process", metrics.lines.clone());
        registry.register("lines_lost", "Log lines that did not reach Loki, by reason", metrics.lost.clone());
        registry.register_with_unit(
            "buffer",
            "Memory of log lines not yet accepted by Loki",
            Unit::Bytes,
            metrics.buffer.clone(),
        );
        registry.register("pushes", "Batches sent to Loki, by outcome", metrics.pushes.clone());
        registry.register_with_unit(
            "push_duration",
            "Time from sending a batch to Loki's response",
            Unit::Seconds,
            metrics.push_duration.clone(),
        );
        registry.register("loki_enabled", "1 if log lines are shipped to Loki", metrics.loki_enabled.clone());
        metrics
    }

    pub fn written(&self, level: Level) {
        self.by_level[level as usize].inc();
    }

    pub fn lost(&self, reason: LossReason, lines: u64) {
        self.lost.get_or_create(&LostLabels { reason }).inc_by(lines);
    }

    /// Lines lost for this reason so far.
    pub fn lost_because(&self, reason: LossReason) -> u64 {
        self.lost.get_or_create(&LostLabels { reason }).get()
    }

    pub fn pushed(&self, outcome: Pushed) {
        self.pushes.get_or_create(&PushedLabels { outcome }).inc();
    }

    /// Batches with this outcome so far.
    pub fn pushes(&self, outcome: Pushed) -> u64 {
        self.pushes.get_or_create(&PushedLabels { outcome }).get()
    }
}

impl Default for LogMetrics {
    fn default() -> Self {
        Self::new()
    }
}
