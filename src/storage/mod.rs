//! Object storage: the files that users upload, in a local folder, on S3, Google Cloud Storage or Azure.
//!
//! Owns no tables. Each room that stores objects has its own folder ([`Storage::room`]) and cannot see those of others; keys below it start
//! with the organisation: `<room>/<org>/...`. (Knowledge came first: its folder is called `org`.) A backup includes the folders of all
//! rooms. Writes are atomic: an abandoned one leaves nothing. Deleting requires a [`DeleteGuard`], which a backup blocks. Files that a room
//! keeps outside the object store take part in backups through a [`Participant`]; what a room expects to find here, it says by its [`Inventory`]. Metrics: `holdfast_storage_*`. Vendor types
//! (`object_store`) stay in `service`.

mod config;
mod deletions;
mod doctor;
mod error;
mod inventory;
mod metrics;
mod participant;
mod service;
mod shared;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use deletions::{DeleteGuard, Deletions};
pub use doctor::checks;
pub use error::StorageError;
pub use inventory::{Damage, Expected, Inventory, InventoryError, Repair, RepairError};
pub use metrics::Metrics;
pub use participant::{Captured, Counts, Participant, ParticipantError};
pub use service::{
    Copied, CopyError, DigestKind, DigestSet, Digested, Digests, Entry, Fault, Faults, Object, Outside, Progress,
    Storage, Stored, Write, compare, copy_between,
};
pub use shared::{SharedFile, SharedFiles};
