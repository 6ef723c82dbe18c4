//! Backups that prove themselves: database, objects, vectors and settings of one instant, sealed, at several destinations, read
//! back, and restored on trial.
//!
//! A backup exists where its signed manifest is ([`manifest`]); what it refers to are sealed files named by what they must be, so
//! that the same content is stored once and damage is seen without a key. The tables here only remember what was done.
//!
//! Owns `backups`, `backup_copies`, `backup_drills`, `backup_known_files`. Jobs: `backup.run`, `backup.prune`, `backup.drill`,
//! `backup.drill_old`, `backup.verify`.
//! Metrics: `holdfast_backup_*`. Checks: `backup.recent`, `backup.proven`, `backup.destinations`, `backup.tools`, `backup.key`.

mod catalogue;
mod config;
mod destination;
mod doctor;
mod dump;
mod error;
mod jobs;
mod keys;
mod manifest;
mod metrics;
mod model;
pub mod pages;
mod reader;
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
mod watcher;
mod writer;

/// The migration that made the tables of backups: older databases have nowhere to write one down.
pub const FIRST_MIGRATION: i64 = 70;

pub use config::Config;
pub use destination::Destination;
pub use doctor::checks;
pub use error::BackupError;
pub use jobs::register;
pub use keys::{Installation, KeyError, KeyFile};
pub use manifest::Manifest;
pub use metrics::Metrics;
pub use model::{Backup, BackupId, CopyStatus, DestinationStatus, Drill, DrillStatus, Kind, Status};
pub use seal::{Identity, SealError};
pub use service::{Backups, Choice, Deps, Found, Plan, Pruned, Restore, SettingsFiles, Verified};
pub use tree::Restored;
pub use unfinished::Unfinished;
pub use watcher::Watcher;
