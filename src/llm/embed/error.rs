//! What can go wrong between a model folder and a vector.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file of the model folder is absent or unreadable; the path says which.
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    /// A file is there but is not what it should be.
    #[error("{path} is not usable: {reason}")]
    Malformed { path: PathBuf, reason: String },
    /// The model needs something that is not built in (another architecture, a dense layer after pooling).
    #[error("this model is not supported: {0}")]
    Unsupported(String),
    #[error("the text cannot be tokenised: {0}")]
    Tokenize(String),
    /// A token that the model's tables do not have: its files do not belong together.
    #[error("the tokenizer and the weights do not belong together: {0}")]
    Mismatch(String),
    #[error("the model failed")]
    Model(#[from] holdfast_kernels::GemmError),
    /// No threads could be started for the model.
    #[error("the model has no threads to run on")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The weights produced NaN or infinity: a damaged file, or half-precision weights that overflow.
    #[error("the model produced a vector that is not finite")]
    NotFinite,
}

impl EmbedError {
    pub(super) fn malformed(path: impl Into<PathBuf>, reason: &dyn ToString) -> Self {
        Self::Malformed { path: path.into(), reason: reason.to_string() }
    }
}
