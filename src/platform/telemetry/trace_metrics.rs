//! `holdfast_traces_*`: export of spans to a collector.

use std::sync::LazyLock;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::log_metrics::{LossReason, PUSH_BUCKETS, Pushed};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LostLabels {
    reason: LossReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PushedLabels {
    outcome: Pushed,
}

/// Metrics of the process: the exporter exists before any registry.
static OF_PROCESS: LazyLock<TraceMetrics> = LazyLock::new(TraceMetrics::new);

/// `holdfast_traces_*`
#[derive(Clone, Debug)]
pub struct TraceMetrics {
    pub exported: Counter,
    lost: Family<LostLabels, Counter>,
    pub buffer: Gauge,
    pushes: Family<PushedLabels, Counter>,
    pub push_duration: Histogram,
    pub enabled: Gauge,
}

impl TraceMetrics {
    /// All series at zero, in no registry.
    pub fn new() -> Self {
        let (lost, pushes) = (Family::<LostLabels, Counter>::default(), Family::<PushedLabels, Counter>::default());
        for &reason in LossReason::ALL {
            let _ = lost.get_or_create(&LostLabels { reason });
        }
        for &outcome in Pushed::ALL {
            let _ = pushes.get_or_create(&PushedLabels { outcome });
        }
        let (exported, buffer, enabled) = (Counter::default(), Gauge::default(), Gauge::default());
        Self { exported, lost, buffer, pushes, push_duration: Histogram::new(PUSH_BUCKETS), enabled }
    }

    /// Metrics of the process's exporter.
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// Registers the metrics of the process's exporter.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::of_process();
        registry.register("spans_exported", "Spans accepted by the collector", metrics.exported.clone());
        registry.register("spans_lost", "Spans that did not reach the collector, by reason", metrics.lost.clone());
        registry.register_with_unit(
            "buffer",
            "Memory of spans not yet accepted by the collector",
            Unit::Bytes,
            metrics.buffer.clone(),
        );
        registry.register("pushes", "Batches sent to the collector, by outcome", metrics.pushes.clone());
        registry.register_with_unit(
            "push_duration",
            "Time from sending a batch to the collector's response",
            Unit::Seconds,
            metrics.push_duration.clone(),
        );
        registry.register("enabled", "1 if spans are sent to a collector", metrics.enabled.clone());
        metrics
    }

    pub fn lost(&self, reason: LossReason, spans: u64) {
        self.lost.get_or_create(&LostLabels { reason }).inc_by(spans);
    }

    /// Spans lost for this reason so far.
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

impl Default for TraceMetrics {
    fn default() -> Self {
        Self::new()
    }
}
