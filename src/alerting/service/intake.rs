//! Taking what Alertmanager sends.

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

/// Two Alertmanagers of a cluster tell of the same alert this far apart at most (`--cluster.peer-timeout` times two). What says "firing"
/// so soon after "resolved" is the older news; what says so later is an alert that went on: Prometheus was away for a while.
const STRAGGLER: TimeDelta = TimeDelta::seconds(45);

/// What a webhook is sent.
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
    /// Its page here.
    url: String,
}

impl Alerting {
    /// Err unless this is the token that Alertmanager was given.
    pub(in crate::alerting) fn authorise(&self, presented: Option<&str>) -> Result<(), AlertingError> {
        let token = self.inner.config.token.as_ref().ok_or(AlertingError::NoToken)?;
        // Hashes have one length, so that the time tells nothing of the token's either.
        let (ours, theirs) = (crypto::sha256(token.expose_secret()), crypto::sha256(presented.unwrap_or_default()));
        if crypto::constant_time_eq(&ours, &theirs) { Ok(()) } else { Err(AlertingError::WrongToken) }
    }

    /// Keeps what a notification says, and queues what follows from it, in one transaction.
    pub async fn take(&self, notification: Notification) -> Result<Taken, AlertingError> {
        if notification.version != "4" {
            return Err(AlertingError::UnknownVersion(notification.version));
        }
        let (now, truncated) = (self.inner.clock.now(), notification.truncated_alerts);
        let (readable, unreadable) = notification.read();
        for error in unreadable.iter().take(5) {
            let (place, reason) = (&error.pointer, &error.detail);
            tracing::warn!(place, reason, "an alert in Alertmanager's notification cannot be read");
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
            // An alert that fires again has ended before, told or not.
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
        self.tell(&changed);
        self.inner.metrics.accepted(taken, truncated);
        Ok(taken)
    }

    async fn saw_watchdog(&self, tx: &mut Tx) -> Result<(), AlertingError> {
        store::seen_watchdog(tx, self.inner.clock.now()).await?;
        if self.inner.config.heartbeat_url.is_some() {
            // While one waits, another says nothing more.
            let once = Enqueue { unique_key: Some("alerting.heartbeat".to_owned()), priority: 5, ..Enqueue::default() };
            jobs::enqueue(tx, &self.inner.clock, None, &Heartbeat {}, &once).await?;
        }
        Ok(())
    }

    /// Queues the deliveries of alerts that began or ended.
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
            // One at a time to each receiver: in order, and one that hangs does not take all of the worker's room.
            let key = format!("alerting.webhook.{}", delivery.webhook);
            let options = Enqueue { concurrency_key: Some(key), ..Enqueue::default() };
            jobs::enqueue(tx, clock, None, &Deliver { delivery_id: delivery.id }, &options).await?;
        }
        Ok(())
    }

    /// Logs and counts what has been committed.
    pub(super) fn tell(&self, changed: &[Alert]) {
        changed.iter().for_each(|alert| self.inner.metrics.changed(alert));
    }
}
