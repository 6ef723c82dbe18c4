//! The SQL of files.

pub(crate) mod blobs;
pub(crate) mod buckets;
pub(crate) mod figures;
pub(crate) mod objects;
pub(crate) mod rules;
pub(crate) mod scans;
pub(crate) mod shown;
pub(crate) mod usage;
