//! Finished spans on their way to a collector: OTLP over HTTP, protobuf (docs/decisions/0015-traces-over-otlp.md).
//!
//! As with log lines, nobody waits for the network: [`Otlp::push`] puts a span into a buffer and returns. One task carries batches to
//! the collector. The process has one exporter or none; where there is none, no span is made.

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
    push_metrics::{LostTo, PushMetrics},
    trace_metrics::TraceMetrics,
};

/// Where spans go, and how much memory those may take that wait.
#[derive(Clone, Debug)]
pub struct Config {
    /// Of the collector: what follows is `/v1/traces`.
    pub url: String,
    pub headers: HeaderMap,
    /// `deployment.environment.name`
    pub environment: String,
    /// `service.instance.id`
    pub instance: Uuid,
    /// The part of the traces that begin here which is recorded, 0 to 1.
    pub sample_ratio: f64,
    /// Everything that waits, bytes.
    pub buffer_bytes: usize,
}

/// A smaller buffer would have no room for a batch.
pub const LEAST_BUFFER: usize = 2 * queue::BATCH_BYTES;

/// How long `doctor` waits for the collector.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// That of the process.
static RUNNING: OnceLock<Otlp> = OnceLock::new();

/// The end that takes spans. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Otlp {
    queue: Arc<Queue>,
    /// Traces whose last 56 bits are below this are not recorded.
    threshold: u64,
}

/// The end that sends them.
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

/// Whether a trace that begins here is recorded. Where nothing is exported every one is: those whom we call may do it.
pub(super) fn wants(trace_id: &str) -> bool {
    running().is_none_or(|otlp| otlp.wants(trace_id))
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
        (Self { queue, threshold: threshold(config.sample_ratio) }, shipping)
    }

    /// Makes it the process's: from here on spans are made.
    pub fn install(self) {
        let _ = RUNNING.set(self);
    }

    /// Takes a finished span; never waits. When the buffer is full the oldest make room, and are counted.
    pub fn push(&self, span: &wire::Span) {
        self.queue.push(span.encode_to_vec().into());
    }

    /// By the id alone, so that all that have a part in a trace say the same: its last 56 bits are random (W3C Trace Context,
    /// level 2; those of a job are the last of its `UUIDv7`).
    pub fn wants(&self, trace_id: &str) -> bool {
        let random = trace_id.get(trace_id.len().saturating_sub(14)..);
        random.and_then(|hex| u64::from_str_radix(hex, 16).ok()).is_some_and(|random| random >= self.threshold)
    }
}

/// The part of all numbers of 56 bits that is not recorded.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^56")]
fn threshold(ratio: f64) -> u64 {
    ((1.0 - ratio.clamp(0.0, 1.0)) * (1_u64 << 56) as f64) as u64
}

impl Shipping {
    /// Sends what is left, for at most `patience`; counts the rest as lost and returns how many spans that is.
    pub async fn close(mut self, patience: Duration) -> u64 {
        self.queue.close();
        self.closing.cancel();
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
            let _ = self.task.await;
        }
        let left = self.queue.left();
        self.metrics.lost(LostTo::Shutdown, left);
        left
    }
}

impl Config {
    fn address(&self) -> String {
        format!("{}/v1/traces", self.url.trim_end_matches('/'))
    }

    /// Sends a batch without spans, which every collector takes; why it was not taken.
    pub async fn ping(&self, http: &reqwest::Client) -> Result<(), String> {
        let request = http.post(self.address()).headers(self.headers.clone()).timeout(PING_TIMEOUT);
        // Nothing is the encoding of no spans; servers want to be told that nothing follows.
        let request = request.header(header::CONTENT_TYPE, wire::CONTENT_TYPE).header(header::CONTENT_LENGTH, 0);
        let response = request.send().await;
        let response = response.map_err(|e| crate::platform::error::chain(&e.without_url()))?;
        match response.status() {
            status if !status.is_success() => Err(format!("it answers {status}")),
            _ if delivery::is_page(&response) => {
                Err("it answers with a page for people: a proxy in front of it wants somebody to sign in".into())
            }
            _ => Ok(()),
        }
    }
}

/// Headers as `OTEL_EXPORTER_OTLP_HEADERS` has them: `name=value,name=value`, values percent-encoded where they must be.
pub fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in text.split([',', '\n']).map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("expected name=value, and a comma between two of them")?;
        // Neither is repeated: it may be the secret.
        let name = HeaderName::try_from(name.trim()).map_err(|_| "what stands before a = is no name of a header")?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().map_err(|e| e.to_string())?;
        let mut value = HeaderValue::try_from(&*value).map_err(|_| format!("the value of {name} cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
