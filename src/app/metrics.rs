//! The metric families of the rooms below `kit`; the others register theirs when they are built.

use super::rooms::{ROOMS, event_types, queues, schedules, watched_tables};
use platform::{
    db, disk, http,
    telemetry::{LogMetrics, Telemetry, TraceMetrics},
};

/// The families of the ground floor, storage, jobs and events, registered.
#[derive(Clone, Debug)]
pub struct Families {
    pub http: http::Metrics,
    pub database: db::Metrics,
    pub disk: disk::Metrics,
    pub log: LogMetrics,
    pub traces: TraceMetrics,
    pub jobs: jobs::Metrics,
    pub storage: storage::Metrics,
    pub events: events::Metrics,
}

impl Families {
    pub fn register(telemetry: &Telemetry) -> Self {
        Self {
            http: telemetry.register("http", http::Metrics::register),
            database: telemetry.register("database", |registry| db::Metrics::register(registry, watched_tables())),
            disk: telemetry.register("disk", disk::Metrics::register),
            log: telemetry.register("log", LogMetrics::register),
            traces: telemetry.register("traces", TraceMetrics::register),
            jobs: telemetry.register("jobs", jobs::Metrics::register),
            storage: telemetry.register("storage", storage::Metrics::register),
            events: telemetry.register("events", events::Metrics::register),
        }
    }
}

/// Every series that a running process can make, for the reference.
pub(super) fn register_all(telemetry: &Telemetry) {
    let families = Families::register(telemetry);
    families.http.create_routes();
    families.jobs.create(&queues(), &schedules());
    families.jobs.create_figures(&queues(), &schedules());
    families.jobs.create_duties();
    families.events.create(&event_types());
    for register in ROOMS.iter().filter_map(|room| room.metrics) {
        register(telemetry);
    }
}
