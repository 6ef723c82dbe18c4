//! The S3 protocol on buckets.
//!
//! A request goes from `router` to `host` (which bucket and key), `gate` (whose signature is it, compared before anything is believed), `operation`
//! (what is asked) and `ops`, which call files; bodies are decoded by `body` and `chunked` while their signatures are compared. Every error has S3's
//! shape. Owns no tables: access keys are files', and so is every decision about what somebody may do.

mod body;
mod canonical;
mod checksums;
mod chunked;
mod cors;
mod errors;
mod form;
mod gate;
mod host;
mod operation;
mod ops;
mod post_policy;
mod presigned;
mod router;
mod sigv4;
#[cfg(test)]
mod tests;
mod xml;

pub use errors::{Code, S3Error};
pub use operation::operations;
pub(crate) use router::{S3, Settings};
pub use router::{S3Config, by_host, is_itself, mounted, router};
