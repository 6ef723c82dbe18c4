//! A reader that stops reading: what its answer holds (a place to write, a model's connection, an open object) is given back.
//!
//! Whoever takes a stream's bytes decides when the stream is polled. A client that leaves its window at zero, and answers
//! pings, would hold it for ever: timers inside the stream run only when it is polled. So answers of unknown length are
//! pumped by a task of their own, which waits for the reader only so long.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http_body_util::BodyExt as _;
use tokio::{sync::mpsc, time::timeout};
use tracing::Instrument as _;

use crate::platform::lifecycle::Lifecycle;

/// Frames between the answer and its reader: enough that a quick reader never waits.
const FRAMES: usize = 16;

/// The layer's state.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    pub lifecycle: Lifecycle,
    /// A reader may take nothing for this long.
    pub idle: Duration,
}

type Frame = Result<http_body::Frame<Bytes>, axum::Error>;

/// The layer.
pub(super) async fn pump(State(patience): State<Patience>, request: Request, next: Next) -> Response {
    let (parts, body) = next.run(request).await.into_parts();
    // What is whole in memory holds nothing else.
    if body.is_end_stream() || body.size_hint().exact().is_some() {
        return Response::from_parts(parts, body);
    }
    let (frames, received) = mpsc::channel(FRAMES);
    let cut = Arc::new(AtomicBool::new(false));
    let task = write(body, frames, patience.idle, cut.clone());
    patience.lifecycle.spawn("http.body", task.instrument(tracing::Span::current()));
    Response::from_parts(parts, Body::new(Pumped { frames: received, cut }))
}

/// Until the body ends, or its reader goes away or stops reading.
async fn write(mut body: Body, frames: mpsc::Sender<Frame>, idle: Duration, cut: Arc<AtomicBool>) {
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = frames.closed() => return,
        };
        let Some(frame) = frame else { return };
        match timeout(idle, frames.send(frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                cut.store(true, Ordering::Relaxed);
                tracing::info!(idle_seconds = idle.as_secs(), "the client stopped reading: its answer is cut off");
                return;
            }
        }
    }
}

struct Pumped {
    frames: mpsc::Receiver<Frame>,
    /// The frames end early.
    cut: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the client stopped reading")]
struct Stalled;

impl HttpBody for Pumped {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.frames.poll_recv(cx).map(|frame| {
            frame.or_else(|| self.cut.swap(false, Ordering::Relaxed).then(|| Err(axum::Error::new(Stalled))))
        })
    }
}
