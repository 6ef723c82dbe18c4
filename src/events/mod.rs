//! Events between rooms: an event is written in the transaction in which it happens; readers process it later.
//!
//! A room declares its [`Event`]s in its `events.rs`, and writes one with [`publish`]. It reaches
//! - [`Subscriber`]s: one job per event of its topics, at least once, in order per key;
//! - readers with a cursor, such as webhooks: [`Reader`] returns every later event in the order of publishing, and skips none of a
//!   transaction that is still open.
//!
//! Two events with the same key are ordered if their publishers are serialised, for example by a lock on the changed row.
//!
//! Owns `events`, `event_cursors`. Jobs: `events.maintain`. Metrics: `holdfast_events_*`. Checks: `events.readers`.

mod catalogue;
mod config;
mod doctor;
mod error;
mod jobs;
mod metrics;
mod model;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use catalogue::reference;
pub use config::Config;
pub use doctor::checks;
pub use error::EventsError;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{Cursor, Event, EventId, EventType, Occurred, Subscriber, Subscription};
pub use service::{Deps, Events, publish};
pub use store::{Reader, end, read_after};

use platform::db::Table;

pub const TABLES: &[Table] = &[Table::watched("events"), Table::small("event_cursors")];
