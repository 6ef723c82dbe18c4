//! Answers as server-sent events.

use std::time::Duration;

use axum::response::{Response, sse::Event};
use futures::{StreamExt as _, stream};
use serde::Serialize;

use crate::service::{AnswerEvent, Joined};
use platform::http::event_stream;

/// First `start` with both messages, then the answer's events as they come.
pub fn respond(asked: Joined, heartbeat: Duration) -> Response {
    #[derive(Serialize)]
    struct Start<'a> {
        question: &'a crate::model::Message,
        message: &'a crate::model::Message,
    }
    let start = event("start", &Start { question: &asked.question, message: &asked.answer });
    let events =
        stream::unfold(asked.events, |mut events| async move { Some((events.next().await?, events)) }).map(|(_, e)| {
            let name = match &e {
                AnswerEvent::Sources { .. } => "sources",
                AnswerEvent::Delta { .. } => "delta",
                AnswerEvent::Thinking { .. } => "thinking",
                AnswerEvent::Rewrite { .. } => "rewrite",
                AnswerEvent::End { .. } => "end",
            };
            event(name, &e)
        });
    event_stream(stream::once(async { start }).chain(events), heartbeat)
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // These types hold strings and numbers: serialising them cannot fail.
    Event::default().event(name).json_data(data).unwrap_or_default()
}
