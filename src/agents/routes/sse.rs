//! Answers as server-sent events (WHATWG HTML, section 9.2), with heartbeats.

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt as _, stream};
use serde::Serialize;

use crate::agents::service::{AnswerEvent, Asked};

/// First `start` with both messages, then the answer's events as they come.
pub fn respond(asked: Asked, heartbeat: Duration) -> Response {
    #[derive(Serialize)]
    struct Start<'a> {
        question: &'a crate::agents::model::Message,
        message: &'a crate::agents::model::Message,
    }
    let start = event("start", &Start { question: &asked.question, message: &asked.answer });
    let events =
        stream::unfold(asked.events, |mut events| async move { Some((events.recv().await?, events)) }).map(|e| {
            let name = match &e {
                AnswerEvent::Sources { .. } => "sources",
                AnswerEvent::Delta { .. } => "delta",
                AnswerEvent::Thinking { .. } => "thinking",
                AnswerEvent::Rewrite { .. } => "rewrite",
                AnswerEvent::End { .. } => "end",
            };
            event(name, &e)
        });
    let all = stream::once(async { start }).chain(events).map(Ok::<_, Infallible>);
    let mut response = Sse::new(all).keep_alive(KeepAlive::new().interval(heartbeat).text("heartbeat")).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would buffer the stream otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // These types hold strings and numbers: serialising them cannot fail.
    Event::default().event(name).json_data(data).unwrap_or_default()
}
