//! Alerts: receives Alertmanager's notifications, keeps and shows their history, and forwards them.
//!
//! Each firing of an alert is one row, identified by fingerprint and start. New and resolved alerts are published as
//! events, and sent to the configured webhooks (room webhooks). `Watchdog`, which always fires, is not stored as an
//! alert: it proves that alerts from Prometheus arrive here, and triggers the outside heartbeat. Silences are kept by
//! Alertmanager: pages and API use its API. The runbooks that alerts link to are compiled in and shown under
//! `/runbooks`.
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
mod module;
mod overview;
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
pub use events::{AlertFiring, AlertResolved, EVENTS};
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{Alert, AlertId, Filter, Notification, Severity};
pub use module::{ROOM, build};
pub use service::{Alerting, Deps};
