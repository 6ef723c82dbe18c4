//! Objects: the files that users upload, in a local folder or on S3.
//!
//! Owns no tables. Keys are paths below the organisation: `org/<org>/kb/<base>/doc/<document>/original`. An object is
//! there whole or not at all: a write that is given up leaves nothing. Metrics: `holdfast_storage_*`.
//! Vendor types (`object_store`) stay in `service.rs`.

mod config;
mod doctor;
mod error;
mod metrics;
mod service;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use doctor::checks;
pub use error::StorageError;
pub use metrics::Metrics;
pub use service::{Entry, Object, Storage, Stored};
