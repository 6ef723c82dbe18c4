//! Batches on their way to a server of the operator's, Loki or a collector of traces: one at a time, each until it is taken or refused.
//!
//! What an answer means is the receiver's ([`Receiver::judge`]); how often it is asked, what is counted and what is said is the same for all.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{RequestBuilder, Response, StatusCode, header};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::push_metrics::{LostTo, PushMetrics, Pushed};
use crate::platform::{crypto, error::chain};

/// A push that is not answered by then is tried again.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// First wait after a failure, and the least that a `Retry-After` is taken for; doubles up to [`MOST_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(500);
/// The server is asked at least this often whether it is back.
const MOST_BACKOFF: Duration = Duration::from_secs(30);
/// Longest `Retry-After` that is believed.
const MOST_PATIENCE: Duration = Duration::from_secs(120);
/// At the end there is no time to be patient.
const LAST_WAIT: Duration = Duration::from_millis(250);
/// Of a server that takes batches more slowly than they come: how often it is said what made room.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Where batches go.
pub(super) trait Receiver: Send + Sync {
    /// The request that brings a batch. In no trace: it would make a span of each.
    fn request(&self, body: Bytes) -> RequestBuilder;
    /// What an answer says; `body` is how it begins.
    fn judge(&self, status: StatusCode, body: &Bytes) -> Judgement;
    /// Says in the log what has changed.
    fn tell(&self, news: News<'_>);
}

/// What an answer says of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// All but so many entries were taken; why those were not.
    Taken(u64, String),
    /// Sent again it would be refused again.
    Refused(LostTo),
    /// It says nothing of the batch, which waits for as long as the buffer lasts.
    Later,
}

/// A change that is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News<'a> {
    Takes,
    Refuses(LostTo, &'a str),
    Away(&'a str),
    /// So many entries made room for newer ones since it was last said.
    Missing(u64),
}

/// What the last push told, so that a change of it is said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    Refusing,
    Away,
}

enum Verdict {
    Taken(u64, String),
    Refused(LostTo, String),
    /// After this at the earliest, where the server said so.
    Later(Option<Duration>, String),
}

/// The way to one receiver.
pub(super) struct Delivery<R> {
    receiver: R,
    closing: CancellationToken,
    metrics: PushMetrics,
    mood: Mood,
    /// What has made room so far, as far as it was said, and when it was.
    said: (u64, Option<Instant>),
}

impl<R: Receiver> Delivery<R> {
    pub(super) fn new(receiver: R, closing: CancellationToken, metrics: PushMetrics) -> Self {
        Self { receiver, closing, metrics, mood: Mood::Fine, said: (0, None) }
    }

    /// Until the batch of so many entries is taken or refused; returns how many were taken. The others are counted as lost.
    pub(super) async fn deliver(&mut self, body: &Bytes, entries: u64) -> u64 {
        let mut backoff = BACKOFF;
        loop {
            let began = Instant::now();
            let verdict = self.push(body.clone()).await;
            self.metrics.push_duration.observe(began.elapsed().as_secs_f64());
            self.say(&verdict);
            let asked = match verdict {
                Verdict::Taken(refused, _) => {
                    let refused = refused.min(entries);
                    self.metrics.pushed(Pushed::Ok);
                    self.metrics.lost(LostTo::Rejected, refused);
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
            // Half of it by chance: processes that lost the same server must not all come back at once.
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
        // The beginning says it: whatever this server is, it is not listened to for long.
        let body = response.chunk().await.ok().flatten().unwrap_or_default();
        let text: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(300).collect();
        let why = format!("{status}: {}", text.trim());
        let judgement =
            if status.is_success() && is_page { Judgement::Later } else { self.receiver.judge(status, &body) };
        match judgement {
            Judgement::Taken(refused, why) => Verdict::Taken(refused, why),
            Judgement::Refused(reason) => Verdict::Refused(reason, why),
            Judgement::Later => Verdict::Later(after, why),
        }
    }

    /// Says when the server began to fail and when it works again, not each time in between; and what was lost meanwhile.
    fn say(&mut self, verdict: &Verdict) {
        let (mood, news) = match verdict {
            Verdict::Taken(0, _) => (Mood::Fine, News::Takes),
            Verdict::Taken(_, why) => (Mood::Refusing, News::Refuses(LostTo::Rejected, why)),
            Verdict::Refused(reason, why) => (Mood::Refusing, News::Refuses(*reason, why)),
            Verdict::Later(_, why) => (Mood::Away, News::Away(why)),
        };
        let has_changed = mood != self.mood;
        self.mood = mood;
        if has_changed {
            self.receiver.tell(news);
        }
        let (lost, (said, at)) = (self.metrics.lost_to(LostTo::BufferFull), self.said);
        if mood != Mood::Away && lost > said && (has_changed || at.is_none_or(|at| at.elapsed() >= SAY_EVERY)) {
            self.receiver.tell(News::Missing(lost - said));
            self.said = (lost, Some(Instant::now()));
        }
    }
}

/// `Retry-After: 0` is no wish to be asked without a pause.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(BACKOFF, MOST_PATIENCE))
}

/// A page is somebody's who stands in front of the server and wants a person to sign in: neither Loki nor a collector writes any.
pub(super) fn is_page(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// What both protocols answer of the batch itself: too large, or not understood. All else is of the way there: a proxy that does not know its
/// backend yet (404), a token that was changed (401, 403), a redirect, a rate.
pub(super) fn refusal(status: StatusCode) -> Option<Judgement> {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Some(Judgement::Refused(LostTo::TooLarge)),
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            Some(Judgement::Refused(LostTo::Rejected))
        }
        _ => None,
    }
}
