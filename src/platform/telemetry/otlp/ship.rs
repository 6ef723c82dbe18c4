//! The loop that makes batches and sends them.

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

/// A span waits no longer than this for others to go with it.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// A push that is not answered by then is tried again.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// First wait after a failure; doubles up to [`MOST_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(500);
/// The collector is asked at least this often whether it is back.
const MOST_BACKOFF: Duration = Duration::from_secs(30);
/// Longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// At the end there is no time to be patient.
const LAST_WAIT: Duration = Duration::from_millis(250);
/// That spans are dropped is said no more often than this.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// The version of the conventions that attributes are named by.
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

/// What the collector said to a batch.
enum Verdict {
    /// All but so many were taken; why those were not.
    Taken(u64, String),
    /// Trying again would not change it.
    Refused(LossReason, String),
    /// Not now; after this at the earliest, where it said so.
    Later(Option<Duration>, String),
}

/// What was said last, so that a change of it is said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    Refusing,
    Away,
}

/// What the loop remembers.
struct State {
    mood: Mood,
    /// Spans that made room for newer ones, as far as that was said, and when it was.
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

    /// Until it is closed and everything is sent.
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

    /// Until the collector has taken or refused the batch.
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
            // Half of it by chance: processes that lost the same collector must not all come back at once.
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
        // A vector does not refuse to be written.
        let _ = body.write_all(&request.encode_to_vec());
        body.finish().unwrap_or_default().into()
    }

    /// In no trace: it would make a span of each batch.
    async fn push(&self, body: Bytes) -> Verdict {
        let request = self.http.post(&self.url).headers(self.headers.clone()).timeout(PUSH_TIMEOUT);
        let request =
            request.header(header::CONTENT_TYPE, CONTENT_TYPE).header(header::CONTENT_ENCODING, "gzip").body(body);
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => Verdict::Later(None, crate::platform::error::chain(&error.without_url())),
        }
    }

    /// Says when the collector began to fail and when it works again, not each time in between; and, each minute, what was dropped.
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

/// What all spans of this process have in common.
fn resource(config: &Config) -> Resource {
    let attributes = [
        ("service.name", "holdfast".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", config.instance.to_string()),
        ("deployment.environment.name", config.environment.clone()),
    ];
    Resource { attributes: attributes.into_iter().map(|(key, text)| KeyValue::new(key, Value::Text(text))).collect() }
}

/// As the protocol says which answers are worth another try: 429, 502, 503, 504.
async fn judge(mut response: reqwest::Response) -> Verdict {
    let status = response.status();
    let after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    // The beginning says it: whatever this server is, it is not listened to for long.
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
