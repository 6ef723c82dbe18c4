//! The loops that make batches and push them.

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

/// A line waits no longer than this for others to go with it.
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// A push that is not answered by then is tried again.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// First wait after a failure; doubles up to [`MOST_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(500);
/// Loki is asked at least this often whether it is back.
const MOST_BACKOFF: Duration = Duration::from_secs(30);
/// Longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// At the end there is no time to be patient.
const LAST_WAIT: Duration = Duration::from_millis(250);

pub(super) struct Shipper {
    url: String,
    access: LokiAccess,
    http: reqwest::Client,
    queue: Arc<Queue>,
    closing: CancellationToken,
    metrics: LogMetrics,
    /// There is a batch, or there will be no more.
    sealed: Notify,
    /// No batch comes any more.
    sealed_last: CancellationToken,
}

/// What Loki said to a push.
enum Verdict {
    Taken,
    /// Trying again would not change it.
    Refused(LossReason, String),
    /// Not now; after this at the earliest, where it said so.
    Later(Option<Duration>, String),
}

/// What the last push told, so that a change of it is said once.
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

    /// Until it is closed and everything is sent.
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
                // Compressing takes a millisecond or two: others may want the thread in between.
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
            // Asked before it is looked for: a batch that comes in between is not missed.
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

    /// Until Loki has taken or refused the batch.
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
            // Half of it by chance: processes that lost the same Loki must not all come back at once.
            // `Retry-After: 0` is no wish to be asked without a pause.
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

    /// Says when the push began to fail and when it works again, not each time in between.
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
                    // Not under the target above: this one line goes to Loki, to say there where lines are missing.
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
    // Loki has nothing to say when it has taken lines (204). A page is somebody's who stands in front of it and wants a person to sign in.
    let page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if status.is_success() && !page {
        return Verdict::Taken;
    }
    let after = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    // The beginning says it: whatever this server is, it is not listened to for long.
    let text = response.chunk().await.ok().flatten().unwrap_or_default();
    let why = format!("{status}: {}", String::from_utf8_lossy(&text).trim().chars().take(300).collect::<String>());
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Verdict::Refused(LossReason::TooLarge, why),
        // Of the lines: too old, too many labels, not understood. Sent again they would be refused again.
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            Verdict::Refused(LossReason::Rejected, why)
        }
        // Of the way there: a proxy that does not know its backend yet (404), a token that was changed (401, 403), a redirect, a rate. It says
        // nothing of the lines, which wait for as long as the buffer lasts.
        _ => Verdict::Later(after, why),
    }
}
