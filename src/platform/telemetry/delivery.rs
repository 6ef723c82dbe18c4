//! Sends batches to a server of the operator's (Loki or a trace collector): one at a time, each until it is accepted or rejected.
//!
//! The receiver interprets responses ([`Receiver::judge`]); retries, counters and log messages are the same for all receivers.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{RequestBuilder, Response, StatusCode, header};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::push_metrics::{LossReason, PushMetrics, Pushed};
use crate::{crypto, error::chain, http_client};

/// A push without a response by then is retried.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// First backoff, and the lower bound of `Retry-After`; doubles up to [`MOST_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(500);
/// Longest backoff.
const MOST_BACKOFF: Duration = Duration::from_secs(30);
/// Longest `Retry-After` that is honoured.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// Pause between retries during shutdown.
const LAST_WAIT: Duration = Duration::from_millis(250);
/// Interval of the warning about dropped entries, if the server accepts batches more slowly than they are produced.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Where batches go.
pub(super) trait Receiver: Send + Sync {
    /// The request that sends a batch. Untraced: it would create a span per batch.
    fn request(&self, body: Bytes) -> RequestBuilder;
    /// Interprets a response; `body` is its first chunk.
    fn judge(&self, status: StatusCode, body: &Bytes) -> Judgement;
    /// Logs a change.
    fn tell(&self, news: News<'_>);
}

/// What a response means for the batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Accepted except for this many entries; the reason for those.
    Taken(u64, String),
    /// A retry would be rejected again.
    Refused(LossReason),
    /// Not caused by the batch, which waits as long as the buffer lasts.
    Later,
}

/// A change that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News<'a> {
    Takes,
    Refuses(LossReason, &'a str),
    Away(&'a str),
    /// Number of entries that were dropped for newer ones since the last such message.
    Missing(u64),
}

/// Result of the last push, to log changes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    Refusing,
    Away,
}

enum Verdict {
    Taken(u64, String),
    Refused(LossReason, String),
    /// Retry after this time at the earliest, if given.
    Later(Option<Duration>, String),
}

/// The way to one receiver.
pub(super) struct Delivery<R> {
    receiver: R,
    closing: CancellationToken,
    metrics: PushMetrics,
    mood: Mood,
    /// Dropped entries reported so far, and when.
    said: (u64, Option<Instant>),
}

impl<R: Receiver> Delivery<R> {
    pub(super) fn new(receiver: R, closing: CancellationToken, metrics: PushMetrics) -> Self {
        Self { receiver, closing, metrics, mood: Mood::Fine, said: (0, None) }
    }

    /// Retries until the batch of `entries` is accepted or rejected; returns how many were accepted. The others are counted as lost.
    pub(super) async fn deliver(&mut self, body: &Bytes, entries: u64) -> u64 {
        let mut backoff = BACKOFF;
        loop {
            let began = Instant::now();
            let verdict = self.push(body.clone()).await;
            self.metrics.push_duration.observe(began.elapsed().as_secs_f64());
            self.log_change(&verdict);
            let asked = match verdict {
                Verdict::Taken(refused, _) => {
                    let refused = refused.min(entries);
                    self.metrics.pushed(Pushed::Ok);
                    self.metrics.lost(LossReason::Rejected, refused);
                    return entries - refused;
                }
                Verdict::Refused(reason, _) => {
                    self.metrics.pushed(Pushed::Rejected);
                    self.metrics.lost(reason, entries);
                    return 0;
                }
                Verdict::Later(asked, _) => asked,
            };
            self.metrics.pushed(Pushed::Retried);
            // Half of the backoff is jitter, so that processes do not all return at once after an outage of the server.
            let wait = asked.unwrap_or_else(|| backoff.mul_f64(0.5 + crypto::random_unit() / 2.0));
            backoff = (backoff * 2).min(MOST_BACKOFF);
            if self.closing.is_cancelled() {
                sleep(LAST_WAIT).await;
            } else {
                tokio::select! { () = sleep(wait) => {}, () = self.closing.cancelled() => {} }
            }
        }
    }

    async fn push(&self, body: Bytes) -> Verdict {
        let sent = self.receiver.request(body).timeout(PUSH_TIMEOUT).send().await;
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return Verdict::Later(None, chain(&error.without_url())),
        };
        let (status, after, is_page) = (response.status(), retry_after(&response), is_page(&response));
        // The first chunk is enough; an unknown server may send any amount.
        let body = response.chunk().await.ok().flatten().unwrap_or_default();
        let text: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(300).collect();
        let why = format!("{status}: {}", text.trim());
        let judgement = if status.is_success() && is_page && !crate::mutant(36) {
            Judgement::Later
        } else {
            self.receiver.judge(status, &body)
        };
        match judgement {
            Judgement::Taken(refused, why) => Verdict::Taken(refused, why),
            Judgement::Refused(reason) => Verdict::Refused(reason, why),
            Judgement::Later => Verdict::Later(after, why),
        }
    }

    /// Logs the start and the end of a failure, not every push in between; and what was lost meanwhile.
    fn log_change(&mut self, verdict: &Verdict) {
        let (mood, news) = match verdict {
            Verdict::Taken(0, _) => (Mood::Fine, News::Takes),
            Verdict::Taken(_, why) => (Mood::Refusing, News::Refuses(LossReason::Rejected, why)),
            Verdict::Refused(reason, why) => (Mood::Refusing, News::Refuses(*reason, why)),
            Verdict::Later(_, why) => (Mood::Away, News::Away(why)),
        };
        let has_changed = mood != self.mood;
        self.mood = mood;
        if has_changed {
            self.receiver.tell(news);
        }
        let (lost, (said, at)) = (self.metrics.lost_because(LossReason::BufferFull), self.said);
        if mood != Mood::Away && lost > said && (has_changed || at.is_none_or(|at| at.elapsed() >= SAY_EVERY)) {
            self.receiver.tell(News::Missing(lost - said));
            self.said = (lost, Some(Instant::now()));
        }
    }
}

/// `Retry-After: 0` does not mean to retry without a pause.
fn retry_after(response: &Response) -> Option<Duration> {
    http_client::retry_after(response.headers()).map(|wait| wait.clamp(BACKOFF, MAX_RETRY_AFTER))
}

/// An HTML page comes from a sign-in proxy in front of the server: neither Loki nor a collector sends any.
pub(super) fn is_page(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Statuses that in both protocols are about the batch itself: too large, or not parsed. All others are caused by something in between: a
/// proxy without its backend (404), a changed token (401, 403), a redirect, a rate limit.
pub(super) fn refusal(status: StatusCode) -> Option<Judgement> {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Some(Judgement::Refused(LossReason::TooLarge)),
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            Some(Judgement::Refused(LossReason::Rejected))
        }
        _ => None,
    }
}
