//! `holdfast_traces_*`: export of spans to a collector.

use std::sync::LazyLock;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::push_metrics::PushMetrics;

/// Metrics of the process: the exporter exists before any registry.
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
    /// All series at zero, in no registry.
    pub fn new() -> Self {
        Self { exported: Counter::default(), push: PushMetrics::new(), enabled: Gauge::default() }
    }

    /// Metrics of the process's exporter.
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// Registers the metrics of the process's exporter.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::of_process();
        registry.register("spans_exported", "Spans accepted by the collector", metrics.exported.clone());
        registry.register("spans_lost", "Spans that did not reach the collector, by reason", metrics.push.lost.clone());
        registry.register_with_unit(
            "buffer",
            "Memory of spans not yet accepted by the collector",
            Unit::Bytes,
            metrics.push.buffer.clone(),
        );
        registry.register("pushes", "Batches sent to the collector, by outcome", metrics.push.pushes.clone());
        registry.register_with_unit(
            "push_duration",
            "Time from sending a batch to the collector's response",
            Unit::Seconds,
            metrics.push.push_duration.clone(),
        );
        registry.register("enabled", "1 if spans are sent to a collector", metrics.enabled.clone());
        metrics
    }
}

impl Default for TraceMetrics {
    fn default() -> Self {
        Self::new()
    }
}
