//! Files: buckets of organisations with objects of any size in them; who may do what; uploads, versions, links.
//!
//! An object is a row that names pieces of blobs; a blob is stored once for each content of an organisation ([`Blobs`]). A row is committed
//! only after its bytes are durable, and content never changes under an id. The S3 protocol is package `s3` beside this one, pictures are
//! package `images`.
//!
//! Owns `files_access_keys`, `files_blobs`, `files_buckets`, `files_damage`, `files_extents`, `files_garbage`, `files_image_reports`,
//! `files_lifecycle_runs`, `files_links`, `files_objects`, `files_parts`, `files_quotas`, `files_rules`, `files_scrubs`, `files_spent`,
//! `files_sweeps`, `files_uploads`, `files_usage`. Jobs: `files.collect`, `files.compact`, `files.empty_bucket`, `files.lifecycle`, `files.purge`,
//! `files.repair`, `files.report`, `files.scrub`, `files.sweep`. Loops: `files.gauges`, `files.scan`. Metrics: `holdfast_files_*`. Checks:
//! `files.damage`, `files.scrub`, `files.orphans`, `files.quota`, `files.lifecycle`, `files.uploads`, `files.clamd`, `files.s3`.

mod access;
mod blobs;
mod collect;
mod config;
mod cross_origin;
mod doctor;
mod error;
mod etag;
mod events;
mod inventory;
mod jobs;
mod key_name;
mod lifecycle;
mod lock;
mod metrics;
mod model;
mod module;
mod overview;
mod pages;
mod poster;
mod range;
mod repair;
mod routes;
mod scan;
mod scrub;
mod serve;
mod service;
mod shared;
mod sniff;
mod store;
mod supabase;
mod sweep;
#[cfg(test)]
mod tests;
mod token;
mod variants;

pub use access::{Caller, CallerKind, LinkGrant, Why, may};
pub use blobs::{Blobs, Piece, Put, Want};
pub use config::Config;
pub use cross_origin::CorsRule;
pub use error::FilesError;
pub use etag::{content_etag, md5_etag, parts_etag};
pub use events::{
    BucketCreated, BucketDeleted, EVENTS, ObjectCreated, ObjectDeleted, ObjectQuarantined, ObjectRestored,
};
pub use key_name::{Key, KeyProblem, after};
pub use metrics::{LifecycleAction, Metrics, Operation, SignatureRefusal};
pub use model::*;
pub use module::{ADMIN, Needs, READ, ROOM, WRITE, build};
pub use range::{Decision, decide};
pub use scan::{ScanError, Scanner, ScannerAddress, Verdict};
pub use serve::{Overrides, Surface, etag_value, head, refused, respond};
pub use service::{
    Coding, Deps, Files, OpenedLink, PurgeReceivers, Stored, check_presets,
    report::{ImageCounts, ImageReport, LastImageReport},
};
pub use sniff::{Sniffed, is_active, sniff};
pub use store::shown::{QuarantinedObject, StoredInBucket};
pub use supabase::map_errors as map_supabase_errors;
pub use token::{Claims, TokenError};
pub use variants::{Variant, VariantFacts, VariantFigures};
