//! `holdfast_alerting_*`

use std::sync::atomic::AtomicU64;

use chrono::{DateTime, Utc};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::model::{Alert, Severity, Status, Taken};
use platform::{
    error::{ApiError, chain},
    label_enum,
};

label_enum! {
    /// What happened to a notification from Alertmanager.
    pub enum NotificationOutcome {
        Accepted = "accepted",
        InPart = "in_part",
        /// Wrong token or malformed body: the sender's fault.
        Refused = "refused",
        /// The database is unreachable, or another fault of ours: Alertmanager sends it again.
        Failed = "failed",
    }
}

label_enum! {
    /// Whether the outside heartbeat service was reached.
    pub enum HeartbeatOutcome { Ok = "ok", Failed = "failed" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NotificationLabels {
    outcome: NotificationOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlertLabels {
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FiringLabels {
    severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeartbeatLabels {
    outcome: HeartbeatOutcome,
}

#[derive(Clone, Debug)]
pub struct Metrics {
    notifications: Family<NotificationLabels, Counter>,
    alerts: Family<AlertLabels, Counter>,
    firing: Family<FiringLabels, Gauge<f64, AtomicU64>>,
    heartbeats: Family<HeartbeatLabels, Counter>,
    watchdog: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            notifications: Family::default(),
            alerts: Family::default(),
            firing: Family::default(),
            heartbeats: Family::default(),
            watchdog: Gauge::default(),
        };
        let m = &metrics;
        for &outcome in NotificationOutcome::ALL {
            let _ = m.notifications.get_or_create(&NotificationLabels { outcome });
        }
        for &status in Status::ALL {
            let _ = m.alerts.get_or_create(&AlertLabels { status });
        }
        for &severity in Severity::ALL {
            let _ = m.firing.get_or_create(&FiringLabels { severity });
        }
        for &outcome in HeartbeatOutcome::ALL {
            let _ = m.heartbeats.get_or_create(&HeartbeatLabels { outcome });
        }
        registry.register("notifications", "Notifications received from Alertmanager", m.notifications.clone());
        registry.register("alerts", "Alerts that started firing and that were resolved", m.alerts.clone());
        registry.register("firing", "Alerts firing now, as far as Alertmanager has reported", m.firing.clone());
        registry.register("heartbeats", "Heartbeats sent to the outside service", m.heartbeats.clone());
        registry.register_with_unit(
            "watchdog_timestamp",
            "Unix time of the last Watchdog received; 0 for never",
            Unit::Seconds,
            m.watchdog.clone(),
        );
        metrics
    }

    /// Counts an accepted notification.
    pub fn accepted(&self, taken: Taken, truncated: u64) {
        let Taken { firing, resolved, repeated, unreadable, watchdog } = taken;
        let outcome = if unreadable > 0 { NotificationOutcome::InPart } else { NotificationOutcome::Accepted };
        self.notifications.get_or_create(&NotificationLabels { outcome }).inc();
        if unreadable > 0 {
            tracing::warn!(firing, resolved, repeated, unreadable, "alerts accepted, except those that cannot be read");
        }
        if truncated > 0 {
            tracing::warn!(
                firing,
                resolved,
                repeated,
                truncated,
                "alerts accepted; Alertmanager left some out (max_alerts)"
            );
        } else {
            tracing::debug!(firing, resolved, repeated, watchdog, "alerts accepted");
        }
    }

    /// Counts a rejected notification; Alertmanager sends it again when the fault is ours.
    pub fn not_taken(&self, error: &ApiError) {
        let refused = error.status.is_client_error();
        let outcome = if refused { NotificationOutcome::Refused } else { NotificationOutcome::Failed };
        self.notifications.get_or_create(&NotificationLabels { outcome }).inc();
        let (code, detail) = (error.code.as_ref(), error.detail.as_str());
        if refused {
            tracing::warn!(code, detail, "alerts refused");
        } else {
            tracing::warn!(code, detail, "alerts could not be stored: Alertmanager will send them again");
        }
    }

    /// Counts an alert that started firing or was resolved.
    pub fn changed(&self, alert: &Alert) {
        let status = alert.status();
        self.alerts.get_or_create(&AlertLabels { status }).inc();
        let (id, severity, summary) = (alert.id, alert.severity.as_str(), alert.summary());
        match status {
            Status::Firing => tracing::warn!(alert_id = %id, alert = alert.name, severity, summary, "alert firing"),
            Status::Resolved => tracing::info!(alert_id = %id, alert = alert.name, severity, summary, "alert resolved"),
        }
    }

    /// Sets the gauges from the tables.
    pub fn set(&self, firing: impl Fn(Severity) -> i64, watchdog: Option<DateTime<Utc>>) {
        for &severity in Severity::ALL {
            self.firing.get_or_create(&FiringLabels { severity }).set(firing(severity) as f64);
        }
        self.watchdog.set(watchdog.map_or(0.0, |at| at.timestamp_millis() as f64 / 1e3));
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub fn forget_figures(&self) {
        for &severity in Severity::ALL {
            self.firing.get_or_create(&FiringLabels { severity }).set(f64::NAN);
        }
        self.watchdog.set(f64::NAN);
    }

    /// Counts a heartbeat attempt.
    pub fn heartbeat(&self, result: Result<(), &(dyn std::error::Error + 'static)>) {
        let outcome = if result.is_ok() { HeartbeatOutcome::Ok } else { HeartbeatOutcome::Failed };
        self.heartbeats.get_or_create(&HeartbeatLabels { outcome }).inc();
        if let Err(error) = result {
            tracing::warn!(error = chain(error), "the outside heartbeat service was not reached");
        }
    }
}
