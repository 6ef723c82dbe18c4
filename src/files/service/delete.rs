//! Deleting objects.

use super::{Files, lock_key, permit};
use crate::{Bucket, Caller, Conditions, Deleted, FilesError, Key, Verb, VersionRef, Versioning, metrics, store};

impl Files {
    /// Deletes what is current for a key: into the trash for the days of the bucket. That there is nothing is no error.
    pub async fn delete(
        &self,
        who: &Caller,
        bucket: &Bucket,
        key: &Key,
        version: Option<VersionRef>,
        when: &Conditions,
    ) -> Result<Deleted, FilesError> {
        if version.is_some() || bucket.versioning != Versioning::Off {
            return Err(FilesError::Unsupported("deleting versions"));
        }
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Delete, key.as_str()).await?;
        lock_key(&mut tx, bucket, key).await?;
        let before = store::objects::current(&mut tx, bucket.id, key).await?;
        if !when.permit(before.as_ref().map(|before| before.etag.as_str())) {
            return Err(FilesError::Precondition);
        }
        let Some(before) = before else { return Ok(Deleted::default()) };
        let now = self.inner.clock.now();
        store::objects::remove(&mut tx, before.id, &who.subject, bucket.trash_days, now).await?;
        tx.commit().await?;
        metrics::deleted(&before);
        Ok(Deleted { version: Some(before.version()), ..Deleted::default() })
    }
}
