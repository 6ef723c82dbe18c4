//! Notices: which events of other rooms become mail, to whom, and the weekly report.
//!
//! An event becomes one mail for each recipient, in one transaction; its idempotency key is the event's id and the recipient, so that a repeated
//! event sends nothing twice. Critical alerts are mailed at once as long as they are few; what comes beyond that, and all others, is collected
//! and mailed together. While no server is configured, only a welcome is written and waits: of the others nobody would have any use later. Each mail
//! says until when it is of use, and waits no longer than that.
//! Recipients who have unsubscribed from a kind of mail are left out by the mailer. A notice that cannot be made (nobody to tell, or too late)
//! is logged and counted. One-time links are mailed in the transaction that makes them ([`Notices::link_mailer`]).
//!
//! Owns `notice_items`, `notice_counts`. Jobs: `notices.tell`, `notices.digest`, `notices.together`, `notices.report`. Metrics:
//! `holdfast_notices_*`. Check: `notices.recipients`.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

mod config;
mod doctor;
mod error;
mod jobs;
mod metrics;
mod model;
mod module;
mod pages;
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
