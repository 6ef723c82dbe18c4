//! Whose store this is.

use bytes::Bytes;

use super::{PROBES, Storage};
use crate::StorageError;

impl Storage {
    /// Says that the store belongs to an installation. `Some`: it belongs to another one, whose id this is: two that swept one store would delete each
    /// other's files. Of the whole store.
    pub async fn claim(&self, installation: &str) -> Result<Option<String>, StorageError> {
        let key = format!("{PROBES}/installation");
        if self.put_new(&key, Bytes::from(installation.to_owned())).await? {
            return Ok(None);
        }
        let owner = String::from_utf8_lossy(&self.get_bytes(&key).await?).into_owned();
        Ok(Some(owner).filter(|owner| owner != installation))
    }

    /// Gives the store to an installation, whosever it was: after a restore, and where it was moved to.
    pub async fn take_over(&self, installation: &str) -> Result<(), StorageError> {
        self.put(&format!("{PROBES}/installation"), Bytes::from(installation.to_owned())).await
    }
}
