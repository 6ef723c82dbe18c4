//! A single delivery attempt.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use tokio::time::Instant;
use uuid::Uuid;

use super::receivers::{Answer, Form, Judge, Verdict};
use platform::http_client::{self, AddressError, HttpClients, TenantClient};

/// A slower receiver should queue the message and answer first.
const TIMEOUT: Duration = Duration::from_secs(10);
/// As much of an answer is read as is judged.
const HEAD_BYTES: usize = 4096;

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// Not now.
    #[error("{0}")]
    Answered(String),
    #[error("it answered {0}: redirects are not followed, so the webhook needs the final address")]
    Redirected(StatusCode),
    /// Never this message.
    #[error("{0}")]
    Refused(String),
    /// Never anything.
    #[error("{0}")]
    Gone(String),
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
    pub form: &'a Form,
    pub judge: Judge,
    /// Whether the judge needs the body of the answer.
    pub reads: bool,
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

    /// Posts it once.
    pub async fn send(&self, attempt: &Attempt<'_>) -> Attempted {
        let begin = Instant::now();
        let ended = |status, retry_after, result| Attempted { status, took: begin.elapsed(), retry_after, result };
        let request = match self.request(attempt.by, attempt.url) {
            Ok(request) => request,
            Err(error) => return ended(None, None, Err(error.into())),
        };
        let request = request.timeout(TIMEOUT).header("content-type", "application/json");
        match with_headers(request, attempt).body(attempt.body.to_owned()).send().await {
            // URLs can contain secrets: errors omit them.
            Err(error) => ended(None, None, Err(SendError::Unreachable(error.without_url()))),
            Ok(mut response) => {
                let (status, retry_after) = (response.status(), http_client::retry_after(response.headers()));
                let head = if attempt.reads { head(&mut response).await } else { Vec::new() };
                match (attempt.judge)(&Answer { status, head: &head, retry_after }) {
                    Verdict::Delivered => ended(Some(status), None, Ok(())),
                    Verdict::Retry(wait, _) if status.is_redirection() => {
                        ended(Some(status), wait, Err(SendError::Redirected(status)))
                    }
                    Verdict::Retry(wait, why) => ended(Some(status), wait, Err(SendError::Answered(why))),
                    Verdict::Refused(why) => ended(Some(status), None, Err(SendError::Refused(why))),
                    Verdict::Gone(why) => ended(Some(status), None, Err(SendError::Gone(why))),
                }
            }
        }
    }
}

fn with_headers(request: RequestBuilder, attempt: &Attempt<'_>) -> RequestBuilder {
    match attempt.form {
        Form::Signed(keys) => {
            let (id, timestamp) = (attempt.message_id.to_string(), attempt.timestamp);
            let signatures: Vec<String> = keys.iter().map(|key| key.sign(&id, timestamp, attempt.body)).collect();
            request
                .header("webhook-id", &id)
                .header("webhook-timestamp", timestamp)
                .header("webhook-signature", signatures.join(" "))
        }
        Form::Plain(headers) => headers.iter().fold(request, |request, (name, value)| request.header(name, value)),
    }
}

/// The begin of the body; what has come, if it breaks off.
async fn head(response: &mut Response) -> Vec<u8> {
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        head.extend_from_slice(&chunk);
    }
    head.truncate(HEAD_BYTES);
    head
}
