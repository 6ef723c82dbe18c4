//! Alerts: takes what Alertmanager sends, keeps the history that it does not keep, shows it, and passes it on.
//!
//! An alert is one row for each time it fired, known by its fingerprint and start. New and resolved ones go to the configured webhooks,
//! signed (standardwebhooks.com). `Watchdog`, which always fires, is no row: it says that the way from Prometheus to here works,
//! and is passed on to an outside heartbeat. Silences are Alertmanager's own: pages and API reach through to it. The runbooks that alerts
//! link to are compiled in and shown under `/runbooks`.
//!
//! Owns `alerts`, `alert_deliveries`, `alert_watchdog`. Jobs: `alerting.deliver`, `alerting.heartbeat`, `alerting.compare`,
//! `alerting.maintain`. Metrics: `holdfast_alerting_*`. Checks: `alerting.token`, `alerting.watchdog`, `alerting.alertmanager`.

mod alertmanager;
mod config;
mod doctor;
mod error;
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
mod webhook;

pub use config::Config;
pub use doctor::checks;
pub use error::AlertingError;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{Alert, AlertId, Filter, Notification, Severity};
pub use module::{ROOM, build};
pub use service::{Alerting, Deps};
