//! Outgoing webhooks: events are posted to endpoints of organisations and of the installation, signed (standardwebhooks.com), with retries, in
//! order per receiver.
//!
//! A delivery is a row, inserted in the transaction that moves this room's cursor over the events, or by another room with
//! [`Webhooks::send`] for a configured receiver, or with [`Webhooks::post`] for one of its own ([`Receivers`]). A job per receiver sends queued messages, oldest first; after a failure nothing is sent there
//! until the next attempt is due, so that the order is kept. An endpoint that fails for days is disabled. Addresses of organisations are
//! reached through the guarded client; those of operators may be in private networks.
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
mod receivers;
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
pub use events::{EVENTS, EndpointDisabled};
pub use jobs::register;
pub use metrics::Metrics;
pub use model::{
    Configured, Delivery, DeliveryDetail, DeliveryId, DeliveryState, Endpoint, EndpointId, Message, Owner,
};
pub use module::{ROOM, build};
pub use receivers::{Answer, Form, Judge, Receivers, Target, Verdict, by_status};
pub use service::{Deps, Webhooks};
pub use signature::{BadSecret, SigningKey};
