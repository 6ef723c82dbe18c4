//! The SQL of files.

pub(crate) mod blobs;
pub(crate) mod buckets;
pub(crate) mod cors;
pub(crate) mod keys;
pub(crate) mod objects;
pub(crate) mod rules;
pub(crate) mod usage;
