//! The search index of knowledge bases: LanceDB tables, text analysis, fusion of the two arms and their weights.
//!
//! One table for each knowledge base and index generation ([`table_name`]); a table has one writer at a time (the caller holds the
//! base's advisory lock) and any number of readers. Nothing here is the truth: PostgreSQL and the objects are, and a table can be
//! dropped and rebuilt from them. Answers are ids and scores; text and permission come from PostgreSQL.
//!
//! - [`analyze()`]: words to terms, English and Russian, for documents and queries alike
//! - [`VectorIndex`]: the only code that knows LanceDB
//! - [`fuse()`]: weighted reciprocal rank fusion of the vector and the full-text arm, by rank and score
//! - [`SelfTest`]: how far the vector arm can be trusted with the languages of a base

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
mod evaluation;
#[cfg(test)]
mod tests;
