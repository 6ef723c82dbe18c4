//! Metric labels.

use prometheus_client::encoding::EncodeLabelSet;

use crate::{
    error::Failure,
    model::{BackendKind, Operation, Outcome},
};
use platform::label_enum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    pub operation: Operation,
    pub backend: BackendKind,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BackendLabels {
    pub operation: Operation,
    pub backend: BackendKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TokenLabels {
    pub backend: BackendKind,
    pub direction: Direction,
}

label_enum! {
    /// Direction of tokens.
    pub enum Direction { Input = "input", Output = "output" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    pub cache: Cache,
    pub result: CacheResult,
}

label_enum! {
    /// Cache of vectors.
    pub enum Cache { Query = "query", Passage = "passage" }
}

label_enum! {
    /// Result of a look-up.
    pub enum CacheResult { Hit = "hit", Miss = "miss" }
}

label_enum! {
    /// What retention deletes.
    pub enum Kept {
        /// Rows of `llm_usage`.
        Usage = "usage",
        /// Rows of `embedding_cache`.
        Vectors = "vectors",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KeptLabels {
    pub kept: Kept,
}

/// The provider's name comes from the configuration: few values, constant while the process runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    pub provider: String,
    pub failure: Failure,
}

/// Names of provider and model from the configuration; `other` for unlisted models.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelCallLabels {
    pub operation: Operation,
    pub provider: String,
    pub model: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelTokenLabels {
    pub provider: String,
    pub model: String,
    pub direction: Direction,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelLabels {
    pub provider: String,
    pub model: String,
}
