//! Spans: how long a part of the work took, and how it ended, for those who export traces. They are made by hand where the work is
//! worth it, with attributes that are named there one by one: what nobody named is not sent, so no text of a user is.
//!
//! Their ids are those of [`trace::Context`], which goes with the work by itself: a line of the log, the `traceparent` of what we
//! call and the job that was queued name the span that they came from. Without an exporter, and in a trace that nobody records, a
//! [`Span`] is nothing and costs nothing.

use std::time::Instant;

use super::{
    otlp::{
        self, Otlp,
        wire::{self, KeyValue, Kind, Value},
    },
    redact::redact,
    trace::{self, Context},
};
use crate::platform::clock::Clock;

/// Characters of an attribute's text: names and ids are shorter.
const MOST_OF_TEXT: usize = 200;

/// A span that is under way: it ends, and is sent, when this is dropped.
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
    /// Of a request or a job as a whole: `context` is its, and has the span's id.
    pub fn whole(context: &Context, kind: Kind, name: impl FnOnce() -> String) -> Self {
        let parent = || context.parent().map(|parent| (parent.span_id.as_str(), parent.is_remote));
        Self::open(context, kind, name, |_| (context.clone(), parent()))
    }

    /// Of a part of the work that this task does. Of work that belongs to no request and no job there is none.
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

    /// Whether anybody gets it.
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// What is done inside it belongs to; `None` where it is not recorded: to whatever it belonged before.
    pub fn context(&self) -> Option<Context> {
        self.0.as_ref().map(|open| open.context.clone())
    }

    /// Never a text of a user, a secret, or an address of one.
    pub fn set(&mut self, key: &'static str, value: impl Attribute) {
        if let Some(open) = &mut self.0 {
            open.span.attributes.push(KeyValue::new(key, value.value()));
        }
    }

    /// The work failed, in this way: a word of a short list.
    pub fn failed(&mut self, how: &str) {
        self.set("error.type", how);
        if let Some(open) = &mut self.0 {
            open.span.status = Some(wire::Status { message: String::new(), code: wire::ERROR });
        }
    }

    /// It was not worth a span.
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

/// What an attribute's value may be.
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

/// Without what looks like a secret or an address, and cut.
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
