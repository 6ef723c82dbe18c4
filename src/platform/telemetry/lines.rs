//! Turns a log event into a line: one JSON object with time, level, target, message, fields, the fields of the enclosing spans, and the ids
//! of its context. Redacted and truncated here, once, for all outputs.

use std::{io::Write as _, sync::Arc};

use chrono::SecondsFormat;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    levels,
    log_metrics::Level,
    redact::{self, MASK},
};
use crate::{clock::Clock, trace};

/// Longest line, bytes: Loki's limit.
pub const MAX_LINE_BYTES: usize = 256 * 1024;
/// Bytes that long texts leave free for the short fields after them.
const RESERVE: usize = 16 * 1024;
/// Length of a short text (an id, an address, a word), bytes.
const SHORT: usize = 512;
/// Longest value of a span's field, bytes; it is repeated on every line inside the span.
const MOST_OF_SPAN: usize = 4 * 1024;

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Unix time, nanoseconds.
    pub nanos: i64,
    pub level: Level,
    /// A JSON object without a line break.
    pub json: Arc<str>,
    /// Not shipped to a server, because that would cause a feedback loop: lines of the HTTP client and of the exporters about their own
    /// work.
    pub is_local: bool,
}

/// Threads overtake one another by moments; a larger step back means that the clock was set, nanoseconds.
const CLOCK_WAS_SET: i64 = 2_000_000_000;

/// Timestamp of a line after one of `last`: at least a nanosecond later, so that timestamps are unique. If the clock was set back, it is
/// followed: otherwise all later lines would lie in the future, where Loki rejects them.
pub(super) fn after(last: i64, nanos: i64) -> i64 {
    if last.saturating_sub(nanos) > CLOCK_WAS_SET && !crate::mutant(35) {
        nanos
    } else {
        nanos.max(last.saturating_add(1))
    }
}

/// Receives the lines.
pub trait Output: Send + Sync + 'static {
    fn emit(&self, line: &Line);
}

/// The tracing layer.
#[derive(Debug)]
pub struct Lines<O> {
    output: O,
}

impl<O: Output> Lines<O> {
    pub fn new(output: O) -> Self {
        Self { output }
    }
}

/// Fields of a span: name and JSON.
#[derive(Default)]
struct SpanFields(Vec<(&'static str, Vec<u8>)>);

impl SpanFields {
    fn put(&mut self, name: &'static str, value: Vec<u8>) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = value,
            None => self.0.push((name, value)),
        }
    }
}

impl<S, O> Layer<S> for Lines<O>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    O: Output,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = SpanFields::default();
        attributes.record(&mut OfSpan(&mut fields));
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
            values.record(&mut OfSpan(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (meta, now) = (event.metadata(), Clock::system().now());
        let mut fields = OfEvent { json: Vec::with_capacity(512), log_target: None };
        event.record(&mut fields);
        let target = levels::shown(fields.log_target.as_deref().unwrap_or(meta.target()));
        let level = Level::from(*meta.level());

        let mut json = Vec::with_capacity(fields.json.len() + 512);
        let time = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        // Writing to a vector does not fail.
        let _ = write!(json, r#"{{"timestamp":"{time}","level":"{}","target":"#, level.as_str());
        quote(&mut json, &target);
        json.extend_from_slice(&fields.json);
        let has = |name: &str| meta.fields().iter().any(|field| field.name() == name);
        if let Some(work) = trace::current() {
            if !has("trace_id") {
                put(&mut json, "trace_id", work.trace_id());
            }
            if let Some(id) = work.request_id().filter(|_| !has("request_id")) {
                put(&mut json, "request_id", id);
            }
        }
        let mut inner: Vec<&'static str> = Vec::new();
        // From the inside out: an inner field hides an outer one of the same name.
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(around) = extensions.get::<SpanFields>() else { continue };
            for (name, value) in around.0.iter().filter(|(name, _)| !has(name) && !inner.contains(name)) {
                if json.len() + name.len() + value.len() + SHORT > MAX_LINE_BYTES {
                    break;
                }
                name_of(&mut json, name);
                json.extend_from_slice(value);
            }
            inner.extend(around.0.iter().map(|(name, _)| *name));
        }
        json.push(b'}');
        let is_local = is_local(&target, level);
        let Ok(json) = String::from_utf8(json) else { return };
        let nanos = now.timestamp_nanos_opt().unwrap_or(i64::MAX);
        self.output.emit(&Line { nanos, level, json: json.into(), is_local });
    }
}

/// Whether the line is about shipping lines.
fn is_local(target: &str, level: Level) -> bool {
    const CARRIERS: [&str; 7] = ["hyper", "hyper_util", "h2", "reqwest", "rustls", "tokio", "mio"];
    target.starts_with(super::loki::TARGET)
        || (level >= Level::Debug && CARRIERS.contains(&target.split("::").next().unwrap_or_default()))
}

fn name_of(json: &mut Vec<u8>, name: &str) {
    json.push(b',');
    quote(json, name);
    json.push(b':');
}

/// Writes a text field.
fn put(json: &mut Vec<u8>, name: &str, text: &str) {
    name_of(json, name);
    let room = room_for(text, json);
    text_of(json, name, text, room);
}

/// Bytes of the line that this text may take; `json` is the line so far.
fn room_for(text: &str, json: &[u8]) -> usize {
    let free = if text.len() <= SHORT { 4 * SHORT } else { RESERVE };
    (MAX_LINE_BYTES - free).saturating_sub(json.len())
}

/// Writes a text as JSON: masked if its name is secret, redacted, truncated to `room` bytes.
fn text_of(json: &mut Vec<u8>, name: &str, text: &str, room: usize) {
    if redact::is_secret(name) {
        return quote(json, MASK);
    }
    // No need to scan what is cut off anyway.
    let head = &text[..text.floor_char_boundary(room)];
    let clean = redact::redact(head);
    let kept = &clean[..fitting(&clean, room)];
    if head.len() == text.len() && kept.len() == clean.len() {
        return quote(json, &clean);
    }
    let cut = text.len() - head.len() + clean.len() - kept.len();
    quote(json, &format!("{kept} [{cut} bytes cut]"));
}

/// Bytes of the text that fit into `room` bytes of JSON.
fn fitting(text: &str, room: usize) -> usize {
    // JSON takes at most six bytes per byte of text.
    if text.len() * 6 <= room {
        return text.len();
    }
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += match c {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => 6,
            c => c.len_utf8(),
        };
        if taken > room {
            return at;
        }
    }
    text.len()
}

