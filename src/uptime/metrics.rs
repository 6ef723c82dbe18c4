//! `holdfast_uptime_*`. Names have no unit but seconds and bytes: the test of families refuses words such as `hours`.

use std::{sync::atomic::AtomicU64, time::Duration};

use chrono::{DateTime, Utc};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::model::{Kind, Outcome, Reason, Status};
use platform::label_enum;

/// 5 ms (a target nearby) to 120 s (the longest timeout).
const DURATION: [f64; 10] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];
/// The number is a p99 below a second; above five seconds there is an alert.
const LAG: [f64; 10] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const ROWS: [f64; 8] = [1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 5000.0];
const WRITE: [f64; 8] = [0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];
const ROLLUP: [f64; 8] = [0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

label_enum! {
    /// Why a slot was left out.
    pub enum Skipped {
        /// The check before it was still running.
        Running = "running",
        /// As many checks were running as may.
        Full = "full",
        /// Others were asking the same address.
        SameTarget = "same_target",
    }
}

label_enum! {
    /// What became of a report of a sender.
    pub enum BeatOutcome {
        Stored = "stored",
        /// In memory, because the database was away.
        Kept = "kept",
        /// No monitor has its token.
        Unknown = "unknown",
        /// There was no room in memory.
        Refused = "refused",
    }
}

label_enum! {
    /// Within which time something ends.
    pub enum Within {
        Week = "7d",
        ThreeWeeks = "21d",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckLabels {
    kind: Kind,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SkippedLabels {
    reason: Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToLabels {
    to: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithinLabels {
    within: Within,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BeatLabels {
    outcome: BeatOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: Reason,
}

/// A number that may be unknown (NaN): gauges of whole tables are exported by the leader alone, those of the prober by the one that checks.
type Figure = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    checks: Family<CheckLabels, Counter>,
    duration: Family<KindLabels, Histogram>,
    lag: Histogram,
    skipped: Family<SkippedLabels, Counter>,
    in_flight: Gauge,
    monitors: Family<StatusLabels, Figure>,
    transitions: Family<ToLabels, Counter>,
    flapping: Figure,
    batch_rows: Histogram,
    write: Histogram,
    in_memory: Gauge,
    folded: Counter,
    dropped: Counter,
    clock_steps: Counter,
    certificates: Family<WithinLabels, Figure>,
    domains: Family<WithinLabels, Figure>,
    file_applied: Figure,
    rollup_waiting: Figure,
    rollup: Histogram,
    beats: Family<BeatLabels, Counter>,
    refused: Family<ReasonLabels, Counter>,
    active: Gauge,
}

/// What the leader reads of whole tables.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub by_status: Vec<(Status, i64)>,
    pub flapping: i64,
    /// That end within 7 and within 21 days.
    pub certificates: [i64; 2],
    pub domains: [i64; 2],
    /// `None`: no file is set.
    pub file_applied: Option<bool>,
    pub rollup_waiting: i64,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            checks: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION)),
            lag: Histogram::new(LAG),
            skipped: Family::default(),
            in_flight: Gauge::default(),
            monitors: Family::default(),
            transitions: Family::default(),
            flapping: Figure::default(),
            batch_rows: Histogram::new(ROWS),
            write: Histogram::new(WRITE),
            in_memory: Gauge::default(),
            folded: Counter::default(),
            dropped: Counter::default(),
            clock_steps: Counter::default(),
            certificates: Family::default(),
            domains: Family::default(),
            file_applied: Figure::default(),
            rollup_waiting: Figure::default(),
            rollup: Histogram::new(ROLLUP),
            beats: Family::default(),
            refused: Family::default(),
            active: Gauge::default(),
        };
        metrics.create_series();
        metrics.register_checks(registry);
        metrics.register_writing(registry);
        metrics.register_figures(registry);
        metrics
    }

    /// Every series exists before its first event.
    fn create_series(&self) {
        for kind in Kind::ALL {
            for outcome in Outcome::ALL {
                let _ = self.checks.get_or_create(&CheckLabels { kind, outcome });
            }
            let _ = self.duration.get_or_create(&KindLabels { kind });
        }
        for &reason in Skipped::ALL {
            let _ = self.skipped.get_or_create(&SkippedLabels { reason });
        }
        for to in Status::ALL {
            let _ = self.transitions.get_or_create(&ToLabels { to });
        }
        for &outcome in BeatOutcome::ALL {
            let _ = self.beats.get_or_create(&BeatLabels { outcome });
        }
        // What is refused by its address; other reasons are outcomes of checks.
        let _ = self.refused.get_or_create(&ReasonLabels { reason: Reason::PrivateAddress });
        self.forget_figures();
    }

    fn register_checks(&self, registry: &mut Registry) {
        registry.register("checks", "Single checks, by kind of monitor and outcome", self.checks.clone());
        let duration = "Duration of a check, all of its phases, by kind of monitor";
        registry.register_with_unit("check_duration", duration, Unit::Seconds, self.duration.clone());
        let lag = "From the planned time of a check to the start of its first attempt";
        registry.register_with_unit("schedule_lag", lag, Unit::Seconds, self.lag.clone());
        registry.register("slots_skipped", "Planned checks that were left out, by reason", self.skipped.clone());
        registry.register("in_flight", "Checks that are running", self.in_flight.clone());
        registry.register("transitions", "Changes of the status of monitors, by the new one", self.transitions.clone());
        registry.register("clock_steps", "Jumps of this host's clock that were seen", self.clock_steps.clone());
        let refused = "Attempts that were refused because no address of the target may be asked, by reason";
        registry.register("targets_refused", refused, self.refused.clone());
        registry.register("beats", "Reports of senders of heartbeats, by what became of them", self.beats.clone());
        let active = "1 in the process that checks the monitors";
        registry.register("prober_active", active, self.active.clone());
    }

    fn register_writing(&self, registry: &mut Registry) {
        registry.register("batch_rows", "Single checks that were written in one transaction", self.batch_rows.clone());
        let write = "Duration of a transaction that writes what checks found";
        registry.register_with_unit("write_duration", write, Unit::Seconds, self.write.clone());
        let memory = "Single checks that wait in memory, because the database is away";
        registry.register("checks_in_memory", memory, self.in_memory.clone());
        let folded = "Single checks of which only their minute is kept, because memory was full while the database was away";
        registry.register("checks_folded", folded, self.folded.clone());
        let dropped = "Changes of status that were not written: merged while the database was away, or another process checks now";
        registry.register("transitions_dropped", dropped, self.dropped.clone());
        let rollup = "Duration of rolling up an hour of all monitors";
        registry.register_with_unit("rollup_duration", rollup, Unit::Seconds, self.rollup.clone());
    }

    fn register_figures(&self, registry: &mut Registry) {
        registry.register("monitors", "Monitors by status; exported by the leader", self.monitors.clone());
        let flapping = "Monitors whose status changes all the time; exported by the leader";
        registry.register("flapping", flapping, self.flapping.clone());
        let certificates = "Monitors whose certificate ends within a time; exported by the leader";
        registry.register("certificates_ending", certificates, self.certificates.clone());
        let domains = "Monitors whose domain ends within a time; exported by the leader";
        registry.register("domains_ending", domains, self.domains.clone());
        let file = "1 if the file of monitors is applied as it is, 0 if it was refused, NaN without one; exported by the leader";
        registry.register("file_applied", file, self.file_applied.clone());
        let waiting = "Hours that are over and not rolled up; exported by the leader";
        registry.register("rollup_waiting", waiting, self.rollup_waiting.clone());
    }

    /// A check that ended.
    pub(super) fn checked(&self, kind: Kind, outcome: Outcome, took: Duration) {
        self.checks.get_or_create(&CheckLabels { kind, outcome }).inc();
        self.duration.get_or_create(&KindLabels { kind }).observe(took.as_secs_f64());
    }

    /// The first attempt of a check started so late.
    pub(super) fn started(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }

    pub(super) fn skipped(&self, reason: Skipped, slots: u64) {
        self.skipped.get_or_create(&SkippedLabels { reason }).inc_by(slots);
    }

    pub(super) fn in_flight(&self, checks: usize) {
        self.in_flight.set(i64::try_from(checks).unwrap_or(i64::MAX));
    }

    pub(super) fn transition(&self, to: Status) {
        self.transitions.get_or_create(&ToLabels { to }).inc();
    }

    pub(super) fn target_refused(&self, reason: Reason) {
        self.refused.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(super) fn clock_stepped(&self) {
        self.clock_steps.inc();
    }

    /// A transaction wrote so many single checks.
    pub(super) fn written(&self, rows: usize, took: Duration) {
        self.batch_rows.observe(rows as f64);
        self.write.observe(took.as_secs_f64());
    }

    pub(super) fn in_memory(&self, checks: usize) {
        self.in_memory.set(i64::try_from(checks).unwrap_or(i64::MAX));
    }

    pub(super) fn folded(&self, checks: u64) {
        self.folded.inc_by(checks);
    }

    pub(super) fn transitions_dropped(&self, count: u64) {
        self.dropped.inc_by(count);
    }

    pub(super) fn beat(&self, outcome: BeatOutcome) {
        self.beats.get_or_create(&BeatLabels { outcome }).inc();
    }

    /// Whether this process checks the monitors.
    pub(super) fn active(&self, is_active: bool) {
        self.active.set(i64::from(is_active));
    }

    /// Records an hour that was rolled up, and logs it if it took long.
    pub(super) fn rolled_up(&self, hour: DateTime<Utc>, took: Duration) {
        self.rollup.observe(took.as_secs_f64());
        if took > Duration::from_secs(10) {
            tracing::warn!(%hour, seconds = took.as_secs(), "rolling up an hour of all monitors took long");
        }
    }

    /// Sets the gauges of whole tables.
    pub(super) fn set(&self, figures: &Figures) {
        for status in Status::ALL {
            let count = figures.by_status.iter().find(|(found, _)| *found == status).map_or(0, |(_, count)| *count);
            self.monitors.get_or_create(&StatusLabels { status }).set(count as f64);
        }
        self.flapping.set(figures.flapping as f64);
        for (place, &within) in Within::ALL.iter().enumerate() {
            self.certificates.get_or_create(&WithinLabels { within }).set(figures.certificates[place] as f64);
            self.domains.get_or_create(&WithinLabels { within }).set(figures.domains[place] as f64);
        }
        self.file_applied.set(figures.file_applied.map_or(f64::NAN, |applied| f64::from(u8::from(applied))));
        self.rollup_waiting.set(figures.rollup_waiting as f64);
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(super) fn forget_figures(&self) {
        for status in Status::ALL {
            self.monitors.get_or_create(&StatusLabels { status }).set(f64::NAN);
        }
        for &within in Within::ALL {
            self.certificates.get_or_create(&WithinLabels { within }).set(f64::NAN);
            self.domains.get_or_create(&WithinLabels { within }).set(f64::NAN);
        }
        for figure in [&self.flapping, &self.file_applied, &self.rollup_waiting] {
            figure.set(f64::NAN);
        }
    }
}
