//! What the prober counts: `holdfast_uptime_*`. In processes that do not check, gauges of monitors are NaN.

use std::{sync::atomic::AtomicU64, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::model::{Kind, Outcome, Status};
use platform::label_enum;

const LAG: [f64; 10] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// 5 ms to the longest timeouts in use.
const DURATION: [f64; 7] = [0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 30.0];
const WRITE: [f64; 7] = [0.005, 0.01, 0.05, 0.1, 0.5, 2.0, 10.0];
const ROWS: [f64; 7] = [1.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0];

label_enum! {
    /// Why a slot was left out.
    pub enum Skipped {
        /// The check before it was not over.
        Busy = "busy",
        /// As many checks as may run at once.
        InFlight = "in_flight",
        /// Others of the same address were before it.
        SameTarget = "same_target",
    }
}

label_enum! {
    /// What became of a beat.
    pub enum BeatOutcome {
        Stored = "stored",
        /// In memory, because the database is away.
        Kept = "kept",
        /// No monitor has this token.
        Unknown = "unknown",
        /// Its token has reported more than sixty times within a minute.
        TooOften = "too_often",
        /// Neither the database nor memory took it.
        Refused = "refused",
    }
}

label_enum! {
    /// How soon something ends.
    pub enum Within {
        Week = "7d",
        Month = "21d",
    }
}

label_enum! {
    /// What was not written.
    pub enum Dropped {
        /// Memory was full while the database was away.
        Memory = "memory",
        /// Another process has the duty: its own are the truth.
        Fenced = "fenced",
        /// The database refuses what it contains.
        Refused = "refused",
    }
}

macro_rules! labels {
    ($($name:ident { $($field:ident: $kind:ty),+ })+) => {
        $(#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: $kind),+ })+
    };
}

labels! {
    Check { kind: Kind, outcome: Outcome }
    OfKind { kind: Kind }
    Why { reason: Skipped }
    OfStatus { status: Status }
    To { to: Status }
    Took { outcome: BeatOutcome }
    Ends { within: Within }
    Lost { reason: Dropped }
}

/// A number that may be unknown (NaN).
type Figure = Gauge<f64, AtomicU64>;

/// What is true of all monitors now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// In the order of [`Status::ALL`].
    pub statuses: [u32; 5],
    pub flapping: u32,
    /// Within a week, and within three.
    pub certificates: [u32; 2],
    pub domains: [u32; 2],
}

impl Counts {
    /// A monitor of the installation whose certificate or domain ends at these times. Those of organisations are their own business: an operator who is
    /// told of them can do nothing.
    pub fn ending(&mut self, now: DateTime<Utc>, certificate: Option<DateTime<Utc>>, domain: Option<DateTime<Utc>>) {
        let within =
            |at: Option<DateTime<Utc>>, days: i64| u32::from(at.is_some_and(|at| at - now <= TimeDelta::days(days)));
        for (place, days) in [7, 21].into_iter().enumerate() {
            if let (Some(certificates), Some(domains)) = (self.certificates.get_mut(place), self.domains.get_mut(place))
            {
                *certificates += within(certificate, days);
                *domains += within(domain, days);
            }
        }
    }
}

#[derive(Clone, Debug)]
pub struct ProberMetrics {
    checks: Family<Check, Counter>,
    duration: Family<OfKind, Histogram>,
    lag: Histogram,
    skipped: Family<Why, Counter>,
    in_flight: Gauge,
    monitors: Family<OfStatus, Figure>,
    transitions: Family<To, Counter>,
    flapping: Figure,
    certificates: Family<Ends, Figure>,
    domains: Family<Ends, Figure>,
    rows: Histogram,
    write: Histogram,
    in_memory: Gauge,
    unwritten: Figure,
    folded: Counter,
    dropped_checks: Family<Lost, Counter>,
    dropped: Family<Lost, Counter>,
    clock_steps: Counter,
    beats: Family<Took, Counter>,
    active: Gauge,
}

impl ProberMetrics {
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
            certificates: Family::default(),
            domains: Family::default(),
            rows: Histogram::new(ROWS),
            write: Histogram::new(WRITE),
            in_memory: Gauge::default(),
            unwritten: Figure::default(),
            folded: Counter::default(),
            dropped_checks: Family::default(),
            dropped: Family::default(),
            clock_steps: Counter::default(),
            beats: Family::default(),
            active: Gauge::default(),
        };
        metrics.create();
        metrics.name_checks(registry);
        metrics.name_monitors(registry);
        metrics.name_writing(registry);
        metrics
    }

    fn create(&self) {
        for kind in Kind::ALL {
            let _ = self.duration.get_or_create(&OfKind { kind });
            for outcome in Outcome::ALL {
                let _ = self.checks.get_or_create(&Check { kind, outcome });
            }
        }
        for status in Status::ALL {
            let _ = self.transitions.get_or_create(&To { to: status });
        }
        for &reason in Skipped::ALL {
            let _ = self.skipped.get_or_create(&Why { reason });
        }
        for &outcome in BeatOutcome::ALL {
            let _ = self.beats.get_or_create(&Took { outcome });
        }
        for &reason in Dropped::ALL {
            let _ = self.dropped.get_or_create(&Lost { reason });
            let _ = self.dropped_checks.get_or_create(&Lost { reason });
        }
        self.forget();
    }

    fn name_checks(&self, registry: &mut Registry) {
        registry.register("checks", "Attempts of checks that ended, by kind and outcome", self.checks.clone());
        let duration = "Duration of attempts, by kind";
        registry.register_with_unit("check_duration", duration, Unit::Seconds, self.duration.clone());
        let lag = "How late checks start after their slot";
        registry.register_with_unit("schedule_lag", lag, Unit::Seconds, self.lag.clone());
        registry.register("slots_skipped", "Slots at which no check was started, by reason", self.skipped.clone());
        registry.register("in_flight", "Checks that run now", self.in_flight.clone());
        registry.register("clock_steps", "Jumps of this host's clock", self.clock_steps.clone());
        registry.register("beats", "Reports of heartbeat monitors, by what became of them", self.beats.clone());
        registry.register("prober_active", "1 in the process that checks monitors", self.active.clone());
    }

    fn name_monitors(&self, registry: &mut Registry) {
        registry.register("monitors", "Monitors by status; exported by the prober", self.monitors.clone());
        registry.register("transitions", "Changes of status, by the new one", self.transitions.clone());
        registry.register(
            "flapping",
            "Monitors whose status changes all the time; exported by the prober",
            self.flapping.clone(),
        );
        let ending = "Monitors of the installation whose certificate ends within this time; exported by the prober";
        registry.register("certificates_ending", ending, self.certificates.clone());
        let ending = "Monitors of the installation whose domain ends within this time; exported by the prober";
        registry.register("domains_ending", ending, self.domains.clone());
    }

    fn name_writing(&self, registry: &mut Registry) {
        registry.register("batch_rows", "Checks in a batch that was written", self.rows.clone());
        let write = "Duration of the transaction that writes a batch";
        registry.register_with_unit("write_duration", write, Unit::Seconds, self.write.clone());
        registry.register("checks_in_memory", "Checks that wait to be written", self.in_memory.clone());
        let unwritten = "Since when nothing that checks found could be written; 0: it is written";
        registry.register_with_unit("unwritten", unwritten, Unit::Seconds, self.unwritten.clone());
        registry.register(
            "checks_folded",
            "Checks of which only time, duration, outcome and reason were kept, because the database was away",
            self.folded.clone(),
        );
        registry.register("checks_dropped", "Checks that were not written, by reason", self.dropped_checks.clone());
        registry.register(
            "transitions_dropped",
            "Changes of status and states that were not written, by reason",
            self.dropped.clone(),
        );
    }

    /// An attempt has ended.
    pub fn checked(&self, kind: Kind, outcome: Outcome, took: Duration) {
        self.checks.get_or_create(&Check { kind, outcome }).inc();
        self.duration.get_or_create(&OfKind { kind }).observe(took.as_secs_f64());
    }

    pub fn started(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }

    pub fn skipped(&self, reason: Skipped, slots: u64) {
        self.skipped.get_or_create(&Why { reason }).inc_by(slots);
    }

    pub fn in_flight(&self, checks: usize) {
        self.in_flight.set(i64::try_from(checks).unwrap_or(i64::MAX));
    }

    pub fn changed(&self, to: Status) {
        self.transitions.get_or_create(&To { to }).inc();
    }

    pub fn wrote(&self, rows: usize, took: Duration) {
        self.rows.observe(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)));
        self.write.observe(took.as_secs_f64());
    }

    pub fn in_memory(&self, checks: usize) {
        self.in_memory.set(i64::try_from(checks).unwrap_or(i64::MAX));
    }

    pub fn unwritten(&self, seconds: f64) {
        self.unwritten.set(seconds);
    }

    pub fn folded(&self, checks: u64) {
        self.folded.inc_by(checks);
    }

    #[cfg(test)]
    pub fn folded_so_far(&self) -> u64 {
        self.folded.get()
    }

    pub fn dropped_checks(&self, reason: Dropped, checks: u64) {
        self.dropped_checks.get_or_create(&Lost { reason }).inc_by(checks);
    }

    pub fn dropped(&self, reason: Dropped, transitions: u64) {
        self.dropped.get_or_create(&Lost { reason }).inc_by(transitions);
    }

    pub fn clock_stepped(&self) {
        self.clock_steps.inc();
    }

    pub fn beat(&self, outcome: BeatOutcome) {
        self.beats.get_or_create(&Took { outcome }).inc();
    }

    pub fn active(&self, is_active: bool) {
        self.active.set(i64::from(is_active));
    }

    pub fn count(&self, counts: &Counts) {
        for (status, count) in Status::ALL.into_iter().zip(counts.statuses) {
            self.monitors.get_or_create(&OfStatus { status }).set(f64::from(count));
        }
        self.flapping.set(f64::from(counts.flapping));
        for (place, &within) in Within::ALL.iter().enumerate() {
            let of = |counts: &[u32; 2]| f64::from(counts.get(place).copied().unwrap_or(0));
            self.certificates.get_or_create(&Ends { within }).set(of(&counts.certificates));
            self.domains.get_or_create(&Ends { within }).set(of(&counts.domains));
        }
    }

    /// This process does not check.
    pub fn forget(&self) {
        for status in Status::ALL {
            self.monitors.get_or_create(&OfStatus { status }).set(f64::NAN);
        }
        self.flapping.set(f64::NAN);
        for &within in Within::ALL {
            self.certificates.get_or_create(&Ends { within }).set(f64::NAN);
            self.domains.get_or_create(&Ends { within }).set(f64::NAN);
        }
        self.in_flight.set(0);
        self.active.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_within_a_week_ends_within_three_too() {
        let now = DateTime::UNIX_EPOCH;
        let mut counts = Counts::default();
        counts.ending(now, Some(now + TimeDelta::days(3)), Some(now + TimeDelta::days(20)));
        counts.ending(now, Some(now + TimeDelta::days(22)), None);
        assert_eq!((counts.certificates, counts.domains), ([1, 1], [0, 1]));
    }
}
