//! A single delivery attempt.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use tokio::time::Instant;
use uuid::Uuid;

use super::signature::SigningKey;
use platform::http_client::{self, AddressError, HttpClients, TenantClient};

/// A slower receiver should queue the message and answer first.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("it answered {0}")]
    Answered(StatusCode),
    #[error("it answered {0}: redirects are not followed, so the webhook needs the final address")]
    Redirected(StatusCode),
    #[error("it answered 410 Gone: it wants no more messages")]
    Gone,
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("this receiver was removed from the configuration")]
    Unknown,
    #[error("its secret cannot be decrypted")]
    Secret(#[source] anyhow::Error),
}

/// Who configured the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// An organisation's address: only the public internet and networks that operators allow.
    Organisation,
    /// An operator's address: any network.
    Operator,
}

/// A request to send.
pub struct Attempt<'a> {
    pub by: By,
    pub url: &'a str,
    /// The first is the newest.
    pub keys: &'a [SigningKey],
    pub message_id: Uuid,
    /// Unix seconds.
    pub timestamp: i64,
    pub body: &'a str,
}

/// Result of an attempt.
pub struct Attempted {
    pub status: Option<StatusCode>,
    pub took: Duration,
    /// `Retry-After` of a response that refused the message.
    pub retry_after: Option<Duration>,
    pub result: Result<(), SendError>,
}

/// Sends with either client.
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

    /// Checks an address as far as possible without a resolver.
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

    /// Posts it once. The response body is not needed.
    pub async fn send(&self, attempt: &Attempt<'_>) -> Attempted {
        let begin = Instant::now();
        let ended = |status, retry_after, result| Attempted { status, took: begin.elapsed(), retry_after, result };
        let request = match self.request(attempt.by, attempt.url) {
            Ok(request) => request,
            Err(error) => return ended(None, None, Err(error.into())),
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
            // URLs can contain secrets: errors omit them.
            Err(error) => ended(None, None, Err(SendError::Unreachable(error.without_url()))),
            Ok(response) => {
                let status = response.status();
                let result = match status {
                    status if status.is_success() => Ok(()),
                    StatusCode::GONE => Err(SendError::Gone),
                    status if status.is_redirection() => Err(SendError::Redirected(status)),
                    status => Err(SendError::Answered(status)),
                };
                let retry_after = if result.is_err() { http_client::retry_after(response.headers()) } else { None };
                ended(Some(status), retry_after, result)
            }
        }
    }
}
