//! The search index of knowledge bases: LanceDB tables, text analysis, and weighted fusion of the two search arms.
//!
//! There is one table per knowledge base and index generation ([`table_name`]). A table has one writer at a time (the
//! caller holds the base's advisory lock) and any number of readers. The index is derived data: a table can be dropped
//! and rebuilt from PostgreSQL and the object store. Searches return ids and scores; text and permissions come from
//! PostgreSQL.
//!
//! - [`analyze()`]: text analysis for English and Russian, for documents and queries alike
//! - [`VectorIndex`]: the only code that knows LanceDB
//! - [`fuse()`]: weighted reciprocal rank fusion of the vector and the full-text arm, by rank and score
//! - [`SelfTest`]: measures how reliable the vector arm is for a base's languages

// `Send` checks on DataFusion's futures exceed the default recursion limit of 128.
#![recursion_limit = "256"]

mod analyze;
mod error;
mod fuse;
mod lance;
mod language;
mod selftest;

pub use analyze::{ANALYSIS, Word, analyze, words};
pub use error::IndexError;
pub use fuse::{DEFAULT_K, FusedHit, OVER_FETCH, fuse};
pub use lance::{
    Hit, IndexOptions, IndexRow, MAINTENANCE_STEPS, OptimizeReport, Retention, TableState, TableStats, Tidied,
    VectorIndex, table_name,
};
pub use language::language_of;
pub use selftest::{ArmWeights, LanguageWeights, Sample, SelfTest, Weights};

#[cfg(test)]
mod tests;
