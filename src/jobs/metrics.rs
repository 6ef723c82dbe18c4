//! `holdfast_jobs_*`. The label is the queue, from the fixed set that the code registers.

use std::sync::{LazyLock, atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::model::QueueStatus;
use crate::label_enum;

/// 5 ms to 10 min: a mail is tens of milliseconds, a large document minutes; the longest timeouts are ten.
const DURATION_BUCKETS: [f64; 12] = [0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 120.0, 300.0, 600.0];

/// 5 ms to 1 h: a woken worker takes a job in milliseconds, a poll within a second; beyond that a queue is behind.
const WAIT_BUCKETS: [f64; 11] = [0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0, 3600.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueLabels {
    pub queue: &'static str,
}

label_enum! {
    /// How an attempt ended.
    pub enum Outcome {
        Succeeded = "succeeded",
        /// Failed, with another attempt to come.
        Retried = "retried",
        /// Failed for good.
        Dead = "dead",
        Cancelled = "cancelled",
        /// Put itself off.
        Snoozed = "snoozed",
        /// Given back by a shutdown.
        Released = "released",
        /// Somebody else has it: our lease had run out.
        Lost = "lost",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FinishedLabels {
    pub queue: &'static str,
    pub outcome: Outcome,
}

type Histograms = Family<QueueLabels, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, AtomicU64>;

/// Process-wide, because [`super::enqueue`] knows nothing but the caller's transaction.
static ENQUEUED: LazyLock<Family<QueueLabels, Counter>> = LazyLock::new(Family::default);

/// Counts a job that was queued (even if its transaction is rolled back later).
pub(super) fn enqueued(queue: &'static str) {
    ENQUEUED.get_or_create(&QueueLabels { queue }).inc();
}

#[derive(Clone, Debug)]
pub struct Metrics {
    pub started: Family<QueueLabels, Counter>,
    pub finished: Family<FinishedLabels, Counter>,
    pub duration: Histograms,
    pub wait: Histograms,
    pub leases_expired: Family<QueueLabels, Counter>,
    queued: Family<QueueLabels, Gauge>,
    running: Family<QueueLabels, Gauge>,
    oldest: Family<QueueLabels, Seconds>,
    dead_letters: Family<QueueLabels, Gauge>,
    paused: Family<QueueLabels, Gauge>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            started: Family::default(),
            finished: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            wait: Family::new_with_constructor(|| Histogram::new(WAIT_BUCKETS)),
            leases_expired: Family::default(),
            queued: Family::default(),
            running: Family::default(),
            oldest: Family::default(),
            dead_letters: Family::default(),
            paused: Family::default(),
        };
        registry.register("enqueued", "Jobs queued by this process", ENQUEUED.clone());
        registry.register("started", "Attempts begun by this process", metrics.started.clone());
        registry.register("finished", "Attempts of this process that ended, by how", metrics.finished.clone());
        registry.register_with_unit(
            "duration",
            "From the begin to the end of an attempt",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "wait",
            "From the time that a job could have run to the begin of its attempt",
            Unit::Seconds,
            metrics.wait.clone(),
        );
        registry.register(
            "leases_expired",
            "Running jobs whose worker was lost, found by this process",
            metrics.leases_expired.clone(),
        );
        registry.register("queued", "Jobs that wait, delayed ones included", metrics.queued.clone());
        registry.register("running", "Jobs that run, over all workers", metrics.running.clone());
        registry.register_with_unit(
            "oldest_due",
            "How long the longest waiting due job has waited",
            Unit::Seconds,
            metrics.oldest.clone(),
        );
        registry.register(
            "dead_letters",
            "Jobs that gave up and wait for someone to look",
            metrics.dead_letters.clone(),
        );
        registry.register("paused", "1 when the queue is paused", metrics.paused.clone());
        metrics
    }

    /// Makes every series of these queues, at zero, so that a first event is seen as a rise.
    pub(super) fn create(&self, queues: &[&'static str]) {
        for &queue in queues {
            let labels = QueueLabels { queue };
            for family in [&*ENQUEUED, &self.started, &self.leases_expired] {
                let _ = family.get_or_create(&labels);
            }
            for &outcome in Outcome::ALL {
                let _ = self.finished.get_or_create(&FinishedLabels { queue, outcome });
            }
            let _ = (self.duration.get_or_create(&labels), self.wait.get_or_create(&labels));
            self.gauges(queue, None);
        }
    }

    /// Shows what was counted in the database; `None` is zero.
    pub(super) fn gauges(&self, queue: &'static str, status: Option<&QueueStatus>) {
        let labels = QueueLabels { queue };
        self.queued.get_or_create(&labels).set(status.map_or(0, |s| s.depth));
        self.running.get_or_create(&labels).set(status.map_or(0, |s| s.running));
        self.oldest.get_or_create(&labels).set(status.map_or(0.0, |s| s.oldest_seconds));
        self.dead_letters.get_or_create(&labels).set(status.map_or(0, |s| s.dead_letters));
        self.paused.get_or_create(&labels).set(i64::from(status.is_some_and(|s| s.paused)));
    }
}
