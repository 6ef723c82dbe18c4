//! Answers in the form of real Statuspage pages go through our types and back without a change: no field is unknown, none is left out, and all have
//! their order.

use crate::statuspage::{Components, Incidents, ScheduledMaintenances, StatusFile, Summary};
use serde::{Serialize, de::DeserializeOwned};

fn round_trip<T: DeserializeOwned + Serialize>(sample: &str) {
    let read: T = serde_json::from_str(sample).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), sample.trim_end());
}

#[test]
fn samples_round_trip() {
    round_trip::<StatusFile>(include_str!("samples/status.json"));
    round_trip::<Summary>(include_str!("samples/summary.json"));
    round_trip::<Components>(include_str!("samples/components.json"));
    round_trip::<Incidents>(include_str!("samples/incidents.json"));
    round_trip::<ScheduledMaintenances>(include_str!("samples/scheduled-maintenances.json"));
}

#[test]
fn a_field_that_is_not_known_is_an_error() {
    let sample = include_str!("samples/status.json").replace("\"indicator\"", "\"mood\":1,\"indicator\"");
    assert!(serde_json::from_str::<StatusFile>(&sample).is_err());
}
