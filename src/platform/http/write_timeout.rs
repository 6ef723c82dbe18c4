//! A reader that stops reading: what its answer holds (memory, a place to write, a model's connection, an open object) is given back.
//!
//! Whoever takes a stream's bytes decides when the stream is polled. A client that leaves its window at zero, and answers
//! pings, would hold it for ever: timers inside the stream run only when it is polled. So answers that are not small are
//! pumped by a task of their own, which waits for the reader only so long. They are handed on in small parts: what a connection has
//! taken it keeps until its reader has it.

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

use crate::platform::lifecycle::Lifecycle;

/// An answer that is whole in memory and no longer than this is passed on as it is, bytes.
const SMALL: u64 = 16 << 10;
/// The most that is handed on at a time, bytes.
const PART: usize = 16 << 10;
/// What lies ready for the reader: enough that a quick one never waits, bytes.
const READY: usize = 4 * PART;

/// The layer's state.
#[derive(Clone, Debug)]
pub(super) struct WriteTimeout {
    pub lifecycle: Lifecycle,
    /// A reader may take nothing for this long.
    pub idle: Duration,
}

type Part = Result<Frame<Bytes>, axum::Error>;

/// The layer.
pub(super) async fn enforce(State(limit): State<WriteTimeout>, request: Request, next: Next) -> Response {
    let (parts, body) = next.run(request).await.into_parts();
    let length = body.size_hint().exact();
    if body.is_end_stream() || length.is_some_and(|length| length <= SMALL) {
        return Response::from_parts(parts, body);
    }
    let (channel, gone) = (Arc::new(Channel::default()), CancellationToken::new());
    let task = write(body, channel.clone(), gone.clone(), limit.idle);
    limit.lifecycle.spawn("http.body", task.instrument(tracing::Span::current()));
    Response::from_parts(parts, Body::new(ChannelBody { channel, left: length, _gone: gone.drop_guard() }))
}

/// Until the body ends, or its reader goes away or stops reading.
async fn write(body: Body, channel: Arc<Channel>, gone: CancellationToken, idle: Duration) {
    let filled = tokio::select! {
        filled = fill(body, &channel, idle) => filled,
        () = gone.cancelled() => return,
    };
    if filled.is_err() {
        channel.cut();
        tracing::info!(idle_seconds = idle.as_secs(), "the client stopped reading: its answer is cut off");
    }
}

async fn fill(mut body: Body, channel: &Channel, idle: Duration) -> Result<(), Stalled> {
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(mut data)) if data.len() > PART => {
                while !data.is_empty() {
                    let part = data.split_to(PART.min(data.len()));
                    // A part of the same memory would hold all of it.
                    channel.push(Ok(Frame::data(Bytes::copy_from_slice(&part))));
                    channel.wait(idle, |queue| queue.bytes < READY).await?;
                }
            }
            Ok(Ok(data)) => channel.push(Ok(Frame::data(data))),
            Ok(Err(other)) => channel.push(Ok(other)),
            Err(error) => channel.push(Err(error)),
        }
        channel.wait(idle, |queue| queue.bytes < READY).await?;
    }
    channel.queue().end = End::Whole;
    channel.wake();
    channel.wait(idle, |queue| queue.parts.is_empty()).await
}

/// Between the task that writes and the reader.
#[derive(Default)]
struct Channel {
    queue: Mutex<Queue>,
    /// The reader has taken something.
    taken: Notify,
}

#[derive(Default)]
struct Queue {
    parts: VecDeque<Part>,
    /// In `parts`.
    bytes: usize,
    end: End,
    reader: Option<Waker>,
}

/// What follows the parts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    More,
    Whole,
    /// An error: the answer is not whole.
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

    /// Nobody may poll the reader's side for long: what waits there is freed here.
    fn cut(&self) {
        let mut queue = self.queue();
        queue.parts = VecDeque::new();
        queue.bytes = 0;
        queue.end = End::Cut;
        drop(queue);
        self.wake();
    }

    /// Until it is so; no longer than `idle` without the reader taking something.
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
    /// Bytes to come, where that is known.
    left: Option<u64>,
    /// Tells the task that writes when this is dropped.
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
