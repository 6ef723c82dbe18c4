//! `holdfast_events_*`

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::{model::EventType, store::Backlog};

/// Readers that keep a cursor; add new ones here.
const READERS: [&str; 2] = ["subscribers", "webhooks"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TopicLabels {
    topic: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReaderLabels {
    reader: &'static str,
}

#[derive(Clone, Debug)]
pub struct Metrics {
    published: Family<TopicLabels, Counter>,
    backlog: Family<ReaderLabels, Gauge<f64, AtomicU64>>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self { published: Family::default(), backlog: Family::default() };
        metrics.forget_figures();
        registry.register(
            "published",
            "Committed events, counted by the process that queued the jobs of their subscribers",
            metrics.published.clone(),
        );
        registry.register_with_unit(
            "reader_backlog",
            "Age of the oldest event that the reader has not read; 0 if it has read all; exported by the leader",
            Unit::Seconds,
            metrics.backlog.clone(),
        );
        metrics
    }

    /// Creates the series of these topics at zero.
    pub fn create(&self, types: &[EventType]) {
        for kind in types {
            let _ = self.published.get_or_create(&TopicLabels { topic: kind.topic });
        }
    }

    pub(super) fn published(&self, topic: &'static str) {
        self.published.get_or_create(&TopicLabels { topic }).inc();
    }

    /// Sets the figures; a reader without a cursor has nothing to read.
    pub(super) fn backlogs(&self, backlogs: &[Backlog]) {
        for reader in READERS {
            let seconds = backlogs.iter().find(|found| found.reader == reader).map_or(0.0, |found| found.seconds);
            self.backlog.get_or_create(&ReaderLabels { reader }).set(seconds);
        }
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(super) fn forget_figures(&self) {
        for reader in READERS {
            self.backlog.get_or_create(&ReaderLabels { reader }).set(f64::NAN);
        }
    }
}
