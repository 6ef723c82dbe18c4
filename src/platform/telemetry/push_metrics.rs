//! How the way of lines or spans out of this process goes: what [`super::delivery`] counts.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use crate::label_enum;

label_enum! {
    /// Why a line did not reach Loki, or a span its collector.
    pub enum LostTo {
        /// The buffer was full: the oldest made room for newer ones.
        BufferFull = "buffer_full",
        /// The batch that it was in was refused, which trying again would not change.
        Rejected = "rejected",
        /// No batch of that size is taken.
        TooLarge = "too_large",
        /// The process ended before it was taken.
        Shutdown = "shutdown"
    }
}

label_enum! {
    /// How a push ended.
    pub enum Pushed {
        Ok = "ok",
        /// Loki, or the collector, did not answer, or asked for patience: tried again later.
        Retried = "retried",
        Rejected = "rejected"
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LostLabels {
    reason: LostTo,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PushedLabels {
    outcome: Pushed,
}

/// A push of half a megabyte takes milliseconds on the same host, and ten seconds at most.
const PUSH_BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Of one way; registered under its owner's prefix.
#[derive(Clone, Debug)]
pub struct PushMetrics {
    pub(super) lost: Family<LostLabels, Counter>,
    pub(super) pushes: Family<PushedLabels, Counter>,
    pub push_duration: Histogram,
    pub buffer: Gauge,
}

impl PushMetrics {
    /// Every series at zero, in no registry.
    pub fn new() -> Self {
        let (lost, pushes) = (Family::<LostLabels, Counter>::default(), Family::<PushedLabels, Counter>::default());
        for &reason in LostTo::ALL {
            let _ = lost.get_or_create(&LostLabels { reason });
        }
        for &outcome in Pushed::ALL {
            let _ = pushes.get_or_create(&PushedLabels { outcome });
        }
        Self { lost, pushes, push_duration: Histogram::new(PUSH_BUCKETS), buffer: Gauge::default() }
    }

    pub fn lost(&self, reason: LostTo, entries: u64) {
        self.lost.get_or_create(&LostLabels { reason }).inc_by(entries);
    }

    /// Lines or spans lost so far, for this reason.
    pub fn lost_to(&self, reason: LostTo) -> u64 {
        self.lost.get_or_create(&LostLabels { reason }).get()
    }

    pub fn pushed(&self, outcome: Pushed) {
        self.pushes.get_or_create(&PushedLabels { outcome }).inc();
    }

    /// Batches so far that ended like this.
    pub fn pushes(&self, outcome: Pushed) -> u64 {
        self.pushes.get_or_create(&PushedLabels { outcome }).get()
    }
}

impl Default for PushMetrics {
    fn default() -> Self {
        Self::new()
    }
}
