//! `holdfast_jobs_*`, labelled by queue or schedule: both from the fixed set that the code registers.

use std::sync::{LazyLock, atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{leader::Lease, model::QueueStatus, schedule::LATE, store::ScheduleState};
use platform::{label_enum, telemetry::Latency};

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
        /// Failed; another attempt follows.
        Retried = "retried",
        /// Failed for good.
        Dead = "dead",
        Cancelled = "cancelled",
        /// Put itself off with [`super::JobError::Snooze`].
        Snoozed = "snoozed",
        /// Given back to the queue by a shutdown.
        Released = "released",
        /// Our lease had expired: another worker may have the job.
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
/// NaN while unknown, so that no alert evaluates a stale value.
type Number = Gauge<f64, AtomicU64>;

/// Process-wide, because [`super::enqueue`] has only the caller's transaction.
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
        registry.register("started", "Attempts started by this process", self.started.clone());
        registry.register("finished", "Attempts ended by this process, by outcome", self.finished.clone());
        registry.register_with_unit("duration", "Duration of an attempt", Unit::Seconds, self.duration.clone());
        registry.register_with_unit(
            "wait",
            "Time a due job waited until its attempt started",
            Unit::Seconds,
            self.wait.clone(),
        );
        registry.register(
            "leases_expired",
            "Expired leases of lost workers that this process found",
            self.leases_expired.clone(),
        );
    }

    fn describe_queues(&self, registry: &mut Registry) {
        registry.register(
            "queued",
            "Waiting jobs, delayed ones included; whole installation, exported by every process: take the max",
            self.queued.clone(),
        );
        registry.register(
            "running",
            "Running jobs of all workers; exported by every process: take the max",
            self.running.clone(),
        );
        registry.register_with_unit(
            "oldest_due",
            "How long the oldest due job has waited; exported by every process: take the max",
            Unit::Seconds,
            self.oldest.clone(),
        );
        registry.register(
            "dead_letters",
            "Dead letters: failed jobs that an operator has not dealt with; exported by every process: take the max",
            self.dead_letters.clone(),
        );
        registry.register(
            "paused",
            "1 when the queue is paused; exported by every process: take the max",
            self.paused.clone(),
        );
        registry.register(
            "workers",
            "Worker processes that reached this queue within the last 30 s; exported by every process: take the max",
            self.workers.clone(),
        );
    }

    fn describe_schedules(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "schedule_last_success_timestamp",
            "Unix time at which a job of the schedule's kind last succeeded; 0 for never; exported by every process: take the max",
            Unit::Seconds,
            self.schedule_last_success.clone(),
        );
        registry.register_with_unit(
            "schedule_overdue",
            "How long the schedule's job is overdue; 0 when on time; exported by every process: take the max",
            Unit::Seconds,
            self.schedule_overdue.clone(),
        );
        registry.register(
            "schedule_missed",
            "Ticks of a schedule that passed while no worker ran; schedules with catch-up run once for all of them later",
            self.schedule_missed.clone(),
        );
    }

    fn describe_leader(&self, registry: &mut Registry) {
        registry.register(
            "leader",
            "1 in the process that holds the lease (upkeep: figures of whole tables and sweeps; schedules: firing them; prober: checking monitors), 0 in the other candidates",
            self.leader.clone(),
        );
        registry.register("elections", "Times that this process acquired the lease", self.elections.clone());
    }

    /// Creates a worker's counters at zero, so that the first event shows as an increase.
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

    /// Creates the series of the leases, for the reference.
    pub fn create_duties(&self) {
        for &lease in Lease::ALL {
            self.leads(lease, false);
        }
    }

    /// Records whether this process holds the lease.
    pub(super) fn leads(&self, lease: Lease, leads: bool) {
        let labels = LeaseLabels { lease };
        let _ = self.elections.get_or_create(&labels);
        self.leader.get_or_create(&labels).set(i64::from(leads));
    }

    /// Records that this process has acquired the lease.
    pub(super) fn elected(&self, lease: Lease) {
        self.elections.get_or_create(&LeaseLabels { lease }).inc();
    }

    /// Creates the series read from the database (unknown at first) and the counter of queued jobs, which any process
    /// may increment.
    pub fn create_figures(&self, queues: &[&'static str], schedules: &[&'static str]) {
        for &queue in queues {
            let _ = ENQUEUED.get_or_create(&QueueLabels { queue });
        }
        self.unknown(queues, schedules);
    }

    /// Marks everything read from the database as unknown.
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

    /// Exports a schedule's state.
    pub(super) fn schedule(&self, schedule: &'static str, state: &ScheduleState) {
        let labels = ScheduleLabels { schedule };
        self.schedule_last_success.get_or_create(&labels).set(state.last_success.unwrap_or_default());
        let late = state.overdue_seconds > LATE.as_seconds_f64();
        self.schedule_overdue.get_or_create(&labels).set(if late { state.overdue_seconds } else { 0.0 });
    }

    /// Counts ticks that passed while no worker ran.
    pub(super) fn missed(&self, schedule: &'static str, times: u64) {
        self.schedule_missed.get_or_create(&ScheduleLabels { schedule }).inc_by(times);
        tracing::warn!(schedule, times, "ticks of a schedule passed while no worker ran");
    }

    /// Exports a queue's state; a queue without a row yet is empty.
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
