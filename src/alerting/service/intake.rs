//! Receiving Alertmanager's notifications.

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;

use super::Alerting;
use crate::{
    AlertingError,
    jobs::Heartbeat,
    model::{self, Alert, Notification, NotifiedStatus, Status, Taken},
    store,
};
use jobs::Enqueue;
use platform::{crypto, db::Tx};

/// Two Alertmanagers of a cluster notify of the same alert at most this far apart (`--cluster.peer-timeout` times two).
/// "firing" within this time after "resolved" is the late message of the slower one; after it, the alert did not end
/// (Prometheus was cut off for a while).
const STRAGGLER: TimeDelta = TimeDelta::seconds(45);

impl Alerting {
    /// `Err` unless `presented` is Alertmanager's token.
    pub(crate) fn authorise(&self, presented: Option<&str>) -> Result<(), AlertingError> {
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
        self.tell(&changed);
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

    /// Logs and counts committed changes.
    pub(super) fn tell(&self, changed: &[Alert]) {
        for alert in changed {
            self.inner.metrics.changed(alert);
        }
    }
}
