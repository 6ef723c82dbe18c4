//! The loops that build batches and push them.

use std::{sync::Arc, time::Duration};

use reqwest::{Response, StatusCode, header};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Config, TARGET,
    queue::{Queue, Sealed},
    wire::CONTENT_TYPE,
};
use crate::platform::{
    crypto,
    telemetry::{
        config::LokiAccess,
        log_metrics::{LogMetrics, LossReason, Pushed},
    },
};

/// Longest time that a line waits to be batched.
const SEAL_EVERY: Duration = Duration::from_secs(1);
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

pub(super) struct Shipper {
    url: String,
    access: LokiAccess,
    http: reqwest::Client,
    queue: Arc<Queue>,
    closing: CancellationToken,
    metrics: LogMetrics,
    /// Notified when a batch is ready or no more will come.
    sealed: Notify,
    /// No further batch will come.
    sealed_last: CancellationToken,
}

/// Loki's response to a push.
enum Verdict {
    Taken,
    /// A retry would not help.
    Refused(LossReason, String),
    /// Retry later; after this time at the earliest, if given.
    Later(Option<Duration>, String),
}

/// Result of the last push, to log changes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    Refusing,
    Away { lost_before: u64 },
}

impl Shipper {
    pub(super) fn new(
        config: &Config,
        http: reqwest::Client,
        queue: Arc<Queue>,
        closing: CancellationToken,
        metrics: LogMetrics,
    ) -> Self {
        Self {
            url: format!("{}/loki/api/v1/push", config.url.trim_end_matches('/')),
            access: config.access.clone(),
            http,
            queue,
            closing,
            metrics,
            sealed: Notify::new(),
            sealed_last: CancellationToken::new(),
        }
    }

    /// Runs until closed and everything is sent.
    pub(super) async fn run(self) {
        tokio::join!(self.seal_all(), self.push_all());
    }

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

    async fn push_all(&self) {
        let mut mood = Mood::Fine;
        loop {
            // Checked before taking, so that a batch that arrives in between is not missed.
            let is_last = self.sealed_last.is_cancelled();
            if let Some(batch) = self.queue.take() {
                self.deliver(&batch, &mut mood).await;
                self.queue.done(&batch);
            } else if is_last {
                return;
            } else {
                tokio::select! { () = self.sealed.notified() => {}, () = self.sealed_last.cancelled() => {} }
            }
        }
    }

    /// Retries until Loki accepts or rejects the batch.
    async fn deliver(&self, batch: &Sealed, mood: &mut Mood) {
        let mut backoff = BACKOFF;
        loop {
            let began = Instant::now();
            let verdict = self.push(batch).await;
            self.metrics.push_duration.observe(began.elapsed().as_secs_f64());
            self.log_change(&verdict, mood);
            let asked = match verdict {
                Verdict::Taken => return self.metrics.pushed(Pushed::Ok),
                Verdict::Refused(reason, _) => {
                    self.metrics.pushed(Pushed::Rejected);
                    return self.metrics.lost(reason, batch.lines);
                }
                Verdict::Later(asked, _) => asked,
            };
            self.metrics.pushed(Pushed::Retried);
            // Half of the backoff is jitter, so that processes do not all return at once after an outage of Loki. `Retry-After: 0` does not
            // mean to retry without a pause.
            let asked = asked.map(|asked| asked.max(BACKOFF));
            let wait = asked.unwrap_or_else(|| backoff.mul_f64(0.5 + crypto::random_unit() / 2.0));
            backoff = (backoff * 2).min(MOST_BACKOFF);
            if self.closing.is_cancelled() {
                sleep(LAST_WAIT).await;
            } else {
                tokio::select! { () = sleep(wait) => {}, () = self.closing.cancelled() => {} }
            }
        }
    }

    async fn push(&self, batch: &Sealed) -> Verdict {
        let request = self
            .access
            .apply(self.http.post(&self.url))
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .header(header::CONTENT_ENCODING, "gzip")
            .timeout(PUSH_TIMEOUT)
            .body(batch.body.clone());
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => Verdict::Later(None, crate::platform::error::chain(&error.without_url())),
        }
    }

    /// Logs the start and the end of a failure, not every push in between.
    fn log_change(&self, verdict: &Verdict, mood: &mut Mood) {
        let lost = || self.metrics.lost_because(LossReason::BufferFull);
        match (verdict, *mood) {
            (Verdict::Taken, Mood::Fine)
            | (Verdict::Refused(..), Mood::Refusing)
            | (Verdict::Later(..), Mood::Away { .. }) => {}
            (Verdict::Taken, before) => {
                *mood = Mood::Fine;
                tracing::info!(target: TARGET, "Loki takes log lines again");
                if let Mood::Away { lost_before } = before
                    && let missing @ 1.. = lost() - lost_before
                {
                    // Not under the target above: this line is shipped, to mark the gap in Loki.
                    tracing::warn!(target: "holdfast::log", lines = missing, "Loki was away for longer than the buffer lasts: lines are missing");
                }
            }
            (Verdict::Refused(reason, why), _) => {
                *mood = Mood::Refusing;
                tracing::error!(target: TARGET, reason = reason.as_str(), error = why, "Loki refuses log lines: they are dropped");
            }
            (Verdict::Later(_, why), _) => {
                *mood = Mood::Away { lost_before: lost() };
                tracing::warn!(target: TARGET, error = why, "Loki does not take log lines: they are kept and tried again");
            }
        }
    }
}

async fn judge(mut response: Response) -> Verdict {
    let status = response.status();
    // Loki's success response (204) has no body. An HTML page comes from a sign-in proxy in front of it.
    let page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if status.is_success() && !page {
        return Verdict::Taken;
    }
    let after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    // The first chunk is enough; an unknown server may send any amount.
    let text = response.chunk().await.ok().flatten().unwrap_or_default();
    let why = format!("{status}: {}", String::from_utf8_lossy(&text).trim().chars().take(300).collect::<String>());
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Verdict::Refused(LossReason::TooLarge, why),
        // Caused by the lines: too old, too many labels, not parsed. A retry would be rejected again.
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            Verdict::Refused(LossReason::Rejected, why)
        }
        // Caused by something in between: a proxy without its backend (404), a changed token (401, 403), a redirect, a rate limit. The
        // lines are fine and wait as long as the buffer lasts.
        _ => Verdict::Later(after, why),
    }
}
