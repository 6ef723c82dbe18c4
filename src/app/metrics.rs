//! Every capability's metric families, under its own prefix.

use crate::{
    agents, alerting, auth, backup, events, jobs, knowledge, llm,
    platform::{
        db, disk, http,
        telemetry::{LogMetrics, Telemetry, TraceMetrics},
    },
    storage, webhooks,
};

/// Queues of this build, for the reference of metrics; a test compares them with what the worker registers.
const QUEUES: [&str; 5] = ["alerting", "backup", "knowledge", "system", "webhooks"];

/// Schedules of this build, as [`QUEUES`].
const SCHEDULES: [&str; 11] = [
    "alerting.compare",
    "alerting.maintain",
    "backup.drill",
    "backup.drill_old",
    "backup.run",
    "events.maintain",
    "jobs.maintain",
    "knowledge.maintain",
    "knowledge.reconcile",
    "llm.retention",
    "webhooks.maintain",
];

/// All families, registered.
#[derive(Clone, Debug)]
pub struct Families {
    pub http: http::Metrics,
    pub database: db::Metrics,
    pub disk: disk::Metrics,
    pub log: LogMetrics,
    pub traces: TraceMetrics,
    pub auth: auth::Metrics,
    pub jobs: jobs::Metrics,
    pub storage: storage::Metrics,
    pub llm: llm::Metrics,
    pub knowledge: knowledge::Metrics,
    pub agents: agents::Metrics,
    pub backup: backup::Metrics,
    pub alerting: alerting::Metrics,
    pub events: events::Metrics,
    pub webhooks: webhooks::Metrics,
}

impl Families {
    pub fn register(telemetry: &Telemetry) -> Self {
        Self {
            http: telemetry.register("http", http::Metrics::register),
            database: telemetry.register("database", db::Metrics::register),
            disk: telemetry.register("disk", disk::Metrics::register),
            log: telemetry.register("log", LogMetrics::register),
            traces: telemetry.register("traces", TraceMetrics::register),
            auth: telemetry.register("auth", auth::Metrics::register),
            jobs: telemetry.register("jobs", jobs::Metrics::register),
            storage: telemetry.register("storage", storage::Metrics::register),
            llm: telemetry.register("llm", llm::Metrics::register),
            knowledge: telemetry.register("knowledge", knowledge::Metrics::register),
            agents: telemetry.register("agents", agents::Metrics::register),
            backup: telemetry.register("backup", backup::Metrics::register),
            alerting: telemetry.register("alerting", alerting::Metrics::register),
            events: telemetry.register("events", events::Metrics::register),
            webhooks: telemetry.register("webhooks", webhooks::Metrics::register),
        }
    }

    /// Makes the series that a process makes when it begins to work or knows its configuration, so that the reference has them.
    pub(super) fn complete(&self) {
        self.http.create_routes();
        self.jobs.create(&QUEUES, &SCHEDULES);
        self.jobs.create_figures(&QUEUES, &SCHEDULES);
        self.jobs.create_duties();
        self.events.create(&super::events_of_rooms::types());
        self.backup.create_destination(ANY);
        self.llm.create_provider(ANY);
        for operation in [llm::Operation::Chat, llm::Operation::Embedding] {
            self.llm.create_model(operation, ANY, ANY);
        }
    }
}

/// Stands in the reference for values that come from the configuration.
pub(super) const ANY: &str = "*";
