//! What single checks become: minutes and hours as bytes, percentiles that survive rolling up, availability out of spans. Pure.
//!
//! `pack.rs`: minutes of an hour and hours of a day as bytes. `sketch.rs`: counts in logarithmic buckets, merged by adding. `spans.rs`: seconds of
//! each status between two times. `report.rs`: a month as model, CSV, JSON and HTML.

pub mod pack;
pub mod report;
mod rollup;
mod sketch;
pub mod spans;
#[cfg(test)]
mod tests;
mod varint;

pub use rollup::{hour_of, point_of_hour, point_of_minute};
pub use sketch::{BadSketch, Sketch};
