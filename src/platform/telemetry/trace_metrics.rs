//! `holdfast_traces_*`: how the way of spans to a collector goes.

use std::sync::LazyLock;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::push_metrics::PushMetrics;

/// The process's own: its exporter is there before any registry is.
static OF_PROCESS: LazyLock<TraceMetrics> = LazyLock::new(TraceMetrics::new);

/// `holdfast_traces_*`
#[derive(Clone, Debug)]
pub struct TraceMetrics {
    pub exported: Counter,
    /// Of the way to the collector.
    pub push: PushMetrics,
    pub enabled: Gauge,
}

impl TraceMetrics {
    /// Every series at zero, in no registry.
    pub fn new() -> Self {
        Self { exported: Counter::default(), push: PushMetrics::new(), enabled: Gauge::default() }
    }

    /// Those of the process's exporter.
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// Shows those of the process's exporter.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::of_process();
        registry.register("spans_exported", "Spans that the collector has taken", metrics.exported.clone());
        registry.register("spans_lost", "Spans that did not reach the collector, by why", metrics.push.lost.clone());
        registry.register_with_unit(
            "buffer",
            "Memory of the spans that the collector has not taken yet",
            Unit::Bytes,
            metrics.push.buffer.clone(),
        );
        registry.register("pushes", "Batches sent to the collector, by how that ended", metrics.push.pushes.clone());
        registry.register_with_unit(
            "push_duration",
            "From sending a batch to the collector's answer",
            Unit::Seconds,
            metrics.push.push_duration.clone(),
        );
        registry.register("enabled", "1 where spans are sent to a collector", metrics.enabled.clone());
        metrics
    }
}

impl Default for TraceMetrics {
    fn default() -> Self {
        Self::new()
    }
}
