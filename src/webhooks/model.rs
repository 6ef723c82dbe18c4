//! Endpoints, and what is sent to them.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{id_type, platform::ids::OrgId};

id_type!(EndpointId, "An address that is told of events.");
id_type!(DeliveryId, "A message on its way to a webhook.");

/// Whose endpoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Org(OrgId),
    /// Of the installation; operators only.
    Installation,
}

impl Owner {
    pub fn org(self) -> Option<OrgId> {
        match self {
            Self::Org(org) => Some(org),
            Self::Installation => None,
        }
    }
}

/// Whether an endpoint is told of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    Enabled,
    /// Told, but the last attempts failed.
    Failing,
    Disabled,
}

impl EndpointState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Failing => "failing",
            Self::Disabled => "disabled",
        }
    }

    /// Of its badge.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Enabled => "ok",
            Self::Failing => "warn",
            Self::Disabled => "error",
        }
    }
}

/// Why an endpoint was disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    ByHand,
    /// Every attempt failed for days.
    Failing,
    /// It answered 410: it wants no more.
    Gone,
}

impl DisabledReason {
    pub const ALL: [Self; 3] = [Self::ByHand, Self::Failing, Self::Gone];

    /// As stored and as shown in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// An address that is told of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct Endpoint {
    pub id: EndpointId,
    /// Of the installation, and not of the organisation.
    pub installation: bool,
    /// Where messages are posted to.
    pub url: String,
    pub description: String,
    /// Topics of docs/events.md; empty for all of them.
    pub topics: Vec<String>,
    pub state: EndpointState,
    /// Null unless it is disabled.
    pub disabled_reason: Option<DisabledReason>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when every attempt has failed; null after a success.
    pub failing_since: Option<DateTime<Utc>>,
    /// When the next attempt is made; null where nothing failed.
    pub retry_at: Option<DateTime<Utc>>,
    /// Until when messages are signed with the secret before the last rotation, too.
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An endpoint with its secret, which is shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EndpointWithSecret {
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// `whsec_...`: what messages are signed with (Standard Webhooks 1.0.0).
    pub secret: String,
}

/// What an endpoint is to be.
#[derive(Clone, Debug, Default)]
pub struct EndpointChanges {
    pub url: Option<String>,
    pub description: Option<String>,
    pub topics: Option<Vec<String>>,
    pub enabled: Option<bool>,
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDeliveryState)]
pub enum DeliveryState {
    /// Waits for its turn or for the next attempt.
    Queued,
    Delivered,
    /// Given up.
    Dead,
}

impl DeliveryState {
    pub const ALL: [Self; 3] = [Self::Queued, Self::Delivered, Self::Dead];

    /// As stored and as shown in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// Of its badge.
    pub fn tone(self) -> &'static str {
        match self {
            Self::Queued => "neutral",
            Self::Delivered => "ok",
            Self::Dead => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A message on its way to a receiver, or there.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct Delivery {
    pub id: DeliveryId,
    /// The `webhook-id` of every attempt, and of every repetition.
    pub message_id: Uuid,
    /// The endpoint's id, or `alerting.<name>` for a receiver of the configuration.
    pub receiver: String,
    pub topic: String,
    /// What the event happened to.
    pub subject: String,
    pub state: DeliveryState,
    pub attempts: i32,
    /// What the receiver answered last, an HTTP status.
    pub status: Option<i32>,
    /// How long the last attempt took.
    pub milliseconds: Option<i32>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    /// End of the last attempt.
    pub attempted_at: Option<DateTime<Utc>>,
}

/// A delivery with what was sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryDetail)]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The message's body, as it is signed.
    pub body: String,
}

/// A receiver that the configuration names.
#[derive(Clone, Debug)]
pub struct Configured {
    pub url: String,
    pub secret: Option<SecretString>,
    /// Its messages are given up after this long, hours: who is on call is not told of yesterday.
    pub give_up_hours: u32,
}

/// What another room sends to receivers of the configuration.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: &'static str,
    /// What it is about: deliveries are found by it.
    pub subject: String,
    pub body: String,
}
