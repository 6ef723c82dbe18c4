//! Spans for trace export: duration and outcome of a part of the work. They are created explicitly, with attributes named one by one, so no
//! user's text is ever exported.
//!
//! Their ids are those of [`trace::Context`], which follows the work: log lines, the `traceparent` of outgoing calls and queued jobs refer
//! to the span that caused them. Without an exporter, or in a trace that is not recorded, a [`Span`] is empty and free.

use std::time::Instant;

use super::{
    otlp::{
        self, Otlp,
        wire::{self, KeyValue, Kind, Value},
    },
    redact::redact,
};
use crate::{
    clock::Clock,
    trace::{self, Context},
};

/// Longest text of an attribute, characters; names and ids are shorter.
const MOST_OF_TEXT: usize = 200;

/// A running span: it ends, and is exported, on drop.
#[derive(Debug, Default)]
#[must_use = "a span ends when it is dropped"]
pub struct Span(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    otlp: &'static Otlp,
    context: Context,
    span: wire::Span,
    began: Instant,
}

impl Span {
    /// Span of a whole request or job; `context` is its context and has the span's id.
    pub fn whole(context: &Context, kind: Kind, name: impl FnOnce() -> String) -> Self {
        let parent = || context.parent().map(|parent| (parent.span_id.as_str(), parent.is_remote));
        Self::open(context, kind, name, |_| (context.clone(), parent()))
    }

    /// Span of a part of the current task's work; empty outside of a request or job.
    pub fn part(kind: Kind, name: impl FnOnce() -> String) -> Self {
        let Some(context) = otlp::running().and_then(|_| trace::current()) else { return Self(None) };
        Self::open(&context, kind, name, |context| (context.part(), Some((context.span_id(), false))))
    }

    fn open<'a>(
        of: &'a Context,
        kind: Kind,
        name: impl FnOnce() -> String,
        place: impl FnOnce(&'a Context) -> (Context, Option<(&'a str, bool)>),
    ) -> Self {
        let Some(otlp) = otlp::running().filter(|_| of.is_sampled()) else { return Self(None) };
        let (context, parent) = place(of);
        let is_remote = parent.is_some_and(|(_, is_remote)| is_remote);
        let span = wire::Span {
            trace_id: bytes(context.trace_id()),
            span_id: bytes(context.span_id()),
            parent_span_id: parent.map(|(id, _)| bytes(id)).unwrap_or_default(),
            name: fit(&name()),
            kind: kind.into(),
            start_time_unix_nano: nanos(),
            end_time_unix_nano: 0,
            attributes: Vec::with_capacity(16),
            status: None,
            flags: wire::SAMPLED | wire::HAS_IS_REMOTE | if is_remote { wire::IS_REMOTE } else { 0 },
        };
        let mut this = Self(Some(Box::new(Open { otlp, context, span, began: Instant::now() })));
        if let Some(id) = of.request_id() {
            this.set("holdfast.request_id", id);
        }
        this
    }

    /// Whether the span is exported.
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// Context for work inside this span; `None` if it is not recorded: the current one stays.
    pub fn context(&self) -> Option<Context> {
        self.0.as_ref().map(|open| open.context.clone())
    }

    /// Sets an attribute; never a user's text, a secret, or a user's address.
    pub fn set(&mut self, key: &'static str, value: impl Attribute) {
        if let Some(open) = &mut self.0 {
            open.span.attributes.push(KeyValue::new(key, value.value()));
        }
    }

    /// Marks the span as failed; `how` is a word from a short list.
    pub fn failed(&mut self, how: &str) {
        self.set("error.type", how);
        if let Some(open) = &mut self.0 {
            open.span.status = Some(wire::Status { message: String::new(), code: wire::ERROR });
        }
    }

    /// Drops the span without exporting it.
    pub fn discard(&mut self) {
        self.0 = None;
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(mut open) = self.0.take() else { return };
        let took = u64::try_from(open.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        open.span.end_time_unix_nano = open.span.start_time_unix_nano.saturating_add(took);
        open.otlp.push(&open.span);
    }
}

/// Types of attribute values.
pub trait Attribute {
    fn value(self) -> Value;
}

impl Attribute for &str {
    fn value(self) -> Value {
        Value::Text(fit(self))
    }
}

impl Attribute for bool {
    fn value(self) -> Value {
        Value::Bool(self)
    }
}

impl Attribute for u64 {
    fn value(self) -> Value {
        Value::Int(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

impl Attribute for f64 {
    fn value(self) -> Value {
        Value::Double(self)
    }
}

/// Redacts and truncates.
fn fit(text: &str) -> String {
    let clean = redact(text);
    match clean.char_indices().nth(MOST_OF_TEXT) {
        Some((end, _)) => clean[..end].to_owned(),
        None => clean.into_owned(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2).filter_map(|at| hex.get(at..at + 2));
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

fn nanos() -> u64 {
    Clock::system().now().timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or_default()
}
