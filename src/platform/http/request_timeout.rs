//! Request timeouts: the body must keep arriving, and the response must start soon after the body's last byte.
//!
//! A total timeout would cut off a large upload over a slow line; without one, a client that drips bytes could hold a connection for ever.
//! So the pauses of a body are limited, and it must keep a minimum rate over the time spent waiting for the client (time that the server
//! takes between two reads does not count). With the size limits of the routes this bounds the whole request.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Config;
use crate::error::ApiError;

/// Limits, from `[server]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestTimeouts {
    /// From the last byte of the request to the start of the response.
    answer: Duration,
    idle: Duration,
    bytes_per_second: u32,
}

impl RequestTimeouts {
    pub fn new(config: &Config) -> Self {
        Self {
            answer: Duration::from_secs(config.request_timeout_seconds),
            idle: Duration::from_secs(config.body_idle_seconds),
            bytes_per_second: config.body_min_bytes_per_second,
        }
    }
}

/// Middleware.
pub(super) async fn enforce(State(timeouts): State<RequestTimeouts>, request: Request, next: Next) -> Response {
    let last_byte = Arc::new(Mutex::new(Instant::now()));
    let seen = || *last_byte.lock().unwrap_or_else(PoisonError::into_inner);
    let request = request.map(|body| {
        if body.is_end_stream() { body } else { Body::new(TimedBody::new(body, timeouts, last_byte.clone())) }
    });
    let mut answer = std::pin::pin!(next.run(request));
    loop {
        let deadline = seen() + timeouts.answer;
        tokio::select! {
            response = &mut answer => return response,
            () = sleep_until(deadline) => {}
        }
        if seen() + timeouts.answer <= deadline {
            let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", "this took too long: try again");
            return ApiError { retry_after: Some(Duration::from_secs(5)), ..error }.into_response();
        }
    }
}

/// The body paused too long or is below the minimum rate.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct TooSlow;

/// The error for an unreadable body: 408 `body_too_slow`, or 400 `body_unreadable` with `detail`.
pub fn unreadable_body(detail: &str, error: impl Into<anyhow::Error>) -> ApiError {
    let error = error.into();
    if error.chain().any(<dyn std::error::Error>::is::<TooSlow>) {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body came too slowly").with_source(error)
    } else {
        ApiError::bad_request("body_unreadable", detail).with_source(error)
    }
}

struct TimedBody {
    body: Body,
    timeouts: RequestTimeouts,
    last_byte: Arc<Mutex<Instant>>,
    /// Start of the current wait for the client.
    waiting: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
    waited: Duration,
    received: u64,
}

impl TimedBody {
    fn new(body: Body, timeouts: RequestTimeouts, last_byte: Arc<Mutex<Instant>>) -> Self {
        Self { body, timeouts, last_byte, waiting: None, alarm: None, waited: Duration::ZERO, received: 0 }
    }

    /// Whether the client keeps the minimum rate, over all the time spent waiting for it.
    fn keeps_up(&self) -> bool {
        let owed =
            self.waited.saturating_sub(self.timeouts.idle).as_secs_f64() * f64::from(self.timeouts.bytes_per_second);
        self.received as f64 >= owed
    }

    /// No data: starts to wait, or fails when the wait is too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let until = *self.waiting.get_or_insert_with(Instant::now) + self.timeouts.idle;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() != until {
            alarm.as_mut().reset(until);
        }
        alarm.as_mut().poll(cx).map(|()| Some(Err(axum::Error::new(TooSlow))))
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else { return this.wait(cx) };
        let now = Instant::now();
        if let Some(since) = this.waiting.take() {
            this.waited += now - since;
        }
        *this.last_byte.lock().unwrap_or_else(PoisonError::into_inner) = now;
        if let Some(Ok(data)) = frame.as_ref().map(|f| f.as_ref().map(|f| f.data_ref().map_or(0, Bytes::len))) {
            this.received += data as u64;
        }
        let ended = frame.is_none();
        if ended || this.keeps_up() { Poll::Ready(frame) } else { Poll::Ready(Some(Err(axum::Error::new(TooSlow)))) }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
