//! Outgoing webhooks: endpoints of organisations and of the installation are told of events, signed (standardwebhooks.com), tried again,
//! in order for each receiver.
//!
//! A delivery is a row, made in the transaction that moves this room's cursor over the events, or by another room with
//! [`Webhooks::send`] for a receiver that the configuration names. A job for each receiver sends what waits, oldest first; after a failure
//! nothing goes there until its time has come, so nothing overtakes. A receiver that fails for days is disabled. What organisations
//! enter is asked through the guarded client; what operators enter may be inside.
//!
//! Owns `webhook_endpoints`, `webhook_deliveries`, `webhook_receivers`. Jobs: `webhooks.deliver`, `webhooks.maintain`. Metrics:
//! `holdfast_webhooks_*`. Checks: `webhooks.endpoints`.

mod config;
mod doctor;
mod error;
mod events;
mod jobs;
mod metrics;
mod model;
mod module;
pub mod pages;
pub mod routes;
mod sender;
mod service;
mod signature;
mod store;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use doctor::checks;
pub use error::WebhooksError;
pub use events::EVENTS;
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{Configured, Delivery, DeliveryId, DeliveryState, Endpoint, EndpointId, Message};
pub use module::{ROOM, build};
pub use service::{Deps, Webhooks};
pub use signature::{BadSecret, SigningKey};
