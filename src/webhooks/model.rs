//! Endpoints and deliveries.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use platform::ids::Owner;
use platform::{id_type, text_enum};

id_type!(EndpointId, "An address that is told of events.");
id_type!(DeliveryId, "A message on its way to a webhook.");

text_enum! {
    /// State of an endpoint.
    pub enum EndpointState {
        Enabled = "enabled",
        /// Enabled, but the last attempts failed.
        Failing = "failing",
        Disabled = "disabled",
    }
}

impl EndpointState {
    /// Badge colour.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Enabled => "ok",
            Self::Failing => "warn",
            Self::Disabled => "error",
        }
    }
}

text_enum! {
    /// Why an endpoint was disabled.
    pub enum DisabledReason {
        ByHand = "by_hand",
        /// Every attempt failed for days.
        Failing = "failing",
        /// It answered 410: it wants no more messages.
        Gone = "gone",
    }
}

/// An address that receives events.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct Endpoint {
    pub id: EndpointId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    /// Address that messages are posted to.
    pub url: String,
    pub description: String,
    /// Topics of docs/events.md; empty for all of them.
    pub topics: Vec<String>,
    pub state: EndpointState,
    /// Null unless it is disabled.
    pub disabled_reason: Option<DisabledReason>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// Start of the current series of failed attempts; null after a success.
    pub failing_since: Option<DateTime<Utc>>,
    /// Time of the next attempt; null if nothing failed.
    pub retry_at: Option<DateTime<Utc>>,
    /// Until then messages are also signed with the secret before the last rotation.
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An endpoint with its secret, which is shown only once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EndpointWithSecret {
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// `whsec_...`: the signing secret (Standard Webhooks 1.0.0).
    pub secret: String,
}

/// New or changed fields of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointChanges {
    pub url: Option<String>,
    pub description: Option<String>,
    pub topics: Option<Vec<String>>,
    pub enabled: Option<bool>,
}

text_enum! {
    /// State of a delivery.
    #[schema(as = WebhookDeliveryState)]
    pub enum DeliveryState {
        /// Waiting for its turn or for the next attempt.
        Queued = "queued",
        Delivered = "delivered",
        /// Given up.
        Dead = "dead",
    }
}

impl DeliveryState {
    /// Badge colour.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Queued => "neutral",
            Self::Delivered => "ok",
            Self::Dead => "error",
        }
    }
}

/// A message to a receiver.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct Delivery {
    pub id: DeliveryId,
    /// The `webhook-id` of every attempt and every replay.
    pub message_id: Uuid,
    /// The endpoint's id, or `alerting.<name>` for a configured receiver.
    pub receiver: String,
    pub topic: String,
    /// Subject of the event.
    pub subject: String,
    pub state: DeliveryState,
    pub attempts: i32,
    /// HTTP status of the last response.
    pub status: Option<i32>,
    /// Duration of the last attempt.
    pub milliseconds: Option<i32>,
    /// Error of the last attempt.
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    /// End of the last attempt.
    pub attempted_at: Option<DateTime<Utc>>,
}

/// A delivery with the message body.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryDetail)]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The signed message body.
    pub body: String,
}

/// A receiver named in the configuration.
#[derive(Clone, Debug)]
pub struct Configured {
    pub url: String,
    pub secret: Option<SecretString>,
    /// Its messages are given up after this long, hours: old alerts are of no use to people on call.
    pub give_up_hours: u32,
}

/// A message from another room to configured receivers.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: &'static str,
    /// The subject, by which deliveries are found.
    pub subject: String,
    pub body: String,
}
