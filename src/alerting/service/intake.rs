//! Receiving Alertmanager's notifications.

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::Alerting;
use crate::{
    alerting::{
        AlertingError,
        jobs::{Deliver, Heartbeat},
        model::{self, Alert, DeliveryId, Notification, NotifiedStatus, Status, Taken},
        store::{self, NewDelivery},
    },
    jobs::{self, Enqueue},
    platform::{crypto, db::Tx},
};

/// Two Alertmanagers of a cluster notify of the same alert at most this far apart (`--cluster.peer-timeout` times two).
/// "firing" within this time after "resolved" is the late message of the slower one; after it, the alert did not end
/// (Prometheus was cut off for a while).
const STRAGGLER: TimeDelta = TimeDelta::seconds(45);

/// Body of a webhook.
#[derive(Serialize)]
struct Event<'a> {
    /// `alert.firing`, `alert.resolved`
    #[serde(rename = "type")]
    kind: String,
    timestamp: chrono::DateTime<chrono::Utc>,
    data: EventData<'a>,
}

#[derive(Serialize)]
struct EventData<'a> {
    #[serde(flatten)]
    alert: &'a Alert,
    status: &'static str,
    /// The alert's page here.
    url: String,
}

impl Alerting {
    /// `Err` unless `presented` is Alertmanager's token.
    pub(in crate::alerting) fn authorise(&self, presented: Option<&str>) -> Result<(), AlertingError> {
        let token = self.inner.config.token.as_ref().ok_or(AlertingError::NoToken)?;
        // Compares hashes: they have one length, so the time does not reveal the token's.
        let (ours, theirs) = (crypto::sha256(token.expose_secret()), crypto::sha256(presented.unwrap_or_default()));
        if crypto::constant_time_eq(&ours, &theirs) { Ok(()) } else { Err(AlertingError::WrongToken) }
    }

    /// Stores a notification and queues its deliveries, in one transaction.
    pub async fn take(&self, notification: Notification) -> Result<Taken, AlertingError> {
        if notification.version != "4" {
            return Err(AlertingError::UnknownVersion(notification.version));
        }
        let (now, truncated) = (self.inner.clock.now(), notification.truncated_alerts);
        let (readable, unreadable) = notification.read();
        for error in unreadable.iter().take(5) {
            let (place, reason) = (&error.pointer, &error.detail);
            tracing::warn!(place, reason, "an alert in Alertmanager's notification could not be read");
        }
        if readable.is_empty() && !unreadable.is_empty() {
            return Err(AlertingError::Unreadable(unreadable));
        }
        let (watchdogs, alerts): (Vec<_>, Vec<_>) = readable.into_iter().partition(model::NotifiedAlert::is_watchdog);
        let watchdog = watchdogs.iter().any(|alert| alert.status == NotifiedStatus::Firing);
        let reports = model::distinct(alerts.into_iter().map(|alert| alert.report(now)));
        let mut tx = self.inner.db.system().await?;
        store::lock(&mut tx).await?;
        if watchdog {
            self.saw_watchdog(&mut tx).await?;
        }
        let kept = store::take(&mut tx, &self.inner.clock, &reports, now - STRAGGLER).await?;
        let mut changed: Vec<Alert> = kept.iter().filter(|c| c.changed).map(|c| c.alert.clone()).collect();
        let began = changed.iter().any(|alert| alert.status() == Status::Firing);
        if began {
            // An alert that fires again has ended before, whether reported or not.
            let ended = store::unheard(&mut tx, chrono::DateTime::UNIX_EPOCH).await?;
            changed.extend(store::close(&mut tx, &ended, now).await?);
        }
        self.pass_on(&mut tx, &changed).await?;
        tx.commit().await?;
        let count = |status: Status| changed.iter().filter(|alert| alert.status() == status).count();
        let taken = Taken {
            firing: count(Status::Firing),
            resolved: count(Status::Resolved),
            repeated: kept.iter().filter(|change| !change.changed).count(),
            unreadable: unreadable.len(),
            watchdog,
        };
        self.tell(&changed).await;
        self.inner.metrics.accepted(taken, truncated);
        Ok(taken)
    }

    async fn saw_watchdog(&self, tx: &mut Tx) -> Result<(), AlertingError> {
        store::seen_watchdog(tx, self.inner.clock.now()).await?;
        if self.inner.config.heartbeat_url.is_some() {
            // One waiting heartbeat is enough.
            let once = Enqueue { unique_key: Some("alerting.heartbeat".to_owned()), priority: 5, ..Enqueue::default() };
            jobs::enqueue(tx, &self.inner.clock, None, &Heartbeat {}, &once).await?;
        }
        Ok(())
    }

    /// Queues the deliveries of new and resolved alerts.
    pub(super) async fn pass_on(&self, tx: &mut Tx, changed: &[Alert]) -> Result<(), AlertingError> {
        let (clock, now) = (&self.inner.clock, self.inner.clock.now());
        let mut deliveries = Vec::new();
        for alert in changed {
            let status = alert.status().as_str();
            let event = Event {
                kind: format!("alert.{status}"),
                timestamp: now,
                data: EventData { alert, status, url: format!("{}/alerts/{}", self.inner.base_url, alert.id) },
            };
            let wanting = self.inner.config.webhooks.iter().filter(|(_, webhook)| webhook.takes(alert.severity));
            for (name, _) in wanting {
                deliveries.push(NewDelivery {
                    id: DeliveryId::generate(clock),
                    alert_id: alert.id,
                    webhook: name.clone(),
                    event: status,
                    body: serde_json::to_string(&event)?,
                });
            }
        }
        if deliveries.is_empty() {
            return Ok(());
        }
        store::insert_deliveries(tx, &deliveries, now).await?;
        for delivery in &deliveries {
            // One at a time per receiver: keeps the order, and a hanging receiver does not use up the worker's slots.
            let key = format!("alerting.webhook.{}", delivery.webhook);
            let options = Enqueue { concurrency_key: Some(key), ..Enqueue::default() };
            jobs::enqueue(tx, clock, None, &Deliver { delivery_id: delivery.id }, &options).await?;
        }
        Ok(())
    }

    /// Logs and counts committed changes.
    pub(super) async fn tell(&self, changed: &[Alert]) {
        for alert in changed {
            self.inner.metrics.changed(alert);
        }
        if !changed.is_empty()
            && let Err(error) = self.refresh_gauges().await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "alerting gauges could not be read");
        }
    }
}
