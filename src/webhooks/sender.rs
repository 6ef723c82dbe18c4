//! One attempt: signed, to the address.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use tokio::time::Instant;
use uuid::Uuid;

use super::signature::SigningKey;
use crate::platform::http_client::{AddressError, HttpClients, TenantClient};

/// A receiver that takes longer has a queue to make.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("it answered {0}")]
    Answered(StatusCode),
    #[error("it answered 410 Gone: it wants no more")]
    Gone,
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("the configuration does not name this receiver any more")]
    Unknown,
    #[error("its secret cannot be read")]
    Secret(#[source] anyhow::Error),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// An organisation's address: only the public internet, and what operators allow.
    Organisation,
    /// An operator's address: anywhere.
    Operator,
}

/// What is sent.
pub struct Attempt<'a> {
    pub by: By,
    pub url: &'a str,
    /// The first signs for the newest secret.
    pub keys: &'a [SigningKey],
    pub message_id: Uuid,
    /// Unix seconds.
    pub timestamp: i64,
    pub body: &'a str,
}

/// How it ended.
pub struct Attempted {
    pub status: Option<StatusCode>,
    pub took: Duration,
    pub result: Result<(), SendError>,
}

/// Both clients.
#[derive(Clone, Debug)]
pub struct Sender {
    http: HttpClients,
    tenant: TenantClient,
}

impl Sender {
    pub fn new(http: HttpClients, tenant: TenantClient) -> Self {
        Self { http, tenant }
    }

    fn request(&self, by: By, url: &str) -> Result<RequestBuilder, AddressError> {
        match by {
            By::Organisation => self.tenant.request(Method::POST, url),
            By::Operator => Ok(self.http.operator().post(url)),
        }
    }

    /// Whether an address can be asked, as far as it can be told without asking a resolver.
    pub fn judge(&self, by: By, url: &str) -> Result<(), AddressError> {
        match by {
            By::Organisation => self.tenant.judge(url),
            By::Operator => {
                let parsed = url.parse::<reqwest::Url>().map_err(|_| AddressError::Invalid)?;
                let fits = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
                if fits { Ok(()) } else { Err(AddressError::Invalid) }
            }
        }
    }

    /// Posts it once. The answer's body says nothing that is needed.
    pub async fn send(&self, attempt: &Attempt<'_>) -> Attempted {
        let begin = Instant::now();
        let ended = |status, result| Attempted { status, took: begin.elapsed(), result };
        let request = match self.request(attempt.by, attempt.url) {
            Ok(request) => request,
            Err(inside) => return ended(None, Err(inside.into())),
        };
        let (id, timestamp) = (attempt.message_id.to_string(), attempt.timestamp);
        let signatures: Vec<String> = attempt.keys.iter().map(|key| key.sign(&id, timestamp, attempt.body)).collect();
        let request = request
            .timeout(TIMEOUT)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(attempt.body.to_owned());
        match request.send().await {
            // Addresses can hold secrets: errors go without them.
            Err(error) => ended(None, Err(SendError::Unreachable(error.without_url()))),
            Ok(response) => {
                let status = response.status();
                let result = match status {
                    status if status.is_success() => Ok(()),
                    StatusCode::GONE => Err(SendError::Gone),
                    status => Err(SendError::Answered(status)),
                };
                ended(Some(status), result)
            }
        }
    }
}
