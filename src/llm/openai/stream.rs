//! Streamed answers: bytes of the connection to chunks.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::Stream;
use reqwest::Response;
use serde_json::json;
use tokio::time::Instant;

use super::{
    super::{
        error::{Failure, LlmError},
        sse::{SseEvent, SseParser},
        wire::{ChatChunk, Chunk, ChunkChoice, Original},
    },
    calls::Calls,
    failure, mend,
    secrets::Secrets,
    surrogates::Surrogates,
};

/// Largest event; images in answers make some of them large.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Reads chunks from a connection. Dropping it closes the connection, which tells the server to stop.
pub(super) struct Reader {
    provider: String,
    secrets: Arc<Secrets>,
    idle: Duration,
    /// Longest wait for the first event and between two events, whatever bytes and comments arrive meanwhile.
    longest: Duration,
    /// Waiting time for the next event so far, without the time that our reader takes.
    waited: Duration,
    begun_to_send: bool,
    response: Option<Response>,
    parser: SseParser,
    events: VecDeque<SseEvent>,
    surrogates: Surrogates,
    calls: Calls,
    /// Choices seen.
    seen: Vec<Seen>,
    /// From the first chunk, for chunks made here.
    head: Option<ChatChunk>,
    /// An error to report after the chunk with its usage, or after the last text.
    pending: Option<LlmError>,
    /// A choice has its finish reason, or the server sent the last event: the connection may end.
    finished: bool,
    /// A choice was seen.
    begun: bool,
}

/// State of a choice.
#[derive(Default)]
struct Seen {
    index: u32,
    calls_tools: bool,
    /// Its finish reason has come.
    ended: bool,
}

impl Reader {
    pub(super) fn new(
        provider: String,
        secrets: Arc<Secrets>,
        first: Duration,
        idle: Duration,
        response: Response,
    ) -> Self {
        Self {
            provider,
            secrets,
            idle,
            longest: first,
            waited: Duration::ZERO,
            begun_to_send: false,
            response: Some(response),
            parser: SseParser::new(MAX_EVENT_BYTES),
            events: VecDeque::new(),
            surrogates: Surrogates::default(),
            calls: Calls::default(),
            seen: Vec::new(),
            head: None,
            pending: None,
            finished: false,
            begun: false,
        }
    }

    /// The chunks in order, none left out.
    pub(super) fn chunks(self) -> impl Stream<Item = Result<Chunk, LlmError>> + Send {
        futures::stream::unfold(self, |mut reader| async move {
            let item = reader.next().await?;
            if item.is_err() {
                reader.close();
            }
            Some((item, reader))
        })
    }

    fn close(&mut self) {
        self.response = None;
        self.events.clear();
        self.finished = true;
    }

    fn fail(&self, failure: Failure, message: impl Into<String>) -> LlmError {
        LlmError::Provider { provider: self.provider.clone(), failure, message: message.into(), retry_after: None }
    }

    async fn next(&mut self) -> Option<Result<Chunk, LlmError>> {
        loop {
            if let Some(error) = self.pending.take() {
                return Some(Err(error));
            }
            if let Some(event) = self.events.pop_front() {
                match self.understand(&event) {
                    None => continue,
                    item => return item,
                }
            }
            if self.response.is_none() {
                if std::mem::replace(&mut self.finished, true) {
                    return None;
                }
                let text = if self.begun { "in the middle of the answer" } else { "before its answer began" };
                return Some(Err(self.fail(Failure::Cut, format!("its stream ended {text}"))));
            }
            if let Err(error) = self.fill().await {
                return Some(Err(error));
            }
        }
    }

