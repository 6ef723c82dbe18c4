//! Forwarding: alerts to webhooks, the Watchdog to the outside heartbeat service.

use std::time::Duration;

use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use uuid::Uuid;

use super::Alerting;
use crate::{
    AlertingError,
    config::HeartbeatMethod,
    events::{AlertFiring, AlertResolved},
    model::{Alert, Status},
    store::{self, Outgoing},
};
use events::Event as _;
use jobs::{JobContext, JobError};
use platform::db::Tx;
use webhooks::{DeliveryId, Message};

/// Timeout of the outside heartbeat service.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum HeartbeatError {
    #[error("cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the receiver answered {0}")]
    Answered(StatusCode),
}

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
    /// Publishes new and resolved alerts: as events, and to the configured webhooks that take them.
    pub(super) async fn pass_on(&self, tx: &mut Tx, changed: &[Alert]) -> Result<(), AlertingError> {
        let (clock, now) = (&self.inner.clock, self.inner.clock.now());
        for alert in changed {
            let status = alert.status();
            let topic = match status {
                Status::Firing => {
                    events::publish(tx, clock, None, &AlertFiring::from(alert)).await?;
                    AlertFiring::TOPIC
                }
                Status::Resolved => {
                    events::publish(tx, clock, None, &AlertResolved::from(alert)).await?;
                    AlertResolved::TOPIC
                }
            };
            let url = format!("{}/alerts/{}", self.inner.base_url, alert.id);
            let event = Event {
                kind: format!("alert.{}", status.as_str()),
                timestamp: now,
                data: EventData { alert, status: status.as_str(), url },
            };
            let message = Message { topic, subject: alert.id.to_string(), body: serde_json::to_string(&event)? };
            let wanting = self.inner.config.webhooks.iter().filter(|(_, webhook)| webhook.takes(alert.severity));
            for (name, _) in wanting {
                self.inner.webhooks.send(tx, name, DeliveryId::generate(clock), &message).await?;
            }
        }
        Ok(())
    }

    /// Takes over a delivery of the version before webhooks; does nothing if that has happened.
    pub(crate) async fn hand_over(&self, id: Uuid) -> Result<(), AlertingError> {
        let mut tx = self.inner.db.system().await?;
        if let Some(Outgoing { alert_id, webhook, event, body }) = store::take_over(&mut tx, id).await? {
            let topic = if event == Status::Firing.as_str() { AlertFiring::TOPIC } else { AlertResolved::TOPIC };
            let message = Message { topic, subject: alert_id.to_string(), body };
            self.inner.webhooks.send(&mut tx, &webhook, DeliveryId(id), &message).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Calls the outside heartbeat service. A failure is not a dead letter: the next Watchdog comes in minutes, and the
    /// service notices the gap itself.
    pub(crate) async fn heartbeat(&self, context: &JobContext) -> Result<(), JobError> {
        let Some(url) = &self.inner.config.heartbeat_url else { return Ok(()) };
        let client = self.inner.http.operator();
        let request = match self.inner.config.heartbeat_method {
            HeartbeatMethod::Get => client.get(url.expose_secret()),
            HeartbeatMethod::Post => client.post(url.expose_secret()),
        };
        match answered(request.timeout(TIMEOUT)).await {
            Ok(()) => self.inner.metrics.heartbeat(Ok(())),
            Err(error) if context.is_last_attempt() => self.inner.metrics.heartbeat(Err(&error)),
            Err(error) => return Err(JobError::retry(error)),
        }
        Ok(())
    }
}

/// The body of the answer is not needed. Errors leave out the address, which may hold secrets.
async fn answered(request: reqwest::RequestBuilder) -> Result<(), HeartbeatError> {
    let response = request.send().await.map_err(|error| HeartbeatError::Unreachable(error.without_url()))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(HeartbeatError::Answered(status)),
    }
}
