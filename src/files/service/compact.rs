//! Objects of many small pieces, as slow connections leave them, are stored anew in whole blobs: reading one is then one read. What readers see stays.

use super::Files;
use crate::{FilesError, Object, Want, store};
use platform::ids::OrgId;
use storage::DigestSet;

/// Objects that are looked for at a time.
const AT_ONCE: i64 = 20;

impl Files {
    /// Joins the pieces of objects that have many; returns of how many objects.
    pub(crate) async fn compact(&self, is_cancelled: impl Fn() -> bool + Send + Sync) -> Result<u64, FilesError> {
        let mut joined = 0;
        let mut after = uuid::Uuid::nil();
        loop {
            let mut tx = self.inner.db.system().await?;
            let found = store::extents::scattered(&mut tx, after, AT_ONCE).await?;
            drop(tx);
            let Some((_, last)) = found.last() else { return Ok(joined) };
            after = last.0;
            for (org, id) in found {
                if is_cancelled() {
                    return Ok(joined);
                }
                joined += u64::from(self.join_pieces(org, id).await?);
            }
        }
    }

    /// False: it is gone, or has changed meanwhile, or cannot be read.
    async fn join_pieces(&self, org: OrgId, id: crate::VersionId) -> Result<bool, FilesError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let object = store::objects::by_ids(&mut tx, &[id.0]).await?.pop();
        drop(tx);
        let Some(object) = object.filter(|object| object.pieces.len() > 1) else { return Ok(false) };
        let content = self.inner.blobs.open(org, &object.pieces, 0..object.size);
        let want = Want { length: Some(object.size), limit: object.size, digests: DigestSet::default() };
        let mut put = match self.inner.blobs.put(org, content, &want).await {
            Ok(put) => put,
            Err(FilesError::Storage(storage::StorageError::Body(_))) => return Ok(false),
            Err(error) => return Err(error),
        };
        match self.swap_pieces(&object, &mut put).await {
            Ok(true) => {
                put.committed();
                Ok(true)
            }
            // Nothing was committed: the new blobs are deleted with `put`.
            Ok(false) => Ok(false),
            Err(error) => {
                if error.is_of_database() {
                    put.left();
                }
                Err(error)
            }
        }
    }

    /// In one transaction, where the object is still what was read. False: it is not.
    async fn swap_pieces(&self, object: &Object, put: &mut crate::Put) -> Result<bool, FilesError> {
        let mut tx = self.inner.db.tenant(object.org).await?;
        // Nobody copies its pieces meanwhile.
        if !store::extents::hold(&mut tx, object.id).await? {
            return Ok(false);
        }
        let now = store::objects::by_ids(&mut tx, &[object.id.0]).await?.pop();
        if now.is_none_or(|now| now.pieces != object.pieces) {
            return Ok(false);
        }
        self.inner.blobs.keep(&mut tx, object.org, put).await?;
        store::extents::swap(&mut tx, object, &put.pieces).await?;
        tx.commit().await?;
        Ok(true)
    }
}