    fn understand(&mut self, event: &SseEvent) -> Option<Result<Chunk, LlmError>> {
        let data = event.data.trim();
        if matches!(event.event.as_str(), "ping" | "heartbeat" | "keep-alive" | "keepalive") {
            return None;
        }
        if event.event == "error" && !data.is_empty() {
            let error = serde_json::from_str(data).unwrap_or_else(|_| json!({ "message": data }));
            return Some(Err(failure::in_place(&self.provider, &self.secrets, &error)));
        }
        if data == "[DONE]" {
            let end = self.missing_end();
            self.close();
            return match end {
                Some(end) => Some(Ok(end)),
                None if self.begun => None,
                None => Some(Err(self.fail(Failure::BadResponse, "its stream has no choices"))),
            };
        }
        if data.is_empty() {
            return None;
        }
        // First, because an error has none of a chunk's fields and would parse as an empty chunk.
        if let Err(error) = failure::in_body(&self.provider, &self.secrets, data) {
            let usage = serde_json::from_str::<ChatChunk>(data).ok().and_then(|chunk| chunk.usage);
            return match usage {
                // The usage so far is billed, so it must be counted.
                Some(usage) => {
                    self.pending = Some(error);
                    Some(Ok(Original::made(ChatChunk {
                        object: "chat.completion.chunk".into(),
                        usage: Some(usage),
                        ..ChatChunk::default()
                    })))
                }
                None => Some(Err(error)),
            };
        }
        if !data.starts_with(['{', '[']) {
            // Text in place of a chunk: the reason for giving up.
            let error = json!({ "message": data });
            return Some(Err(failure::in_place(&self.provider, &self.secrets, &error)));
        }
        match Chunk::parse(self.surrogates.join(&event.data)) {
            Ok(chunk) => Some(Ok(self.see(chunk))),
            // Events without the empty line between them: each line is one.
            Err(_) if data.contains('\n') => {
                let line = |data: &str| SseEvent { event: event.event.clone(), data: data.to_owned() };
                for apart in data.lines().rev().map(line) {
                    self.events.push_front(apart);
                }
                None
            }
            Err(error) => {
                Some(Err(self.fail(Failure::BadResponse, format!("an event of its stream is not a chunk: {error}"))))
            }
        }
    }

    /// Converts the chunk to OpenAI's format and records it.
    fn see(&mut self, chunk: Chunk) -> Chunk {
        let mut chunk = mend::chunk(chunk);
        if chunk.raw().contains("\"tool_calls\"") {
            let mut body = chunk.body().clone();
            if self.calls.number(&mut body) {
                chunk = Original::made(body);
            }
        }
        let body = chunk.body();
        for choice in &body.choices {
            let error = mend::error_of(&choice.extra, choice.finish_reason.as_deref());
            if let Some(error) = error.filter(|_| self.pending.is_none()) {
                self.pending = Some(failure::in_place(&self.provider, &self.secrets, &error));
            }
            let at = self.seen.iter().position(|seen| seen.index == choice.index).unwrap_or_else(|| {
                self.seen.push(Seen { index: choice.index, ..Seen::default() });
                self.seen.len() - 1
            });
            self.seen[at].calls_tools |= choice.delta.calls_tools();
            self.seen[at].ended |= choice.finish_reason.is_some();
            self.finished |= choice.finish_reason.is_some();
        }
        self.begun |= !body.choices.is_empty();
        if self.head.is_none() {
            self.head =
                Some(ChatChunk { choices: Vec::new(), usage: None, extra: serde_json::Map::new(), ..body.clone() });
        }
        chunk
    }

    /// Finish reasons for choices that the server ended without one: clients would take the answer for broken off.
    fn missing_end(&mut self) -> Option<Chunk> {
        let end = |seen: &Seen| ChunkChoice {
            index: seen.index,
            finish_reason: Some(if seen.calls_tools { "tool_calls" } else { "stop" }.to_owned()),
            ..ChunkChoice::default()
        };
        let choices: Vec<ChunkChoice> = self.seen.iter().filter(|seen| !seen.ended).map(end).collect();
        let head = self.head.take().unwrap_or_default();
        (!choices.is_empty())
            .then(|| Original::made(ChatChunk { object: "chat.completion.chunk".into(), choices, ..head }))
    }

    /// Reads on until there is an event.
    async fn fill(&mut self) -> Result<(), LlmError> {
        // Before the first event the server may still be reading the prompt.
        let silence = if self.begun_to_send { self.idle } else { self.longest };
        let (begin, wait) = (Instant::now(), silence.min(self.longest.saturating_sub(self.waited)));
        let Some(response) = &mut self.response else { return Ok(()) };
        let chunk = tokio::time::timeout(wait, response.chunk()).await;
        self.waited += begin.elapsed();
        match chunk {
            Err(_) => {
                let waited = self.waited.as_secs();
                Err(self.fail(Failure::Timeout, format!("its stream stopped for {waited} s")))
            }
            Ok(Ok(Some(bytes))) => {
                let events = self.parser.push(&bytes).map_err(|e| self.fail(Failure::BadResponse, e.to_string()))?;
                if !events.is_empty() {
                    (self.begun_to_send, self.waited) = (true, Duration::ZERO);
                }
                self.events.extend(events);
                Ok(())
            }
            Ok(Ok(None)) => {
                self.response = None;
                self.events.extend(self.parser.finish());
                Ok(())
            }
            // The server closed without the last event, but everything that matters had come.
            Ok(Err(_)) if self.finished => {
                self.response = None;
                Ok(())
            }
            Ok(Err(error)) => Err(self.fail(Failure::Cut, failure::describe(&error))),
        }
    }
}
