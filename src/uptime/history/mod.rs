//! What single checks become: minutes and hours as bytes, percentiles that survive rolling up, availability out of spans. Pure, but for
//! `rollup.rs`.
//!
//! `pack.rs`: minutes of an hour and hours of a day as bytes. `sketch.rs`: counts in logarithmic buckets, merged by adding. `spans.rs`: seconds of
//! each status between two times. `report.rs`: a month as model, CSV, JSON and HTML.
//!
//! ```ignore
//! pub struct Sketch { .. }                                         // relative error 2.5 %, version byte first
//! impl Sketch {
//!     pub fn add(&mut self, us: i32);
//!     pub fn merge(&mut self, other: &Self);
//!     pub fn quantile(&self, q: f64) -> Option<i32>;
//!     pub fn read(bytes: &[u8]) -> Result<Self, BadSketch>;
//!     pub fn write(&self) -> Vec<u8>;
//! }
//! // The writer folds checks of a minute into one while the database is away and memory is full.
//! pub async fn fold(conn: &mut PgConnection, monitor: i32, minute: DateTime<Utc>, sketch: &Sketch, failed: i32) -> sqlx::Result<()>;
//! ```
