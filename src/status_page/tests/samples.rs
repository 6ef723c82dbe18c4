//! Answers in the form of real Statuspage pages go through our types and back without a change.

use crate::statuspage::{Components, Incidents, ScheduledMaintenances, StatusFile, Summary};
use serde::{Serialize, de::DeserializeOwned};

/// Reads it, with no field unknown, and writes it again: the same bytes but for white space.
fn round_trip<T: DeserializeOwned + Serialize>(sample: &str) {
    let read: T = serde_json::from_str(sample).unwrap();
    let written = serde_json::to_string(&read).unwrap();
    // White space between tokens; there is none that matters within the samples' own texts at line breaks.
    let compact: String = sample.lines().map(str::trim).collect();
    let compact = compact.replace("\": ", "\":").replace(", \"", ",\"");
    assert_eq!(written, compact);
}

#[test]
fn samples_round_trip() {
    round_trip::<StatusFile>(include_str!("samples/status.json"));
    round_trip::<Summary>(include_str!("samples/summary.json"));
    round_trip::<Components>(include_str!("samples/components.json"));
    round_trip::<Incidents>(include_str!("samples/incidents.json"));
    round_trip::<ScheduledMaintenances>(include_str!("samples/scheduled-maintenances.json"));
}
