//! Monitors: what is watched, how it is checked, and what is known of it over time.
//!
//! One worker checks all monitors (`jobs::Duty`): on a grid of slots, with retries before a monitor is down, and on while the database is away; what
//! it found is written later. What changes is told to a [`Witness`] in the transaction that writes it: room incidents. Availability is computed
//! from spans, times during which the status did not change; single checks are evidence for some days, and latency is kept as sketches whose
//! percentiles survive rolling up. A file can manage monitors, windows and what rooms above add to it ([`file`]); files of Uptime Kuma and Gatus
//! can be imported, with a report of what they have and this has not.
//!
//! An address that a monitor names is resolved once and judged, and only what was judged is connected to: private networks are closed unless an
//! operator opens them.
//!
//! Owns `uptime_monitors`, `uptime_groups`, `uptime_windows`, `uptime_state`, `uptime_spans`, `uptime_prober`, `uptime_checks`, `uptime_minutes`,
//! `uptime_days`, `uptime_hours_open`, `uptime_beats`, `uptime_file`, `uptime_imports`. Jobs: `uptime.maintain`.

mod badge;
mod condition;
mod config;
mod doctor;
mod error;
mod events;
pub mod file;
mod history;
mod import;
mod jobs;
mod json_path;
mod metrics;
mod model;
mod module;
mod outside;
mod overview;
mod pages;
mod pattern;
mod probe;
mod prober;
mod routes;
mod schedule;
mod secrets;
mod service;
mod settings;
pub mod spec;
mod store;
mod target;
mod text;

pub use config::Config;
pub use error::UptimeError;
pub use events::{EVENTS, MonitorDown, MonitorEnding, MonitorUp};
pub use history::report::{Month, Report};
pub use import::{Fate, Left, MonitorRow, Report as ImportReport};
pub use jobs::register;
pub use metrics::Metrics;
pub use model::*;
pub use module::{READ, ROOM, WRITE, build};
pub use outside::{Published, SelfCheck, Witness};
pub use probe::{Prober, Settings as ProbeSettings};
pub use prober::Taken;
pub use schedule::windows;
pub use secrets::Secrets;
pub use service::{Deps, MonitorWithToken, NewMonitor, NewWindow, Uptime};
pub use settings::Settings;
pub use spec::MonitorSpec;
pub use store::monitors::Filter as MonitorFilter;
pub use target::Policy;
