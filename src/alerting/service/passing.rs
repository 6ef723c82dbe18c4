//! Forwarding: alerts to webhooks, the Watchdog to the outside heartbeat service.

use std::time::Duration;

use axum::http::StatusCode;
use secrecy::ExposeSecret as _;

use super::Alerting;
use crate::{
    alerting::{
        config::{HeartbeatMethod, Webhook},
        metrics::DeliveryOutcome,
        model::{DeliveryId, DeliveryState},
        store,
        webhook::{BadSecret, SigningKey},
    },
    jobs::{JobContext, JobError},
};

/// A slower receiver should queue the event and answer first.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the receiver answered {0}")]
    Answered(StatusCode),
    #[error("the receiver answered 410 Gone: remove it from [alerting.webhooks]")]
    Gone,
    #[error("[alerting.webhooks.{0}] was removed from the configuration")]
    Unknown(String),
    #[error(transparent)]
    Secret(#[from] BadSecret),
}

impl SendError {
    /// Whether another attempt would fail the same way.
    fn is_final(&self) -> bool {
        matches!(self, Self::Gone | Self::Unknown(_) | Self::Secret(_))
    }
}

impl Alerting {
    /// One attempt. Delivery is at least once: every attempt has the same id and body.
    pub(in crate::alerting) async fn deliver(&self, context: &JobContext, id: DeliveryId) -> Result<(), JobError> {
        let mut tx = self.inner.db.system().await?;
        let outgoing = store::outgoing(&mut tx, id).await?;
        tx.commit().await?;
        // Retention has removed it, or an earlier attempt delivered it before its worker was lost.
        let Some(outgoing) = outgoing.filter(|o| o.state != DeliveryState::Delivered.as_str()) else { return Ok(()) };
        let sent = match self.inner.config.webhooks.get(&outgoing.webhook) {
            Some(webhook) => self.send(webhook, id, &outgoing.body).await,
            None => Err(SendError::Unknown(outgoing.webhook.clone())),
        };
        let given_up = sent.as_ref().is_err_and(SendError::is_final) || context.is_last_attempt();
        let (state, outcome) = match (&sent, given_up) {
            (Ok(()), _) => (DeliveryState::Delivered, DeliveryOutcome::Delivered),
            (Err(_), false) => (DeliveryState::Queued, DeliveryOutcome::Retried),
            (Err(_), true) => (DeliveryState::Dead, DeliveryOutcome::Dead),
        };
        let error = sent.as_ref().err().map(|error| crate::platform::error::chain(error));
        let mut tx = self.inner.db.system().await?;
        store::attempted(&mut tx, id, state, error.as_deref(), self.inner.clock.now()).await?;
        tx.commit().await?;
        self.inner.metrics.delivered(id, &outgoing.webhook, outcome, error.as_deref());
        sent.map_err(|error| if error.is_final() { JobError::permanent(error) } else { JobError::retry(error) })
    }

    async fn send(&self, webhook: &Webhook, id: DeliveryId, body: &str) -> Result<(), SendError> {
        let key = SigningKey::parse(webhook.secret.as_ref().ok_or(BadSecret)?)?;
        let (id, timestamp) = (id.to_string(), self.inner.clock.now().timestamp());
        let request = self.inner.http.operator().post(&webhook.url).timeout(TIMEOUT);
        let request = request
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", key.sign(&id, timestamp, body))
            .body(body.to_owned());
        answered(request).await
    }

    /// Calls the outside heartbeat service. A failure is not a dead letter: the next Watchdog comes in minutes, and the
    /// service notices the gap itself.
    pub(in crate::alerting) async fn heartbeat(&self, context: &JobContext) -> Result<(), JobError> {
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
async fn answered(request: reqwest::RequestBuilder) -> Result<(), SendError> {
    let response = request.send().await.map_err(|error| SendError::Unreachable(error.without_url()))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(SendError::Gone),
        status => Err(SendError::Answered(status)),
    }
}
