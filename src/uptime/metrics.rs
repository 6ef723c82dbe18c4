//! `holdfast_uptime_*`. Names have no unit but seconds and bytes: the test of families refuses words such as `hours`.

use std::{sync::atomic::AtomicU64, time::Duration};

use chrono::{DateTime, Utc};
use prometheus_client::{
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{probe::RefusedTargets, prober::ProberMetrics};

const ROLLUP: [f64; 8] = [0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// A number that may be unknown (NaN): gauges of whole tables are exported by the leader alone.
type Figure = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) prober: ProberMetrics,
    pub(super) refused: RefusedTargets,
    file_applied: Figure,
    rollup_waiting: Figure,
    rollup: Histogram,
}

/// What the leader reads of whole tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// `None`: no file is set, or no worker has read it yet.
    pub file_applied: Option<bool>,
    pub rollup_waiting: i64,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            prober: ProberMetrics::register(registry),
            refused: RefusedTargets::register(registry),
            file_applied: Figure::default(),
            rollup_waiting: Figure::default(),
            rollup: Histogram::new(ROLLUP),
        };
        metrics.forget_figures();
        let file = "1 if the file of monitors is applied as it is, 0 if it was refused, NaN without one; exported by the leader";
        registry.register("file_applied", file, metrics.file_applied.clone());
        let waiting = "Hours that are over and not rolled up; exported by the leader";
        registry.register("rollup_waiting", waiting, metrics.rollup_waiting.clone());
        let rollup = "Duration of rolling up an hour of all monitors";
        registry.register_with_unit("rollup_duration", rollup, Unit::Seconds, metrics.rollup.clone());
        metrics
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
        self.file_applied.set(figures.file_applied.map_or(f64::NAN, |applied| f64::from(u8::from(applied))));
        self.rollup_waiting.set(figures.rollup_waiting as f64);
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(super) fn forget_figures(&self) {
        self.file_applied.set(f64::NAN);
        self.rollup_waiting.set(f64::NAN);
    }
}
