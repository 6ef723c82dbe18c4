//! Server-sent events, incrementally (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
//!
//! Accepts bytes as the network splits them, even inside a character or between CR and LF; the split makes no
//! difference. Comments (`: OPENROUTER PROCESSING`), `id` and `retry` are skipped; errors that servers write outside
//! the format become events.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// `event:` if the server names one; empty otherwise.
    pub event: String,
    /// The `data:` lines, joined with line feeds.
    pub data: String,
}

/// An event exceeds the parser's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {0} bytes")]
pub struct EventTooLarge(pub usize);

/// The parser's state between inputs.
#[derive(Debug)]
pub struct SseParser {
    line: Vec<u8>,
    event: String,
    /// `None` until the event has a `data` line: an event without one is not dispatched.
    data: Option<String>,
    /// The last byte was CR: an LF right after it belongs to it.
    after_cr: bool,
    first_line: bool,
    max_event_bytes: usize,
}

impl SseParser {
    /// `max_event_bytes` limits the memory for one event.
    pub fn new(max_event_bytes: usize) -> Self {
        Self { line: Vec::new(), event: String::new(), data: None, after_cr: false, first_line: true, max_event_bytes }
    }

    /// Adds bytes; returns the events that they complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<SseEvent>, EventTooLarge> {
        let mut events = Vec::new();
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            self.grow(&bytes[..end])?;
            let rest = &bytes[end + 1..];
            bytes = if bytes[end] == b'\r' {
                self.after_cr = rest.is_empty();
                rest.strip_prefix(b"\n").unwrap_or(rest)
            } else {
                rest
            };
            events.extend(self.end_line());
        }
        self.grow(bytes)?;
        Ok(events)
    }

    /// At the end of the input: an event without its closing empty line, which some servers omit.
    pub fn finish(&mut self) -> Option<SseEvent> {
        let last = if self.line.is_empty() { None } else { self.end_line() };
        last.or_else(|| self.dispatch())
    }

    fn grow(&mut self, bytes: &[u8]) -> Result<(), EventTooLarge> {
        let size = self.line.len() + self.data.as_ref().map_or(0, String::len) + bytes.len();
        if size > self.max_event_bytes {
            return Err(EventTooLarge(self.max_event_bytes));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line =
            if std::mem::take(&mut self.first_line) { line.strip_prefix('\u{feff}').unwrap_or(&line) } else { &line };
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.event),
            // llama.cpp of 2025 reports errors so; the format has no such field.
            "error" if !value.is_empty() => {
                self.event.clear();
                return Some(SseEvent { event: "error".to_owned(), data: value.to_owned() });
            }
            // A bare error object that a server writes into its stream without a field name.
            _ if line.starts_with("{\"") && line.ends_with('}') => {
                return Some(SseEvent { event: std::mem::take(&mut self.event), data: line.to_owned() });
            }
            // A comment has an empty name.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.event);
        self.data.take().map(|data| SseEvent { event, data })
    }
}
