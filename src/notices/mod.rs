//! Notices: which events of other rooms become mail, to whom, and the weekly report.
//!
//! An event becomes one mail for each recipient, in one transaction; its idempotency key is the event's id and the recipient, so that a repeated
//! event sends nothing twice. Critical alerts are mailed at once, others are collected for the next digest. Recipients who have unsubscribed
//! from a kind of mail are left out by the mailer. A notice that cannot be made (nobody to tell, mail not configured) is logged and counted.
//!
//! Owns `notice_items`. Jobs: `notices.tell`, `notices.digest`, `notices.report`. Metrics: `holdfast_notices_*`. Check: `notices.recipients`.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

mod config;
mod doctor;
mod error;
mod jobs;
mod metrics;
mod model;
mod module;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use doctor::checks;
pub use error::NoticesError;
pub use jobs::register;
pub use metrics::Metrics;
pub use module::{Needs, ROOM, build};
pub use service::{Deps, Notices};
