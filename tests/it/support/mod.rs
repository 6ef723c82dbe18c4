//! What the integration tests stand on.

pub mod app;
pub mod cluster;
