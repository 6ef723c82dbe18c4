//! CORS rules for those who ask before they say who they are.

use serde_json::Value;

use super::Files;
use crate::{FilesError, store};

impl Files {
    /// The rules of each bucket of this name, of all organisations: a browser's first question has no key that would say whose bucket is meant. They are
    /// compared with the question, and nothing else of them is told.
    pub async fn cors_of(&self, bucket: &str) -> Result<Vec<Value>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let rules = store::cors::of_name(&mut tx, bucket).await?;
        tx.commit().await?;
        Ok(rules)
    }
}
