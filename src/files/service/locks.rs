//! Locks of versions: retention and legal hold.

use super::{Files, permit};
use crate::{Bucket, Caller, FilesError, Lock, Object, Verb, VersionId, lock, store};
use platform::db::Tx;

impl Files {
    /// Locks a version until a time, changes its lock, or (`None`) ends it, as far as its mode permits.
    pub async fn set_lock(&self, who: &Caller, object: &Object, lock: Option<Lock>) -> Result<Object, FilesError> {
        let (mut tx, bucket) = self.for_locking(who, object).await?;
        let before = self.held(&mut tx, object.id).await?;
        let (now, bypass) = (store::versions::server_time(&mut tx).await?, self.bypasses(&mut tx, who, &bucket).await?);
        lock::check(&bucket, lock, false, now)?;
        lock::may_change(before.lock, lock, now, bypass)?;
        store::versions::set_lock(&mut tx, object.id, lock).await?;
        tx.commit().await?;
        Ok(Object { lock, ..before })
    }

    /// Puts a version under a legal hold, or releases it.
    pub async fn set_hold(&self, who: &Caller, object: &Object, hold: bool) -> Result<Object, FilesError> {
        let (mut tx, bucket) = self.for_locking(who, object).await?;
        let before = self.held(&mut tx, object.id).await?;
        let now = store::versions::server_time(&mut tx).await?;
        lock::check(&bucket, None, hold, now)?;
        store::versions::set_hold(&mut tx, object.id, hold).await?;
        tx.commit().await?;
        Ok(Object { legal_hold: hold, ..before })
    }

    async fn for_locking(&self, who: &Caller, object: &Object) -> Result<(Tx, Bucket), FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let bucket = store::buckets::by_id(&mut tx, object.bucket).await?.ok_or(FilesError::BucketNotFound)?;
        permit(&mut tx, who, &bucket, Verb::Admin, object.key.as_str()).await?;
        Ok((tx, bucket))
    }

    /// A version as it is now, whose row is held until the transaction ends: neither its lock nor its description changes meanwhile.
    pub(super) async fn held(&self, tx: &mut Tx, id: VersionId) -> Result<Object, FilesError> {
        if !store::versions::hold_alone(tx, id).await? {
            return Err(FilesError::VersionNotFound);
        }
        let found = store::objects::by_ids(tx, &[id.0]).await?.pop().ok_or(FilesError::VersionNotFound)?;
        if found.marker { Err(FilesError::Marker { id }) } else { Ok(found) }
    }
}
