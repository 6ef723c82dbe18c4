//! Objects: the files that users upload, in a local folder or on S3.
//!
//! Owns no tables. Each room that stores objects has a folder of its own ([`Storage::room`]) and sees no other's; below it keys are paths
//! that begin with the organisation: `<room>/<org>/...`. (Knowledge came first: its folder is called `org`.) A backup takes the folders of
//! all rooms. An object is there whole or not at all: a write that is given up leaves nothing. Who deletes has a [`DeleteGuard`], which a
//! backup holds off. What a room keeps in files that are no
//! objects takes part in backups as a [`Participant`]. Metrics: `holdfast_storage_*`. Vendor types (`object_store`) stay in `service.rs`.

mod config;
mod deletions;
mod doctor;
mod error;
mod metrics;
mod participant;
mod service;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use deletions::{DeleteGuard, Deletions};
pub use doctor::checks;
pub use error::StorageError;
pub use metrics::Metrics;
pub use participant::{Captured, Counts, Participant, ParticipantError};
pub use service::{Entry, Object, Outside, Storage, Stored};
