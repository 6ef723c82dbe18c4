//! `holdfast_jobs_*`. The label is the queue, from the fixed set that the code registers.

use std::sync::{LazyLock, atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{leader::Lease, model::QueueStatus, schedule::LATE, store::ScheduleState};
use crate::{label_enum, platform::telemetry::Latency};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ScheduleLabels {
    pub schedule: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LeaseLabels {
    pub lease: Lease,
}

type Latencies = Family<QueueLabels, Latency, fn() -> Latency>;
type Histograms = Family<QueueLabels, Histogram, fn() -> Histogram>;
/// NaN where it is not known: no alert takes that for a figure.
type Number = Gauge<f64, AtomicU64>;

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
    pub duration: Latencies,
    pub wait: Histograms,
    pub leases_expired: Family<QueueLabels, Counter>,
    queued: Family<QueueLabels, Number>,
    running: Family<QueueLabels, Number>,
    oldest: Family<QueueLabels, Number>,
    dead_letters: Family<QueueLabels, Number>,
    paused: Family<QueueLabels, Number>,
    workers: Family<QueueLabels, Number>,
    schedule_last_success: Family<ScheduleLabels, Number>,
    schedule_overdue: Family<ScheduleLabels, Number>,
    schedule_missed: Family<ScheduleLabels, Counter>,
    leader: Family<LeaseLabels, Gauge>,
    elections: Family<LeaseLabels, Counter>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            started: Family::default(),
            finished: Family::default(),
            duration: Family::new_with_constructor(|| Latency::new(DURATION_BUCKETS)),
            wait: Family::new_with_constructor(|| Histogram::new(WAIT_BUCKETS)),
            leases_expired: Family::default(),
            queued: Family::default(),
            running: Family::default(),
            oldest: Family::default(),
            dead_letters: Family::default(),
            paused: Family::default(),
            workers: Family::default(),
            schedule_last_success: Family::default(),
            schedule_overdue: Family::default(),
            schedule_missed: Family::default(),
            leader: Family::default(),
            elections: Family::default(),
        };
        metrics.describe_attempts(registry);
        metrics.describe_queues(registry);
        metrics.describe_schedules(registry);
        metrics.describe_leader(registry);
        metrics
    }

    fn describe_attempts(&self, registry: &mut Registry) {
        registry.register("enqueued", "Jobs queued by this process", ENQUEUED.clone());
        registry.register("started", "Attempts begun by this process", self.started.clone());
        registry.register("finished", "Attempts of this process that ended, by how", self.finished.clone());
        registry.register_with_unit(
            "duration",
            "From the begin to the end of an attempt",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register_with_unit(
            "wait",
            "From the time that a job could have run to the begin of its attempt",
            Unit::Seconds,
            self.wait.clone(),
        );
        registry.register(
            "leases_expired",
            "Running jobs whose worker was lost, found by this process",
            self.leases_expired.clone(),
        );
    }

    fn describe_queues(&self, registry: &mut Registry) {
        registry.register(
            "queued",
            "Jobs that wait, delayed ones included; of the whole installation, from every process: take the max",
            self.queued.clone(),
        );
        registry.register(
            "running",
            "Jobs that run, over all workers; from every process: take the max",
            self.running.clone(),
        );
        registry.register_with_unit(
            "oldest_due",
            "How long the longest waiting due job has waited; from every process: take the max",
            Unit::Seconds,
            self.oldest.clone(),
        );
        registry.register(
            "dead_letters",
            "Jobs that gave up and wait for someone to look; from every process: take the max",
            self.dead_letters.clone(),
        );
        registry.register(
            "paused",
            "1 when the queue is paused; from every process: take the max",
            self.paused.clone(),
        );
        registry.register(
            "workers",
            "Worker processes that reached this queue within the last 30 s; from every process: take the max",
            self.workers.clone(),
        );
    }

    fn describe_schedules(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "schedule_last_success_timestamp",
            "When a job of the schedule's kind last succeeded, seconds since 1970; 0 for never; from every process: take the max",
            Unit::Seconds,
            self.schedule_last_success.clone(),
        );
        registry.register_with_unit(
            "schedule_overdue",
            "How long ago the schedule's job should have begun, where it has not; 0 when on time; from every process: take the max",
            Unit::Seconds,
            self.schedule_overdue.clone(),
        );
        registry.register(
            "schedule_missed",
            "Times of a schedule at which no worker was there; some schedules make up for them later",
            self.schedule_missed.clone(),
        );
    }

    fn describe_leader(&self, registry: &mut Registry) {
        registry.register(
            "leader",
            "1 in the process that has the duty (upkeep: figures of whole tables and sweeps; schedules: firing them), 0 in the others that could",
            self.leader.clone(),
        );
        registry.register("elections", "Times that this process took a duty over", self.elections.clone());
    }

    /// Makes the series that a worker counts in, at zero, so that a first event is seen as a rise.
    pub fn create(&self, queues: &[&'static str], schedules: &[&'static str]) {
        for &queue in queues {
            let labels = QueueLabels { queue };
            for family in [&self.started, &self.leases_expired] {
                let _ = family.get_or_create(&labels);
            }
            for &outcome in Outcome::ALL {
                let _ = self.finished.get_or_create(&FinishedLabels { queue, outcome });
            }
            let _ = (self.duration.get_or_create(&labels), self.wait.get_or_create(&labels));
        }
        for &schedule in schedules {
            let _ = self.schedule_missed.get_or_create(&ScheduleLabels { schedule });
        }
    }

    /// Makes the series of the duties, for the reference.
    pub fn create_duties(&self) {
        for &lease in Lease::ALL {
            self.leads(lease, false);
        }
    }

    /// Whether this process has the duty.
    pub(super) fn leads(&self, lease: Lease, leads: bool) {
        let labels = LeaseLabels { lease };
        let _ = self.elections.get_or_create(&labels);
        self.leader.get_or_create(&labels).set(i64::from(leads));
    }

    /// This process has taken the duty over.
    pub(super) fn elected(&self, lease: Lease) {
        self.elections.get_or_create(&LeaseLabels { lease }).inc();
    }

    /// Makes the series of what is read from the database, not known yet, and of what any process may queue.
    pub fn create_figures(&self, queues: &[&'static str], schedules: &[&'static str]) {
        for &queue in queues {
            let _ = ENQUEUED.get_or_create(&QueueLabels { queue });
        }
        self.unknown(queues, schedules);
    }

    /// The database has not told for a while.
    pub(super) fn unknown(&self, queues: &[&'static str], schedules: &[&'static str]) {
        for &queue in queues {
            let labels = QueueLabels { queue };
            let figures = [&self.queued, &self.running, &self.oldest, &self.dead_letters, &self.paused, &self.workers];
            for figure in figures {
                figure.get_or_create(&labels).set(f64::NAN);
            }
        }
        for &schedule in schedules {
            let labels = ScheduleLabels { schedule };
            self.schedule_last_success.get_or_create(&labels).set(f64::NAN);
            self.schedule_overdue.get_or_create(&labels).set(f64::NAN);
        }
    }

    /// Shows how a schedule stands in the database.
    pub(super) fn schedule(&self, schedule: &'static str, state: &ScheduleState) {
        let labels = ScheduleLabels { schedule };
        self.schedule_last_success.get_or_create(&labels).set(state.last_success.unwrap_or_default());
        let late = state.overdue_seconds > LATE.as_seconds_f64();
        self.schedule_overdue.get_or_create(&labels).set(if late { state.overdue_seconds } else { 0.0 });
    }

    /// These many times of a schedule passed without a worker.
    pub(super) fn missed(&self, schedule: &'static str, times: u64) {
        self.schedule_missed.get_or_create(&ScheduleLabels { schedule }).inc_by(times);
        tracing::warn!(schedule, times, "a schedule's times passed while no worker ran");
    }

    /// Shows what was counted in the database; a queue that nobody has written down yet is empty.
    pub(super) fn queue(&self, queue: &'static str, status: Option<&QueueStatus>, workers: i64) {
        let labels = QueueLabels { queue };
        let count = |of: fn(&QueueStatus) -> i64| status.map_or(0.0, |s| of(s) as f64);
        self.queued.get_or_create(&labels).set(count(|s| s.depth));
        self.running.get_or_create(&labels).set(count(|s| s.running));
        self.oldest.get_or_create(&labels).set(status.map_or(0.0, |s| s.oldest_seconds));
        self.dead_letters.get_or_create(&labels).set(count(|s| s.dead_letters));
        self.paused.get_or_create(&labels).set(count(|s| i64::from(s.paused)));
        self.workers.get_or_create(&labels).set(workers as f64);
    }
}
