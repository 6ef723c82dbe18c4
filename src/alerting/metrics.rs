//! `holdfast_alerting_*`

use std::sync::atomic::AtomicU64;

use chrono::{DateTime, Utc};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::model::{Alert, Severity, Status, Taken};
use crate::{
    label_enum,
    platform::error::{ApiError, chain},
};

label_enum! {
    /// What became of a notification.
    pub enum NotificationOutcome {
        Accepted = "accepted",
        InPart = "in_part",
        /// A wrong token, or a body that is none: the sender's fault.
        Refused = "refused",
        /// The database is away, or another fault of ours: Alertmanager sends it again.
        Failed = "failed",
    }
}

label_enum! {
    /// Whether the outside heartbeat was reached.
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
        registry.register("notifications", "Notifications that Alertmanager sent", m.notifications.clone());
        registry.register("alerts", "Alerts that began to fire, and that ended", m.alerts.clone());
        registry.register("firing", "Alerts that fire now, as far as Alertmanager told", m.firing.clone());
        registry.register("heartbeats", "Watchdogs that were passed on to the outside heartbeat", m.heartbeats.clone());
        registry.register_with_unit(
            "watchdog_timestamp",
            "When the Watchdog was last heard of, seconds since 1970; 0 for never",
            Unit::Seconds,
            m.watchdog.clone(),
        );
        metrics
    }

    /// A notification was taken.
    pub fn accepted(&self, taken: Taken, truncated: u64) {
        let Taken { firing, resolved, repeated, unreadable, watchdog } = taken;
        let outcome = if unreadable > 0 { NotificationOutcome::InPart } else { NotificationOutcome::Accepted };
        self.notifications.get_or_create(&NotificationLabels { outcome }).inc();
        if unreadable > 0 {
            tracing::warn!(firing, resolved, repeated, unreadable, "alerts taken, but for those that cannot be read");
        }
        if truncated > 0 {
            tracing::warn!(
                firing,
                resolved,
                repeated,
                truncated,
                "alerts taken; Alertmanager left some out (max_alerts)"
            );
        } else {
            tracing::debug!(firing, resolved, repeated, watchdog, "alerts taken");
        }
    }

    /// A notification was not taken, by whose fault; Alertmanager sends it again where that is ours.
    pub fn not_taken(&self, error: &ApiError) {
        let refused = error.status.is_client_error();
        let outcome = if refused { NotificationOutcome::Refused } else { NotificationOutcome::Failed };
        self.notifications.get_or_create(&NotificationLabels { outcome }).inc();
        let (code, detail) = (error.code.as_ref(), error.detail.as_str());
        if refused {
            tracing::warn!(code, detail, "alerts refused");
        } else {
            tracing::warn!(code, detail, "alerts could not be taken: Alertmanager sends them again");
        }
    }

    /// An alert began to fire, or ended.
    pub fn changed(&self, alert: &Alert) {
        let status = alert.status();
        self.alerts.get_or_create(&AlertLabels { status }).inc();
        let (id, severity, summary) = (alert.id, alert.severity.as_str(), alert.summary());
        match status {
            Status::Firing => tracing::warn!(alert_id = %id, alert = alert.name, severity, summary, "alert firing"),
            Status::Resolved => tracing::info!(alert_id = %id, alert = alert.name, severity, summary, "alert resolved"),
        }
    }

    /// What the tables say.
    pub fn set(&self, firing: impl Fn(Severity) -> i64, watchdog: Option<DateTime<Utc>>) {
        for &severity in Severity::ALL {
            self.firing.get_or_create(&FiringLabels { severity }).set(firing(severity) as f64);
        }
        self.watchdog.set(watchdog.map_or(0.0, |at| at.timestamp_millis() as f64 / 1e3));
    }

    /// The figures of whole tables are another process's to tell, or not read yet.
    pub fn forget_figures(&self) {
        for &severity in Severity::ALL {
            self.firing.get_or_create(&FiringLabels { severity }).set(f64::NAN);
        }
        self.watchdog.set(f64::NAN);
    }

    /// The outside heartbeat was asked, or could not be.
    pub fn heartbeat(&self, result: Result<(), &(dyn std::error::Error + 'static)>) {
        let outcome = if result.is_ok() { HeartbeatOutcome::Ok } else { HeartbeatOutcome::Failed };
        self.heartbeats.get_or_create(&HeartbeatLabels { outcome }).inc();
        if let Err(error) = result {
            tracing::warn!(error = chain(error), "the outside heartbeat was not reached");
        }
    }
}
