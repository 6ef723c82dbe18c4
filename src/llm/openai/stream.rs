//! A streamed answer: bytes of the connection to chunks.

use std::{collections::VecDeque, time::Duration};

use futures::Stream;
use reqwest::Response;
use secrecy::SecretString;
use tokio::time::Instant;

use super::{
    super::{
        error::{Failure, LlmError},
        sse::{SseEvent, SseParser},
        wire::{ChatChunk, Chunk, Original},
    },
    failure,
    halves::Halves,
};

/// One event; pictures inside an answer make some of them large.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Reads chunks off a connection. Dropping it closes the connection, which tells the server to stop.
pub(super) struct Reader {
    provider: String,
    key: Option<SecretString>,
    idle: Duration,
    /// Until the first event, and between two of them at the most, whatever bytes and comments come meanwhile.
    longest: Duration,
    /// Waited for the next event so far. What the reader of the answer takes for itself does not count.
    waited: Duration,
    begun_to_send: bool,
    response: Option<Response>,
    parser: SseParser,
    events: VecDeque<SseEvent>,
    halves: Halves,
    /// An error to report after the chunk that carries its usage.
    pending: Option<LlmError>,
    /// A choice has its finish reason, or there is nothing more to say: the end of the connection is no surprise.
    finished: bool,
    /// A choice was seen.
    begun: bool,
}

impl Reader {
    pub(super) fn new(
        provider: String,
        key: Option<SecretString>,
        first: Duration,
        idle: Duration,
        response: Response,
    ) -> Self {
        Self {
            provider,
            key,
            idle,
            longest: first,
            waited: Duration::ZERO,
            begun_to_send: false,
            response: Some(response),
            parser: SseParser::new(MAX_EVENT_BYTES),
            events: VecDeque::new(),
            halves: Halves::default(),
            pending: None,
            finished: false,
            begun: false,
        }
    }

    /// The chunks in the order of the wire, none left out.
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
        if event.event == "error" && !data.starts_with('{') && !data.is_empty() {
            let error = serde_json::json!({"error": {"message": data}}).to_string();
            return failure::in_body(&self.provider, self.key.as_ref(), &error).err().map(Err);
        }
        if data == "[DONE]" {
            let begun = self.begun;
            self.close();
            return (!begun).then(|| Err(self.fail(Failure::BadResponse, "its stream holds no choice")));
        }
        if data.is_empty() {
            return None;
        }
        // Before anything else: an error has none of a chunk's fields, and would pass for an empty one.
        if let Err(error) = failure::in_body(&self.provider, self.key.as_ref(), data) {
            let usage = serde_json::from_str::<ChatChunk>(data).ok().and_then(|chunk| chunk.usage);
            return match usage {
                // What was used until then is billed, so it must be counted.
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
            // Words in place of a chunk: why it gave up.
            let error = serde_json::json!({"error": {"message": data}}).to_string();
            return failure::in_body(&self.provider, self.key.as_ref(), &error).err().map(Err);
        }
        match Chunk::parse(self.halves.join(&event.data)) {
            Ok(chunk) => {
                self.begun |= !chunk.body().choices.is_empty();
                self.finished |= chunk.body().choices.iter().any(|choice| choice.finish_reason.is_some());
                Some(Ok(chunk))
            }
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

    /// Reads on until there is something to look at.
    async fn fill(&mut self) -> Result<(), LlmError> {
        // The server may still be reading the prompt.
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
            // The server closed without the last frame, but everything that matters had come.
            Ok(Err(_)) if self.finished => {
                self.response = None;
                Ok(())
            }
            Ok(Err(error)) => Err(self.fail(Failure::Cut, failure::describe(&error))),
        }
    }
}
