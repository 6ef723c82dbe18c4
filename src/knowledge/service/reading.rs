//! Reading a file that belongs to no base, such as one that was given with a question.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::Knowledge;
use crate::{KnowledgeError, model::clean_filename};
use extraction::{ExtractError, Extracted, child::extract_in_child};

/// How long a file waits for its turn: somebody waits before the page.
const PATIENCE: Duration = Duration::from_secs(10);

impl Knowledge {
    /// The text of a file, read in a child process under the limits of documents; nothing is stored. [`KnowledgeError::Busy`] where too many are
    /// being read; [`KnowledgeError::Invalid`] at `/file` with the code of what is wrong with it.
    pub async fn read_text(&self, filename: &str, bytes: Bytes) -> Result<Extracted, KnowledgeError> {
        let permit = timeout(PATIENCE, self.inner.extractions.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(KnowledgeError::Busy) };
        let limits = self.inner.config.extract_limits();
        let read = extract_in_child(&self.inner.extractor, &bytes, &clean_filename(filename), &limits).await;
        read.and_then(Extracted::or_no_text).map_err(|error| match error {
            ExtractError::Unsupported { reason } => reason.into(),
            error => KnowledgeError::invalid("/file", error.code(), error.to_string()),
        })
    }
}
