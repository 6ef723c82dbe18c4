//! The loop that builds batches and sends them.

use std::{io::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use prost::Message as _;
use reqwest::{RequestBuilder, StatusCode, header};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    Config,
    queue::Queue,
    wire::{CONTENT_TYPE, KeyValue, Request, Resource, ResourceSpans, Response, Scope, ScopeSpans, Value},
};
use crate::telemetry::{
    delivery::{Delivery, Judgement, News, Receiver, refusal},
    push_metrics::LossReason,
    trace_metrics::TraceMetrics,
};

/// Longest time that a span waits to be batched.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// Version of the semantic conventions used for attribute names.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.42.0";

pub(super) struct Shipper {
    delivery: Delivery<Collector>,
    resource: Resource,
    queue: Arc<Queue>,
    closing: CancellationToken,
    metrics: TraceMetrics,
}

/// The collector, as [`Delivery`] knows it.
struct Collector {
    url: String,
    headers: header::HeaderMap,
    http: reqwest::Client,
}

impl Shipper {
    pub(super) fn new(
        config: &Config,
        http: reqwest::Client,
        queue: Arc<Queue>,
        closing: CancellationToken,
        metrics: TraceMetrics,
    ) -> Self {
        let collector = Collector { url: config.address(), headers: config.headers.clone(), http };
        let delivery = Delivery::new(collector, closing.clone(), metrics.push.clone());
        Self { delivery, resource: resource(config), queue, closing, metrics }
    }

    /// Runs until closed and everything is sent.
    pub(super) async fn run(mut self) {
        let mut tick = interval(SEND_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                let body = self.encode(spans);
                self.metrics.exported.inc_by(self.delivery.deliver(&body, count).await);
                self.queue.done(count);
            }
            if is_last {
                return;
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
}

impl Receiver for Collector {
    fn request(&self, body: Bytes) -> RequestBuilder {
        let request =
            self.http.post(&self.url).headers(self.headers.clone()).header(header::CONTENT_TYPE, CONTENT_TYPE);
        request.header(header::CONTENT_ENCODING, "gzip").body(body)
    }

    fn judge(&self, status: StatusCode, body: &Bytes) -> Judgement {
        if status.is_success() {
            let partial = Response::decode(body.clone()).ok().and_then(|response| response.partial_success);
            let partial = partial.unwrap_or_default();
            return Judgement::Taken(u64::try_from(partial.rejected_spans).unwrap_or_default(), partial.error_message);
        }
        match status {
            // Retryable server errors by the protocol.
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Judgement::Later,
            _ if status.is_server_error() => Judgement::Refused(LossReason::Rejected),
            _ => refusal(status).unwrap_or(Judgement::Later),
        }
    }

    fn tell(&self, news: News<'_>) {
        match news {
            News::Takes => tracing::info!("the collector takes spans again"),
            News::Refuses(_, why) => tracing::error!(error = why, "the collector refuses spans: they are dropped"),
            News::Away(why) => {
                tracing::warn!(error = why, "the collector does not take spans: they are kept and tried again");
            }
            News::Missing(spans) => {
                tracing::warn!(spans, "spans were dropped: more came than the collector took, and the buffer is full");
            }
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
