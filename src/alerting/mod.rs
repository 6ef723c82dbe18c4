//! Alerts: takes what Alertmanager sends, keeps the history that it does not keep, shows it, and passes it on.
//!
//! An alert is one row for each time it fired, known by its fingerprint and start. New and resolved ones are events, and go to the configured
//! webhooks (room webhooks). `Watchdog`, which always fires, is no row: it says that the way from Prometheus to here works,
//! and is passed on to an outside heartbeat. Silences are Alertmanager's own: pages and API reach through to it. The runbooks that alerts
//! link to are compiled in and shown under `/runbooks`.
//!
//! Owns `alerts`, `alert_watchdog`, and `alert_deliveries` of the version before webhooks. Jobs: `alerting.heartbeat`, `alerting.compare`,
//! `alerting.maintain`. Metrics: `holdfast_alerting_*`. Checks: `alerting.token`, `alerting.watchdog`, `alerting.alertmanager`.

mod alertmanager;
mod config;
mod doctor;
mod error;
mod events;
mod jobs;
mod metrics;
mod model;
pub mod pages;
pub mod routes;
mod runbooks;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use doctor::checks;
pub use error::AlertingError;
pub use events::EVENTS;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{Alert, AlertId, Filter, Notification, Severity};
pub use service::{Alerting, Deps};
