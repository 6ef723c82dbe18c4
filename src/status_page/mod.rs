//! Status pages: what strangers, customers and other monitors see of components and incidents.
//!
//! Everything that can be asked for (pages, Statuspage's JSON, Gatus's, badges, feeds, calendars) is rendered ahead by the worker that checks
//! monitors, in two sets: as it is, and with the words that it could not be brought up to date. Each process that serves holds the finished bytes
//! in memory: a request is one look-up, and is answered when the database is down.
//!
//! Owns `status_pages`, `status_page_groups`, `status_page_components`, `status_page_domains`, `status_page_subscribers`, `status_page_renders`,
//! `status_page_versions`. Jobs: `status_page.maintain`.

mod config;
mod error;
mod events;
mod jobs;
mod model;
mod module;
mod service;
mod store;

pub use config::{Appliance, Config};
pub use error::StatusPageError;
pub use events::{EVENTS, ShownComponentChanged};
pub use jobs::register;
pub use model::*;
pub use module::{READ, ROOM, WRITE, build};
pub use service::{Deps, Needs, StatusPages};
