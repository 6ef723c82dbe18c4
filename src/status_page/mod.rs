//! Status pages: what strangers, customers and other monitors see of components and incidents.
//!
//! Everything that can be asked for (pages, Statuspage's JSON, Gatus's, badges, feeds, calendars) is rendered ahead by the worker that checks
//! monitors, in two sets: as it is, and with the words that it could not be brought up to date. Each process that serves holds the finished bytes
//! in memory: a request is one look-up, and is answered when the database is down.
//!
//! Owns `status_pages`, `status_page_groups`, `status_page_components`, `status_page_domains`, `status_page_subscribers`, `status_page_renders`,
//! `status_page_versions`. Jobs: `status_page.maintain`, `status_page.updated`, `status_page.tell_subscribers`, `status_page.tell_closed`. Metrics:
//! `holdfast_status_page_*`. Checks: `status_page.renders`, `status_page.domains`.

mod badge;
mod config;
mod dns;
mod doctor;
mod error;
mod events;
mod gatus;
mod holder;
mod html;
mod ical;
mod jobs;
mod metrics;
mod model;
mod module;
mod overview;
mod page;
mod pages;
mod probes;
mod public;
mod render;
mod restrict;
mod routes;
mod service;
mod shields;
mod statuspage;
mod store;
#[cfg(test)]
mod tests;
mod told;
mod words;

pub use config::{Appliance, Config};
pub use doctor::checks;
pub use error::StatusPageError;
pub use events::{EVENTS, ShownComponentChanged};
pub use holder::Hosts;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::*;
pub use module::{READ, ROOM, WRITE, build};
pub use service::{ComponentState, Deps, Following, Needs, PageState, PageUpdate, PutComponent, PutGroup, StatusPages};
