//! What Loki is sent: `logproto.PushRequest`, protobuf in a snappy block.

use bytes::Bytes;
use loki_api::{
    logproto::{EntryAdapter, PushRequest, StreamAdapter},
    prost::Message as _,
    prost_types::Timestamp,
};

use super::queue::Entry;
use crate::platform::telemetry::log_metrics::Level;

/// Content type of a push.
pub(super) const CONTENT_TYPE: &str = "application/x-protobuf";

/// The labels of each level's stream. These three and no more: every value of a label makes a stream of its own, so ids
/// stand in the line.
#[derive(Clone, Debug)]
pub(super) struct Labels([String; 5]);

impl Labels {
    pub(super) fn new(environment: &str) -> Self {
        let quoted = serde_json::Value::from(environment).to_string();
        let of = |level: Level| format!(r#"{{env={quoted}, level="{}", service="holdfast"}}"#, level.as_str());
        Self([of(Level::Error), of(Level::Warn), of(Level::Info), of(Level::Debug), of(Level::Trace)])
    }
}

/// The body of a push of these entries, which are in the order of their times.
pub(super) fn encode(labels: &Labels, entries: &[Entry]) -> Bytes {
    let streams = Level::ALL.iter().filter_map(|&level| {
        let of_level = entries.iter().filter(|entry| entry.level == level);
        let entries: Vec<EntryAdapter> = of_level
            .map(|entry| EntryAdapter { timestamp: Some(timestamp(entry.nanos)), line: entry.json.as_ref().to_owned() })
            .collect();
        let stream = StreamAdapter { labels: labels.0[level as usize].clone(), entries, hash: 0 };
        (!stream.entries.is_empty()).then_some(stream)
    });
    let plain = PushRequest { streams: streams.collect() }.encode_to_vec();
    // Fails only above 4 GiB. What it returns keeps the room for data that does not compress: six times what a batch needs, for as long
    // as it waits.
    snap::raw::Encoder::new().compress_vec(&plain).unwrap_or_default().into_boxed_slice().into()
}

fn timestamp(nanos: i64) -> Timestamp {
    // The remainder is below 1 000 000 000.
    let rest = i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default();
    Timestamp { seconds: nanos.div_euclid(1_000_000_000), nanos: rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_the_memory_that_it_counts() {
        let entry = |n| Entry { nanos: n, level: Level::Info, json: "a line that compresses ".repeat(20).into() };
        let body = encode(&Labels::new("test"), &(0..1000).map(entry).collect::<Vec<_>>());
        let length = body.len();
        assert_eq!(body.try_into_mut().unwrap().capacity(), length);
    }
}
