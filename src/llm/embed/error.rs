//! Errors of loading and running an embedding model.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A file of the model folder is missing or unreadable; the path names it.
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    /// A file has unexpected content.
    #[error("{path} is not usable: {reason}")]
    Malformed { path: PathBuf, reason: String },
    /// The model needs an unsupported feature (another architecture, a dense layer after pooling).
    #[error("this model is not supported: {0}")]
    Unsupported(String),
    #[error("the text cannot be tokenised: {0}")]
    Tokenize(String),
    /// A token id outside the model's tables: the files do not match.
    #[error("the tokenizer and the weights do not match: {0}")]
    Mismatch(String),
    #[error("the model failed")]
    Model(#[from] holdfast_kernels::GemmError),
    /// The model's threads could not be started.
    #[error("the model's threads could not be started")]
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
