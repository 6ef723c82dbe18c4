//! The trash: what was deleted and can be brought back.

use super::{Files, lock_keys, permit, versions::Before};
use crate::{
    Bucket, BucketCreated, BucketId, Caller, FilesError, TrashEntry, TrashedBucket, Verb, VersionId, Versioning,
    Written, metrics, store,
};
use platform::{
    db::{DbError, Tx, constraint},
    http::Slice,
};

/// Versions that are deleted in one transaction.
const AT_ONCE: i64 = 1000;

impl Files {
    /// A page of the trash of a bucket; what was written last comes first. `search` matches a part of the key.
    pub async fn trash(
        &self,
        who: &Caller,
        bucket: &Bucket,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<TrashEntry>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::List, "").await?;
        let found = store::trash::list(&mut tx, Some(bucket.id), search, slice).await?;
        drop(tx);
        Ok(found)
    }

    /// Brings a version back as what a reader of its key gets. What has the key now goes where overwriting would put it.
    pub async fn restore(&self, who: &Caller, id: VersionId) -> Result<Written, FilesError> {
        let (mut tx, bucket, entry) = self.trashed(who, id).await?;
        let object = entry.object;
        permit(&mut tx, who, &bucket, Verb::Write, object.key.as_str()).await?;
        lock_keys(&mut tx, &[(bucket.id, &object.key)]).await?;
        let bucket = store::buckets::share(&mut tx, &bucket).await?.ok_or(FilesError::BucketNotFound)?;
        // Under the key's lock: it may have been brought back or purged meanwhile.
        if store::trash::entries(&mut tx, &[id.0]).await?.is_empty() || !store::versions::hold(&mut tx, id).await? {
            return Err(FilesError::VersionNotFound);
        }
        let before = Before::find(&mut tx, &bucket, &object.key).await?;
        // Its bytes count already: only the number of objects grows.
        self.has_room(&mut tx, &bucket, 0, before.current().is_none()).await?;
        self.make_way(&mut tx, who, &bucket, &object.key, &before, self.inner.clock.now()).await?;
        store::versions::revive(&mut tx, id, bucket.versioning != Versioning::On).await?;
        let object = store::objects::by_ids(&mut tx, &[id.0]).await?.pop().ok_or(FilesError::VersionNotFound)?;
        self.tell_restored(&mut tx, &bucket, &object).await?;
        tx.commit().await?;
        metrics::written(&object);
        Ok(Written { object, created: before.current().is_none() })
    }

    /// Deletes a version out of the trash for good.
    pub async fn purge(&self, who: &Caller, id: VersionId) -> Result<(), FilesError> {
        let (mut tx, bucket, entry) = self.trashed(who, id).await?;
        permit(&mut tx, who, &bucket, Verb::Delete, entry.object.key.as_str()).await?;
        if !store::trash::delete(&mut tx, id).await? {
            return Err(FilesError::VersionNotFound);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Deletes the whole trash of a bucket for good; returns how many versions that were.
    pub async fn empty_trash(&self, who: &Caller, bucket: &Bucket) -> Result<u64, FilesError> {
        let mut all = 0;
        loop {
            let mut tx = self.inner.db.tenant(who.org).await?;
            permit(&mut tx, who, bucket, Verb::Delete, "").await?;
            let deleted = store::trash::empty(&mut tx, bucket.id, AT_ONCE).await?;
            tx.commit().await?;
            all += deleted;
            if deleted == 0 {
                return Ok(all);
            }
        }
    }

    async fn trashed(&self, who: &Caller, id: VersionId) -> Result<(Tx, Bucket, TrashEntry), FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let entry = store::trash::entries(&mut tx, &[id.0]).await?.pop().ok_or(FilesError::VersionNotFound)?;
        let bucket = store::buckets::by_id(&mut tx, entry.object.bucket).await?.ok_or(FilesError::BucketNotFound)?;
        Ok((tx, bucket, entry))
    }

    /// Buckets that were deleted while their trash had content, the newest first.
    pub async fn trashed_buckets(&self, who: &Caller, slice: &Slice) -> Result<Vec<TrashedBucket>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::buckets::trashed(&mut tx, slice).await?;
        drop(tx);
        Ok(found)
    }

    /// Brings a bucket back with its trash, under a name that is free.
    pub async fn restore_bucket(&self, who: &Caller, id: BucketId, name: &str) -> Result<Bucket, FilesError> {
        crate::access::may_make(who)?;
        super::buckets::check_name(name)?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let now = self.inner.clock.now();
        let revived =
            store::buckets::revive(&mut tx, id, name, now).await.map_err(|error| match constraint(&error) {
                Some("files_buckets_name_key") => FilesError::BucketExists,
                _ => DbError::from(error).into(),
            })?;
        let bucket = store::buckets::by_id(&mut tx, id).await?.filter(|_| revived).ok_or(FilesError::BucketNotFound)?;
        events::publish(&mut tx, &self.inner.clock, Some(bucket.org), &BucketCreated { bucket_id: id }).await?;
        tx.commit().await?;
        Ok(bucket)
    }
}
