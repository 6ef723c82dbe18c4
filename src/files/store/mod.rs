//! The SQL of files.

pub(crate) mod blobs;
pub(crate) mod buckets;
pub(crate) mod cors;
pub(crate) mod extents;
pub(crate) mod figures;
pub(crate) mod garbage;
pub(crate) mod keys;
pub(crate) mod lifecycle;
pub(crate) mod links;
pub(crate) mod objects;
pub(crate) mod parts;
pub(crate) mod public;
pub(crate) mod reports;
pub(crate) mod rules;
pub(crate) mod scans;
pub(crate) mod scrub;
pub(crate) mod shown;
pub(crate) mod spent;
pub(crate) mod trash;
pub(crate) mod uploads;
pub(crate) mod usage;
pub(crate) mod versions;
