//! The only SQL on the tables of webhooks.

pub mod deliveries;
pub mod endpoints;
