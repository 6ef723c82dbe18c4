//! Latency histograms with trace ids as exemplars, so that a slow bucket leads to the log of a slow request.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::{MetricType, TypedMetric, exemplar::HistogramWithExemplars},
};

use crate::trace;

/// Exemplar of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exemplar {
    /// 32 lower-case hexadecimal digits (W3C Trace Context).
    trace_id: String,
}

/// A histogram with exemplars. Clones share it.
#[derive(Clone, Debug)]
pub struct Latency(HistogramWithExemplars<Exemplar>);

impl Latency {
    /// `buckets`: upper bounds, seconds, ascending.
    pub fn new(buckets: impl IntoIterator<Item = f64>) -> Self {
        Self(HistogramWithExemplars::new(buckets.into_iter()))
    }

    /// Observes `seconds`, with the trace of the current task if it has one.
    pub fn observe(&self, seconds: f64) {
        self.observe_in(trace::current().as_ref(), seconds);
    }

    /// Observes `seconds` with a given trace: for values that are dropped outside of their task.
    pub fn observe_in(&self, context: Option<&trace::Context>, seconds: f64) {
        let exemplar = context.map(|context| Exemplar { trace_id: context.trace_id().to_owned() });
        self.0.observe(seconds, exemplar, None);
    }
}

impl EncodeMetric for Latency {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Latency {
    const TYPE: MetricType = MetricType::Histogram;
}
