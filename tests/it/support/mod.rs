//! What the integration tests stand on.

pub mod app;
pub mod cluster;
pub mod documents;
pub mod process;
pub mod sse;
pub mod upstream;
