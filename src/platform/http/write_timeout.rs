//! Write timeout: when a client stops reading, the resources of its response (memory, a permit, a model's connection, an open object) are
//! released.
//!
//! A stream is polled only as fast as the client reads. A client that keeps its HTTP/2 window at zero and answers pings would hold it for
//! ever, because timers inside the stream only run when it is polled. So a task of its own reads every response that is not small, and
//! waits only so long for the client. Data is handed on in small parts, because a connection keeps what it has taken until its client reads
//! it.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;

use crate::lifecycle::Lifecycle;

/// Complete responses up to this size are passed through, bytes.
const SMALL: u64 = 16 << 10;
/// Parts handed on at a time, bytes.
const PART: usize = 16 << 10;
/// As [`PART`], of a [`Bulk`] answer.
const BULK_PART: usize = 64 << 10;
/// Parts kept ready, enough that a fast reader never waits.
const READY: usize = 4;

/// Response extension: the body is a file, and comes in large pieces that nothing else keeps: it is handed on in larger parts, without copying them.
#[derive(Clone, Copy, Debug)]
pub struct Bulk;

/// Middleware state.
#[derive(Clone, Debug)]
pub(super) struct WriteTimeout {
    pub lifecycle: Lifecycle,
    /// Longest time in which the client may take nothing.
    pub idle: Duration,
}

type Part = Result<Frame<Bytes>, axum::Error>;

/// Middleware.
pub(super) async fn enforce(State(limit): State<WriteTimeout>, request: Request, next: Next) -> Response {
    let (parts, body) = next.run(request).await.into_parts();
    let is_bulk = parts.extensions.get::<Bulk>().is_some();
    let length = body.size_hint().exact();
    if body.is_end_stream() || length.is_some_and(|length| length <= SMALL) {
        return Response::from_parts(parts, body);
    }
    let (channel, gone) = (Arc::new(Channel::default()), CancellationToken::new());
    let task = write(body, channel.clone(), gone.clone(), limit.idle, is_bulk);
    limit.lifecycle.spawn("http.body", task.instrument(tracing::Span::current()));
    Response::from_parts(parts, Body::new(ChannelBody { channel, left: length, _gone: gone.drop_guard() }))
}

/// Runs until the body ends, or the client leaves or stops reading.
async fn write(body: Body, channel: Arc<Channel>, gone: CancellationToken, idle: Duration, is_bulk: bool) {
    let filled = tokio::select! {
        filled = fill(body, &channel, idle, is_bulk) => filled,
        () = gone.cancelled() => return,
    };
    if filled.is_err() {
        channel.cut();
        tracing::info!(idle_seconds = idle.as_secs(), "the client stopped reading: its answer is cut off");
    }
}

async fn fill(mut body: Body, channel: &Channel, idle: Duration, is_bulk: bool) -> Result<(), Stalled> {
    let most = if is_bulk { BULK_PART } else { PART };
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(mut data)) if data.len() > most => {
                while !data.is_empty() {
                    let part = data.split_to(most.min(data.len()));
                    // A slice of the same memory would keep all of it alive.
                    let part = if is_bulk { part } else { Bytes::copy_from_slice(&part) };
                    channel.push(Ok(Frame::data(part)));
                    channel.wait(idle, |queue| queue.bytes < READY * most).await?;
                }
            }
            Ok(Ok(data)) => channel.push(Ok(Frame::data(data))),
            Ok(Err(other)) => channel.push(Ok(other)),
            Err(error) => channel.push(Err(error)),
        }
        channel.wait(idle, |queue| queue.bytes < READY * most).await?;
    }
    channel.queue().end = End::Whole;
    channel.wake();
    channel.wait(idle, |queue| queue.parts.is_empty()).await
}

/// Bounded channel between the writing task and the response body.
#[derive(Default)]
struct Channel {
    queue: Mutex<Queue>,
    /// Notified when the reader takes a part.
    taken: Notify,
}

#[derive(Default)]
struct Queue {
    parts: VecDeque<Part>,
    /// Bytes in `parts`.
    bytes: usize,
    end: End,
    reader: Option<Waker>,
}

/// State after the parts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    More,
    Whole,
    /// Ended early: the response is incomplete.
    Cut,
}

impl Channel {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, part: Part) {
        let mut queue = self.queue();
        queue.bytes += length(&part);
        queue.parts.push_back(part);
        drop(queue);
        self.wake();
    }

    fn wake(&self) {
        let reader = self.queue().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The reader may not be polled for a long time, so the queued parts are freed here.
    fn cut(&self) {
        let mut queue = self.queue();
        queue.parts = VecDeque::new();
        queue.bytes = 0;
        queue.end = End::Cut;
        drop(queue);
        self.wake();
    }

    /// Waits for the condition `so`; fails when the reader takes nothing for `idle`.
    async fn wait(&self, idle: Duration, so: impl Fn(&Queue) -> bool) -> Result<(), Stalled> {
        loop {
            if so(&self.queue()) {
                return Ok(());
            }
            timeout(idle, self.taken.notified()).await.map_err(|_| Stalled)?;
        }
    }
}

fn length(part: &Part) -> usize {
    part.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len)
}

struct ChannelBody {
    channel: Arc<Channel>,
    /// Remaining bytes, if known.
    left: Option<u64>,
    /// Tells the writing task when this is dropped.
    _gone: DropGuard,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the client stopped reading")]
struct Stalled;

impl HttpBody for ChannelBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Part>> {
        let mut queue = self.channel.queue();
        let Some(part) = queue.parts.pop_front() else {
            return match queue.end {
                End::More => {
                    queue.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
                End::Whole => Poll::Ready(None),
                End::Cut => {
                    queue.end = End::Whole;
                    Poll::Ready(Some(Err(axum::Error::new(Stalled))))
                }
            };
        };
        let length = length(&part);
        queue.bytes -= length;
        drop(queue);
        self.channel.taken.notify_one();
        self.left = self.left.map(|left| left.saturating_sub(length as u64));
        Poll::Ready(Some(part))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}
