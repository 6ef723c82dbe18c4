//! The S3 protocol on buckets: the only code that knows `s3s`.
//!
//! No operation is there yet: all that is asked is answered in S3's own shape with `NotImplemented`, so that no client takes a page of the console for
//! an answer. Owns no tables: access keys are files'.

mod errors;
mod router;

pub use errors::S3Error;
pub use router::{S3Config, mounted, router};
