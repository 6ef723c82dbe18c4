//! The loops that build batches and push them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{RequestBuilder, StatusCode, header};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{Config, TARGET, queue::Queue, wire::CONTENT_TYPE};
use crate::telemetry::{
    config::LokiAccess,
    delivery::{Delivery, Judgement, News, Receiver, refusal},
    push_metrics::PushMetrics,
};

/// Longest time that a line waits to be batched.
const SEAL_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Shipper {
    delivery: Delivery<Loki>,
    sealer: Sealer,
}

struct Sealer {
    queue: Arc<Queue>,
    closing: CancellationToken,
    /// Notified when a batch is ready or no more will come.
    sealed: Notify,
    /// No further batch will come.
    sealed_last: CancellationToken,
}

/// Loki, as [`Delivery`] knows it.
struct Loki {
    url: String,
    access: LokiAccess,
    http: reqwest::Client,
}

impl Shipper {
    pub(super) fn new(
        config: &Config,
        http: reqwest::Client,
        queue: Arc<Queue>,
        closing: CancellationToken,
        metrics: PushMetrics,
    ) -> Self {
        let url = format!("{}/loki/api/v1/push", config.url.trim_end_matches('/'));
        let loki = Loki { url, access: config.access.clone(), http };
        Self {
            delivery: Delivery::new(loki, closing.clone(), metrics),
            sealer: Sealer { queue, closing, sealed: Notify::new(), sealed_last: CancellationToken::new() },
        }
    }

    /// Runs until closed and everything is sent.
    pub(super) async fn run(mut self) {
        tokio::join!(self.sealer.seal_all(), push_all(&mut self.delivery, &self.sealer));
    }
}

async fn push_all(delivery: &mut Delivery<Loki>, from: &Sealer) {
    loop {
        // Checked before taking, so that a batch that arrives in between is not missed.
        let is_last = from.sealed_last.is_cancelled();
        if let Some(batch) = from.queue.take() {
            delivery.deliver(&batch.body, batch.lines).await;
            from.queue.done(&batch);
        } else if is_last {
            return;
        } else {
            tokio::select! { () = from.sealed.notified() => {}, () = from.sealed_last.cancelled() => {} }
        }
    }
}

impl Sealer {
    async fn seal_all(&self) {
        let mut tick = interval(SEAL_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                _ = tick.tick() => false,
                () = self.queue.full.notified() => false,
                () = self.closing.cancelled() => true,
            };
            while self.queue.seal() {
                self.sealed.notify_one();
                // Compression takes a millisecond or two: lets other tasks run in between.
                tokio::task::yield_now().await;
            }
            if is_last {
                self.sealed_last.cancel();
                return;
            }
        }
    }
}

impl Receiver for Loki {
    fn request(&self, body: Bytes) -> RequestBuilder {
        let request = self.access.apply(self.http.post(&self.url)).header(header::CONTENT_TYPE, CONTENT_TYPE);
        request.header(header::CONTENT_ENCODING, "gzip").body(body)
    }

    fn judge(&self, status: StatusCode, _: &Bytes) -> Judgement {
        if status.is_success() {
            return Judgement::Taken(0, String::new());
        }
        refusal(status).unwrap_or(Judgement::Later)
    }

    fn tell(&self, news: News<'_>) {
        match news {
            News::Takes => tracing::info!(target: TARGET, "Loki takes log lines again"),
            News::Refuses(reason, why) => {
                tracing::error!(target: TARGET, reason = reason.as_str(), error = why, "Loki refuses log lines: they are dropped");
            }
            News::Away(why) => {
                tracing::warn!(target: TARGET, error = why, "Loki does not take log lines: they are kept and tried again");
            }
            // Not under the target above: this line is shipped, to mark the gap in Loki.
            News::Missing(lines) => {
                tracing::warn!(target: "holdfast::log", lines, "Loki was away for longer than the buffer lasts: lines are missing");
            }
        }
    }
}
