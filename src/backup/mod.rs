//! Self-verifying backups: database, objects, vectors and settings at one point in time, encrypted, at several destinations, read back, and
//! restored on trial.
//!
//! A backup exists if its signed manifest does ([`manifest`]); it refers to encrypted files that are named by their expected hashes, so
//! that equal content is stored once and damage is detected without a key. The tables here only record what was done.
//!
//! Owns `backups`, `backup_copies`, `backup_drills`, `backup_known_files`. Jobs: `backup.run`, `backup.prune`, `backup.drill`,
//! `backup.drill_old`, `backup.verify`.
//! Metrics: `holdfast_backup_*`. Checks: `backup.recent`, `backup.proven`, `backup.destinations`, `backup.tools`, `backup.key`.

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

mod catalogue;
mod config;
mod destination;
mod doctor;
mod dump;
mod error;
mod events;
mod jobs;
mod keys;
mod manifest;
mod metrics;
mod model;
mod module;
mod overview;
pub mod pages;
mod progress;
mod reader;
mod repair;
mod retention;
pub mod routes;
mod schema;
mod seal;
mod sealer;
mod service;
mod spool;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod unfinished;
mod writer;

/// The migration that created the backup tables; older databases cannot record a backup.
pub const FIRST_MIGRATION: i64 = 70;

pub use config::Config;
pub use destination::Destination;
pub use doctor::checks;
pub use error::BackupError;
pub use events::{BackupFailed, BackupFinished, EVENTS};
pub use jobs::register;
pub use keys::{Installation, KeyError, KeyFile};
pub use manifest::Manifest;
pub use metrics::Metrics;
pub use model::{Backup, BackupId, CopyStatus, DestinationStatus, Drill, DrillStatus, Kind, Status};
pub use module::{Needs, ROOM, build};
pub use progress::ProgressReporter;
pub use repair::Repairer;
pub use seal::{Identity, SealError};
pub use service::{Backups, Choice, Deps, Found, Plan, Pruned, Restore, SettingsFiles, Verified};
pub use tree::Restored;
pub use unfinished::Unfinished;
