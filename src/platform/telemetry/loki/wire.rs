//! What Loki is sent: the JSON form of its push API, gzipped. A line's ids stand in the line and, so that a search for one need not
//! read every line, beside it as structured metadata, which the protobuf types of `loki-api` do not have.

use std::{borrow::Cow, io::Write as _};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeSeq as _};

use super::queue::Entry;
use crate::platform::telemetry::log_metrics::Level;

/// Content type of a push.
pub(super) const CONTENT_TYPE: &str = "application/json";

/// The labels of each level's stream. These three and no more: every value of a label makes a stream of its own, so ids are none.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    environment: String,
    /// Whether Loki keeps structured metadata: from 3.0 on, unless it is told otherwise.
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

/// Time, line and, where there is any, metadata: a list of two or three.
struct Value<'a> {
    entry: &'a Entry,
    ids: Ids<'a>,
}

/// Of the work that a line belongs to, as they stand in it: redacted like the rest.
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

/// The body of a push of these entries, which are in the order of their times.
pub(super) fn encode(labels: &Labels, entries: &[Entry]) -> Bytes {
    let value = |entry| Value { entry, ids: if labels.metadata { Ids::of(entry) } else { Ids::default() } };
    let streams = Level::ALL.iter().filter_map(|&level| {
        let values: Vec<Value<'_>> = entries.iter().filter(|entry| entry.level == level).map(value).collect();
        let stream = StreamLabels { env: &labels.environment, level: level.as_str(), service: "holdfast" };
        (!values.is_empty()).then_some(Stream { stream, values })
    });
    let mut body = GzEncoder::new(Vec::new(), Compression::fast());
    // Neither texts nor a vector refuse to be written.
    let _ = serde_json::to_writer(&mut body, &Push { streams: streams.collect() });
    let _ = body.flush();
    // A vector may have room for twice what is in it, for as long as it waits.
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
