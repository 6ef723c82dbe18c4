//! Export of finished spans to a collector: OTLP over HTTP, protobuf (docs/decisions/0015-traces-over-otlp.md).
//!
//! Tracing never waits for the network: [`Otlp::push`] buffers the span and returns; one task sends batches. The process has at most one
//! exporter; without one, no spans are created.

mod queue;
mod ship;
pub mod wire;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use prost::Message as _;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{queue::Queue, ship::Shipper};
use super::{
    delivery,
    push_metrics::{LossReason, PushMetrics},
    trace_metrics::TraceMetrics,
};

/// Destination of the spans, and the memory for buffering them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Base URL of the collector; `/v1/traces` is appended.
    pub url: String,
    pub headers: HeaderMap,
    /// `deployment.environment.name`
    pub environment: String,
    /// `service.instance.id`
    pub instance: Uuid,
    /// Share of locally started traces that is recorded, 0 to 1.
    pub sample_ratio: f64,
    /// Everything buffered, bytes.
    pub buffer_bytes: usize,
}

/// A smaller buffer could not hold a batch.
pub const LEAST_BUFFER: usize = 2 * queue::BATCH_BYTES;

/// Timeout of the check by `doctor`.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Exporter of the process.
static RUNNING: OnceLock<Otlp> = OnceLock::new();

/// Producer end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Otlp {
    queue: Arc<Queue>,
}

/// Sending end.
#[derive(Debug)]
pub struct Shipping {
    queue: Arc<Queue>,
    task: tokio::task::JoinHandle<()>,
    closing: CancellationToken,
    metrics: PushMetrics,
}

/// The exporter of this process.
pub(super) fn running() -> Option<&'static Otlp> {
    RUNNING.get()
}

impl Otlp {
    /// Starts the task. `http` is the client for operators' addresses.
    #[expect(clippy::disallowed_methods, reason = "it outlives the tracker: it carries the last spans of the shutdown")]
    pub fn start(config: &Config, http: reqwest::Client, metrics: TraceMetrics) -> (Self, Shipping) {
        let queue = Arc::new(Queue::new(config.buffer_bytes, metrics.push.clone()));
        let closing = CancellationToken::new();
        metrics.enabled.set(1);
        let shipper = Shipper::new(config, http, queue.clone(), closing.clone(), metrics.clone());
        let task = tokio::spawn(shipper.run());
        let shipping = Shipping { queue: queue.clone(), task, closing, metrics: metrics.push };
        (Self { queue }, shipping)
    }

    /// Makes it the exporter of the process: from now on spans are created.
    pub fn install(self) {
        let _ = RUNNING.set(self);
    }

    /// Buffers a finished span; never waits. When the buffer is full, the oldest spans are dropped and counted.
    pub fn push(&self, span: &wire::Span) {
        self.queue.push(span.encode_to_vec().into());
    }
}

impl Shipping {
    /// Sends what is left, for at most `timeout`; returns how many spans were lost, and counts them.
    pub async fn close(mut self, timeout: Duration) -> u64 {
        self.queue.close();
        self.closing.cancel();
        if tokio::time::timeout(timeout, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
        }
        let left = self.queue.left();
        self.metrics.lost(LossReason::Shutdown, left);
        left
    }
}

impl Config {
    fn address(&self) -> String {
        format!("{}/v1/traces", self.url.trim_end_matches('/'))
    }

    /// Sends an empty batch, which every collector accepts; returns the reason on failure.
    pub async fn ping(&self, http: &reqwest::Client) -> Result<(), String> {
        let request = http.post(self.address()).headers(self.headers.clone()).timeout(PING_TIMEOUT);
        // No spans encode to zero bytes; servers want an explicit `Content-Length`.
        let request = request.header(header::CONTENT_TYPE, wire::CONTENT_TYPE).header(header::CONTENT_LENGTH, 0);
        let response = request.send().await;
        let response = response.map_err(|e| crate::error::chain(&e.without_url()))?;
        match response.status() {
            status if !status.is_success() => Err(format!("it answers {status}")),
            _ if delivery::is_page(&response) => {
                Err("it answers with an HTML page: a proxy in front of it wants somebody to sign in".into())
            }
            _ => Ok(()),
        }
    }
}

/// Parses headers in the form of `OTEL_EXPORTER_OTLP_HEADERS`: `name=value,name=value`, values percent-encoded where necessary.
pub fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in text.split([',', '\n']).map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("expected name=value pairs separated by commas")?;
        // The errors quote neither: it may be the secret.
        let name = HeaderName::try_from(name.trim()).map_err(|_| "the text before a = is not a header name")?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().map_err(|e| e.to_string())?;
        let mut value = HeaderValue::try_from(&*value).map_err(|_| format!("the value of {name} cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