fn quote(json: &mut Vec<u8>, text: &str) {
    let begin = json.len();
    // Writing to a vector does not fail.
    let _ = serde_json::to_writer(&mut *json, text);
    // JSON allows these unescaped, but terminals obey them (U+009B acts like ESC [).
    if text.contains(is_late_control) {
        let written = String::from_utf8_lossy(&json[begin..]).into_owned();
        json.truncate(begin);
        for c in written.chars() {
            let _ = if is_late_control(c) { write!(json, "\\u{:04x}", u32::from(c)) } else { write!(json, "{c}") };
        }
    }
}

/// Control characters outside ASCII, and DEL.
fn is_late_control(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}')
}

/// Value of a field.
enum Value<'a> {
    Text(&'a str),
    /// A number or boolean, written as JSON.
    Plain(&'a dyn std::fmt::Display),
    /// A number whose field name is secret may be one.
    Number(&'a dyn std::fmt::Display),
}

fn value_of(json: &mut Vec<u8>, name: &str, value: &Value<'_>, most: usize) {
    match value {
        Value::Text(text) => {
            let room = room_for(text, json).min(most);
            text_of(json, name, text, room);
        }
        Value::Number(_) if redact::is_secret(name) => quote(json, MASK),
        Value::Plain(plain) | Value::Number(plain) => {
            let _ = write!(json, "{plain}");
        }
    }
}

/// An error and its causes, outermost first.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    crate::error::chain(error)
}

macro_rules! visit {
    () => {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.put(field, &Value::Text(&format!("{value:?}")));
        }
        fn record_str(&mut self, field: &Field, value: &str) {
            self.put(field, &Value::Text(value));
        }
        fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
            self.put(field, &Value::Text(&causes(value)));
        }
        fn record_bool(&mut self, field: &Field, value: bool) {
            self.put(field, &Value::Plain(&value));
        }
        fn record_i64(&mut self, field: &Field, value: i64) {
            self.put(field, &Value::Number(&value));
        }
        fn record_u64(&mut self, field: &Field, value: u64) {
            self.put(field, &Value::Number(&value));
        }
        fn record_i128(&mut self, field: &Field, value: i128) {
            self.put(field, &Value::Number(&value));
        }
        fn record_u128(&mut self, field: &Field, value: u128) {
            self.put(field, &Value::Number(&value));
        }
        fn record_f64(&mut self, field: &Field, value: f64) {
            if value.is_finite() {
                self.put(field, &Value::Number(&value));
            } else {
                self.put(field, &Value::Text(&value.to_string()));
            }
        }
    };
}

struct OfEvent {
    json: Vec<u8>,
    /// Target of a record from the crate `log`, which arrives as a field.
    log_target: Option<String>,
}

impl OfEvent {
    fn put(&mut self, field: &Field, value: &Value<'_>) {
        match (field.name(), value) {
            ("log.target", Value::Text(target)) => self.log_target = Some((*target).to_owned()),
            (name, _) if name.starts_with("log.") => {}
            (name, value) => {
                name_of(&mut self.json, name);
                value_of(&mut self.json, name, value, MAX_LINE_BYTES);
            }
        }
    }
}

impl Visit for OfEvent {
    visit!();
}

struct OfSpan<'a>(&'a mut SpanFields);

impl OfSpan<'_> {
    fn put(&mut self, field: &Field, value: &Value<'_>) {
        let mut json = Vec::new();
        value_of(&mut json, field.name(), value, MOST_OF_SPAN);
        self.0.put(field.name(), json);
    }
}

impl Visit for OfSpan<'_> {
    visit!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_on_a_line_moves_the_cursor_of_a_terminal() {
        let said = "a\u{1b}[2J\u{7f}\u{85}\u{9b}31mя";
        let mut json = b"x".to_vec();
        quote(&mut json, said);
        let written = String::from_utf8(json).unwrap();
        assert_eq!(written, r#"x"a\u001b[2J\u007f\u0085\u009b31mя""#);
        assert_eq!(serde_json::from_str::<String>(&written[1..]).unwrap(), said);
        // The limit applies to the length in JSON.
        let mut json = Vec::new();
        text_of(&mut json, "text", &"\u{9b}".repeat(100_000), 6000);
        assert!(json.len() < 6100, "{}", json.len());
    }
}
