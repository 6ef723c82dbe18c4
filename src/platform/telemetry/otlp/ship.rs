//! The loop that builds batches and sends them.

use std::{io::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use prost::Message as _;
use reqwest::{StatusCode, header};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Config,
    queue::Queue,
    wire::{CONTENT_TYPE, KeyValue, Request, Resource, ResourceSpans, Response, Scope, ScopeSpans, Value},
};
use crate::platform::{
    crypto,
    telemetry::{
        log_metrics::{LossReason, Pushed},
        trace_metrics::TraceMetrics,
    },
};

/// Longest time that a span waits to be batched.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// A push without a response by then is retried.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// First backoff; doubles up to [`MOST_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(500);
/// Longest backoff.
const MOST_BACKOFF: Duration = Duration::from_secs(30);
/// Longest `Retry-After` that is honoured.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// Pause between retries during shutdown.
const LAST_WAIT: Duration = Duration::from_millis(250);
/// Interval of the warning about dropped spans.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Version of the semantic conventions used for attribute names.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.42.0";

pub(super) struct Shipper {
    url: String,
    headers: header::HeaderMap,
    resource: Resource,
    http: reqwest::Client,
    queue: Arc<Queue>,
    closing: CancellationToken,
    metrics: TraceMetrics,
}

/// The collector's response to a batch.
enum Verdict {
    /// Accepted except for this many; the reason for those.
    Taken(u64, String),
    /// A retry would not help.
    Refused(LossReason, String),
    /// Retry later; after this time at the earliest, if given.
    Later(Option<Duration>, String),
}

/// Last logged state, to log changes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    Refusing,
    Away,
}

/// State of the loop.
struct State {
    mood: Mood,
    /// Dropped spans reported so far, and when.
    said: (u64, Option<Instant>),
}

impl Shipper {
    pub(super) fn new(
        config: &Config,
        http: reqwest::Client,
        queue: Arc<Queue>,
        closing: CancellationToken,
        metrics: TraceMetrics,
    ) -> Self {
        let (url, headers) = (config.address(), config.headers.clone());
        Self { url, headers, resource: resource(config), http, queue, closing, metrics }
    }

    /// Runs until closed and everything is sent.
    pub(super) async fn run(self) {
        let mut tick = interval(SEND_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut state = State { mood: Mood::Fine, said: (0, None) };
        loop {
            let is_last = tokio::select! {
                _ = tick.tick() => false,
                () = self.queue.full.notified() => false,
                () = self.closing.cancelled() => true,
            };
            loop {
                let spans = self.queue.take();
                if spans.is_empty() {
                    break;
                }
                let count = spans.len() as u64;
                self.deliver(spans, &mut state).await;
                self.queue.done(count);
            }
            if is_last {
                return;
            }
        }
    }

    /// Retries until the collector accepts or rejects the batch.
    async fn deliver(&self, spans: Vec<Bytes>, state: &mut State) {
        let count = spans.len() as u64;
        let body = self.encode(spans);
        let mut backoff = BACKOFF;
        loop {
            let began = Instant::now();
            let verdict = self.push(body.clone()).await;
            self.metrics.push_duration.observe(began.elapsed().as_secs_f64());
            self.log_change(&verdict, state);
            let asked = match verdict {
                Verdict::Taken(refused, _) => {
                    let refused = refused.min(count);
                    self.metrics.pushed(Pushed::Ok);
                    self.metrics.exported.inc_by(count - refused);
                    return self.metrics.lost(LossReason::Rejected, refused);
                }
                Verdict::Refused(reason, _) => {
                    self.metrics.pushed(Pushed::Rejected);
                    return self.metrics.lost(reason, count);
                }
                Verdict::Later(asked, _) => asked,
            };
            self.metrics.pushed(Pushed::Retried);
            // Half of the backoff is jitter, so that processes do not all return at once after an outage of the collector.
            let wait = asked.unwrap_or_else(|| backoff.mul_f64(0.5 + crypto::random_unit() / 2.0));
            backoff = (backoff * 2).min(MOST_BACKOFF);
            if self.closing.is_cancelled() {
                sleep(LAST_WAIT).await;
            } else {
                tokio::select! { () = sleep(wait) => {}, () = self.closing.cancelled() => {} }
            }
        }
    }

    fn encode(&self, spans: Vec<Bytes>) -> Bytes {
        let scope = Scope { name: "holdfast".into(), version: env!("CARGO_PKG_VERSION").into() };
        let request = Request {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans { scope: Some(scope), spans }],
                schema_url: SCHEMA.into(),
            }],
        };
        let mut body = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing to a vector does not fail.
        let _ = body.write_all(&request.encode_to_vec());
        body.finish().unwrap_or_default().into()
    }

    /// Untraced: it would create a span per batch.
    async fn push(&self, body: Bytes) -> Verdict {
        let request = self.http.post(&self.url).headers(self.headers.clone()).timeout(PUSH_TIMEOUT);
        let request =
            request.header(header::CONTENT_TYPE, CONTENT_TYPE).header(header::CONTENT_ENCODING, "gzip").body(body);
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => Verdict::Later(None, crate::platform::error::chain(&error.without_url())),
        }
    }

    /// Logs the start and the end of a failure, not every push in between; and every minute how many spans were dropped.
    fn log_change(&self, verdict: &Verdict, state: &mut State) {
        let mood = match verdict {
            Verdict::Taken(0, _) => Mood::Fine,
            Verdict::Taken(..) | Verdict::Refused(..) => Mood::Refusing,
            Verdict::Later(..) => Mood::Away,
        };
        if mood != state.mood {
            match verdict {
                Verdict::Taken(0, _) => tracing::info!("the collector takes spans again"),
                Verdict::Taken(_, why) | Verdict::Refused(_, why) => {
                    tracing::error!(error = why, "the collector refuses spans: they are dropped");
                }
                Verdict::Later(_, why) => {
                    tracing::warn!(error = why, "the collector does not take spans: they are kept and tried again");
                }
            }
            state.mood = mood;
        }
        let (lost, (said, at)) = (self.metrics.lost_because(LossReason::BufferFull), state.said);
        if lost > said && at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            tracing::warn!(
                spans = lost - said,
                "spans were dropped: more came than the collector took, and the buffer is full"
            );
            state.said = (lost, Some(Instant::now()));
        }
    }
}

/// Resource attributes of all spans of this process.
fn resource(config: &Config) -> Resource {
    let attributes = [
        ("service.name", "holdfast".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", config.instance.to_string()),
        ("deployment.environment.name", config.environment.clone()),
    ];
    Resource { attributes: attributes.into_iter().map(|(key, text)| KeyValue::new(key, Value::Text(text))).collect() }
}

/// Retryable statuses by the protocol: 429, 502, 503, 504.
async fn judge(mut response: reqwest::Response) -> Verdict {
    let status = response.status();
    let after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    // The first chunk is enough; an unknown server may send any amount.
    let said = response.chunk().await.ok().flatten().unwrap_or_default();
    if status.is_success() {
        let partial = Response::decode(said).ok().and_then(|response| response.partial_success).unwrap_or_default();
        return Verdict::Taken(u64::try_from(partial.rejected_spans).unwrap_or_default(), partial.error_message);
    }
    let text: String = String::from_utf8_lossy(&said).chars().filter(|c| !c.is_control()).take(300).collect();
    let why = format!("{status}: {}", text.trim());
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Verdict::Later(after, why),
        StatusCode::PAYLOAD_TOO_LARGE => Verdict::Refused(LossReason::TooLarge, why),
        _ => Verdict::Refused(LossReason::Rejected, why),
    }
}
