//! Which objects this room expects in the store: files of mails.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{Mail, MailError, store::files};
use storage::{Damage, Expected, Inventory, InventoryError};

/// This room's folder.
const FOLDER: &str = "mail";

impl Mail {
    async fn expected_files(&self, after: &str, most: usize) -> Result<Vec<Expected>, MailError> {
        let mut tx = self.inner.db.system().await?;
        let found = files::attached_after(&mut tx, after, i64::try_from(most).unwrap_or(i64::MAX)).await?;
        drop(tx);
        let expected = |file: files::Attached| Expected {
            key: file.object,
            size: u64::try_from(file.size).unwrap_or_default(),
            sha256: None,
        };
        Ok(found.into_iter().map(expected).collect())
    }

    async fn known_files(&self, keys: &[String]) -> Result<HashSet<String>, MailError> {
        let mut tx = self.inner.db.system().await?;
        let found = files::known(&mut tx, keys).await?;
        drop(tx);
        Ok(found.into_iter().collect())
    }
}

#[async_trait]
impl Inventory for Mail {
    fn room(&self) -> &'static str {
        FOLDER
    }

    async fn expected(&self, after: &str, most: usize) -> Result<Vec<Expected>, InventoryError> {
        self.expected_files(after, most).await.map_err(InventoryError::room)
    }

    async fn known(&self, keys: &[String]) -> Result<HashSet<String>, InventoryError> {
        self.known_files(keys).await.map_err(InventoryError::room)
    }

    /// The log shows a mail without the file that is missing.
    async fn noted(&self, _key: &str, _damage: Option<Damage>) -> Result<(), InventoryError> {
        Ok(())
    }
}
