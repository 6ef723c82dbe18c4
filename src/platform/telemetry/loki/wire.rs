//! Body of a push: the JSON form of Loki's push API, gzipped. A line's ids are in the line and also sent as structured metadata, so that
//! searching for one need not scan every line; the protobuf types of `loki-api` lack structured metadata.

use std::{borrow::Cow, io::Write as _};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq as _};

use super::queue::Entry;
use crate::telemetry::log_metrics::Level;

/// Content type of a push.
pub(super) const CONTENT_TYPE: &str = "application/json";

/// Labels of each level's stream. No more than these three: every label value creates a stream, so ids must not be labels.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    environment: String,
    /// Whether Loki accepts structured metadata: since 3.0, unless configured otherwise.
    metadata: bool,
}

impl Labels {
    pub(super) fn new(environment: &str, metadata: bool) -> Self {
        Self { environment: environment.to_owned(), metadata }
    }
}

#[derive(Serialize)]
struct Push<'a> {
    streams: Vec<Stream<'a>>,
}

#[derive(Serialize)]
struct Stream<'a> {
    stream: StreamLabels<'a>,
    values: Vec<Value<'a>>,
}

#[derive(Serialize)]
struct StreamLabels<'a> {
    env: &'a str,
    level: &'static str,
    service: &'static str,
}

/// Timestamp, line and, if any, metadata: a list of two or three.
struct Value<'a> {
    entry: &'a Entry,
    ids: Ids<'a>,
}

/// Ids of the work that a line belongs to, as they appear in it: redacted like the rest.
#[derive(Default, Deserialize, Serialize)]
struct Ids<'a> {
    #[serde(borrow, default, skip_serializing_if = "is_none")]
    trace_id: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_none")]
    request_id: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_none")]
    org_id: Cow<'a, str>,
}

#[expect(clippy::ptr_arg, reason = "serde hands over what the field is")]
fn is_none(id: &Cow<'_, str>) -> bool {
    id.is_empty()
}

impl<'a> Ids<'a> {
    fn of(entry: &'a Entry) -> Self {
        serde_json::from_str(&entry.json).unwrap_or_default()
    }

    fn are_none(&self) -> bool {
        is_none(&self.trace_id) && is_none(&self.request_id) && is_none(&self.org_id)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bare = self.ids.are_none();
        let mut value = serializer.serialize_seq(Some(if bare { 2 } else { 3 }))?;
        value.serialize_element(&self.entry.nanos.to_string())?;
        value.serialize_element(self.entry.json.as_ref())?;
        if !bare {
            value.serialize_element(&self.ids)?;
        }
        value.end()
    }
}

/// Body of a push; `entries` are in the order of their timestamps.
pub(super) fn encode(labels: &Labels, entries: &[Entry]) -> Bytes {
    let value = |entry| Value { entry, ids: if labels.metadata { Ids::of(entry) } else { Ids::default() } };
    let streams = Level::ALL.iter().filter_map(|&level| {
        let values: Vec<Value<'_>> = entries.iter().filter(|entry| entry.level == level).map(value).collect();
        let stream = StreamLabels { env: &labels.environment, level: level.as_str(), service: "holdfast" };
        (!values.is_empty()).then_some(Stream { stream, values })
    });
    let mut body = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a vector does not fail.
    let _ = serde_json::to_writer(&mut body, &Push { streams: streams.collect() });
    let _ = body.flush();
    // Shrinks: the vector was allocated for the worst case, and the body may wait for long.
    body.finish().unwrap_or_default().into_boxed_slice().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_batch_takes_the_memory_that_it_counts() {
        let entry = |n| Entry { nanos: n, level: Level::Info, json: "a line that compresses ".repeat(20).into() };
        let body = encode(&Labels::new("test", true), &(0..1000).map(entry).collect::<Vec<_>>());
        let length = body.len();
        assert_eq!(body.try_into_mut().unwrap().capacity(), length);
    }

    #[test]
    fn ids_are_metadata_and_no_labels() {
        let line = r#"{"message":"a \"b\"","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","request_id":"r-1","org_id":"","n":1}"#;
        let entries = [
            Entry { nanos: 7, level: Level::Info, json: line.into() },
            Entry { nanos: 8, level: Level::Info, json: r#"{"message":"of nobody"}"#.into() },
        ];
        let sent = |metadata| {
            let body = encode(&Labels::new("production", metadata), &entries);
            let mut text = String::new();
            flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        };
        let stream = serde_json::json!({"env": "production", "level": "info", "service": "holdfast"});
        let ids = serde_json::json!({"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "request_id": "r-1"});
        let bare = serde_json::json!(["8", r#"{"message":"of nobody"}"#]);
        assert_eq!(
            sent(true),
            serde_json::json!({"streams": [{"stream": stream, "values": [["7", line, ids], bare]}]})
        );
        assert_eq!(sent(false)["streams"][0]["values"], serde_json::json!([["7", line], bare]));
    }
}
