//! Files: buckets of organisations with objects of any size in them; who may do what; uploads, versions, links.
//!
//! An object is a row that names pieces of blobs; a blob is stored once for each content of an organisation ([`Blobs`]). A row is committed
//! only after its bytes are durable, and content never changes under an id. The S3 protocol is package `s3` beside this one, pictures are
//! package `images`.
//!
//! Owns `files_access_keys`, `files_blobs`, `files_buckets`, `files_damage`, `files_extents`, `files_garbage`, `files_lifecycle_runs`,
//! `files_links`, `files_objects`, `files_parts`, `files_quotas`, `files_rules`, `files_scrubs`, `files_spent`, `files_sweeps`, `files_uploads`,
//! `files_usage`. Loops: `files.gauges`, `files.scan`. Metrics: `holdfast_files_*`. Checks: `files.damage`, `files.scrub`, `files.orphans`,
//! `files.quota`, `files.lifecycle`, `files.uploads`, `files.clamd`, `files.s3`.

mod access;
mod blobs;
mod config;
mod doctor;
mod error;
mod etag;
mod events;
mod key_name;
mod metrics;
mod model;
mod module;
mod overview;
mod pages;
mod routes;
mod scan;
mod serve;
mod service;
mod shared;
mod sniff;
mod store;
#[cfg(test)]
mod tests;
mod token;

pub use access::{Caller, CallerKind, LinkGrant, Why, may};
pub use blobs::{Blobs, Piece, Put, Want};
pub use config::Config;
pub use error::FilesError;
pub use etag::{content_etag, md5_etag, parts_etag};
pub use events::{
    BucketCreated, BucketDeleted, EVENTS, ObjectCreated, ObjectDeleted, ObjectQuarantined, ObjectRestored,
};
pub use key_name::{Key, KeyProblem, after};
pub use metrics::{LifecycleAction, Metrics, Operation, SignatureRefusal};
pub use model::*;
pub use module::{ADMIN, Needs, READ, ROOM, WRITE, build};
pub use scan::{ScanError, Scanner, ScannerAddress, Verdict};
pub use serve::{attachment, etag_value};
pub use service::{Deps, Files, Stored};
pub use sniff::{Sniffed, is_active, sniff};
pub use store::shown::{QuarantinedObject, StoredInBucket};
pub use token::{Claims, TokenError};
