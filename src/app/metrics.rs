//! Every capability's metric families, under its own prefix.

use crate::{
    agents, alerting, auth, backup, jobs, knowledge, llm,
    platform::{
        http,
        telemetry::{LogMetrics, Telemetry},
    },
    storage,
};

/// All families, registered.
#[derive(Clone, Debug)]
pub struct Families {
    pub http: http::Metrics,
    pub log: LogMetrics,
    pub auth: auth::Metrics,
    pub jobs: jobs::Metrics,
    pub storage: storage::Metrics,
    pub llm: llm::Metrics,
    pub knowledge: knowledge::Metrics,
    pub agents: agents::Metrics,
    pub backup: backup::Metrics,
    pub alerting: alerting::Metrics,
}

impl Families {
    pub fn register(telemetry: &Telemetry) -> Self {
        Self {
            http: telemetry.register("http", http::Metrics::register),
            log: telemetry.register("log", LogMetrics::register),
            auth: telemetry.register("auth", auth::Metrics::register),
            jobs: telemetry.register("jobs", jobs::Metrics::register),
            storage: telemetry.register("storage", storage::Metrics::register),
            llm: telemetry.register("llm", llm::Metrics::register),
            knowledge: telemetry.register("knowledge", knowledge::Metrics::register),
            agents: telemetry.register("agents", agents::Metrics::register),
            backup: telemetry.register("backup", backup::Metrics::register),
            alerting: telemetry.register("alerting", alerting::Metrics::register),
        }
    }
}
