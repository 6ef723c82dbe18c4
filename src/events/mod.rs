//! Events between rooms: what happened is written in the transaction in which it happened, and those who react to it read it later.
//!
//! A room declares its [`Event`]s in its `events.rs`, and writes one with [`publish`]. It reaches
//! - [`Subscriber`]s: a job for each event of its topics, at least once, in order for each key;
//! - readers that keep a cursor, as webhooks does: [`Reader`] gives them every event after it, in the order in which they were published,
//!   and skips none of a transaction that is still open.
//!
//! Two events with the same key are in order where their publishers took turns, as by a lock on the row that they changed.
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

use crate::platform::db::Table;

pub const TABLES: &[Table] = &[Table::watched("events"), Table::small("event_cursors")];
