//! Copies and renames: rows alone, the content is not touched.

use super::{
    Files, lock_keys, permit,
    tags::{check_metadata, check_tags},
    versions::Before,
    write::{OCTETS, check_type},
};
use crate::{
    Bucket, Caller, Conditions, CopyObject, EtagList, FilesError, Key, NewObject, Object, Operation, ScanState, Verb,
    VersionId, Versioning, Written, metrics, store,
};
use platform::db::Tx;

impl Files {
    /// Writes an object with the content of a version, within one organisation. The etag is that of the source, because the content is.
    pub async fn copy(
        &self,
        who: &Caller,
        from: (&Bucket, &Object),
        to: (&Bucket, Key),
        new: CopyObject,
    ) -> Result<Written, FilesError> {
        self.inner.metrics.seen(Operation::Copy, self.copy_rows(who, from, to, new)).await
    }

    async fn copy_rows(
        &self,
        who: &Caller,
        from: (&Bucket, &Object),
        to: (&Bucket, Key),
        new: CopyObject,
    ) -> Result<Written, FilesError> {
        let ((from_bucket, source), (bucket, key)) = (from, to);
        if let Some(replace) = &new.replace {
            check_tags(&replace.tags)?;
            check_metadata(&replace.metadata)?;
        }
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, from_bucket, Verb::Read, source.key.as_str()).await?;
        permit(&mut tx, who, bucket, Verb::Write, key.as_str()).await?;
        lock_keys(&mut tx, &[(from_bucket.id, &source.key), (bucket.id, &key)]).await?;
        let bucket = store::buckets::share(&mut tx, bucket).await?.ok_or(FilesError::BucketNotFound)?;
        let source = self.source(&mut tx, source.id).await?;
        if from_bucket.id != bucket.id {
            self.readable(from_bucket, &source)?;
        }
        let before = Before::find(&mut tx, &bucket, &key).await?;
        before.judge(&new.when)?;
        let object = self.copied(who, &bucket, key, &source, new.replace.map(|new| *new));
        check_type(&bucket, &object.sniffed, Some(&object.content_type))?;
        let written = self.place_copy(&mut tx, who, &bucket, &before, object).await?;
        tx.commit().await?;
        metrics::written(&written.object);
        Ok(written)
    }

    /// Gives an object another key, in the same or another bucket. Without `replace` nothing may be there.
    pub async fn rename(
        &self,
        who: &Caller,
        from: (&Bucket, &Key),
        to: (&Bucket, Key),
        replace: bool,
    ) -> Result<Written, FilesError> {
        self.inner.metrics.seen(Operation::Copy, self.rename_rows(who, from, to, replace)).await
    }

    async fn rename_rows(
        &self,
        who: &Caller,
        from: (&Bucket, &Key),
        to: (&Bucket, Key),
        replace: bool,
    ) -> Result<Written, FilesError> {
        let ((from_bucket, from_key), (bucket, key)) = (from, to);
        let mut tx = self.inner.db.tenant(who.org).await?;
        for verb in [Verb::Read, Verb::Delete] {
            permit(&mut tx, who, from_bucket, verb, from_key.as_str()).await?;
        }
        permit(&mut tx, who, bucket, Verb::Write, key.as_str()).await?;
        lock_keys(&mut tx, &[(from_bucket.id, from_key), (bucket.id, &key)]).await?;
        let from_bucket = store::buckets::share(&mut tx, from_bucket).await?.ok_or(FilesError::BucketNotFound)?;
        let bucket = store::buckets::share(&mut tx, bucket).await?.ok_or(FilesError::BucketNotFound)?;
        let source = store::objects::current(&mut tx, from_bucket.id, from_key).await?;
        let source = self.source(&mut tx, source.ok_or(FilesError::ObjectNotFound)?.id).await?;
        if from_bucket.id == bucket.id && *from_key == key {
            return Ok(Written { object: source, created: false });
        }
        if from_bucket.id != bucket.id {
            self.readable(&from_bucket, &source)?;
        }
        let before = Before::find(&mut tx, &bucket, &key).await?;
        let when = Conditions { if_none_match: (!replace).then_some(EtagList::Any), ..Conditions::default() };
        before.judge(&when).map_err(|_| FilesError::Exists)?;
        let object = Object { key, bucket: bucket.id, ..source.clone() };
        check_type(&bucket, &object.sniffed, Some(&object.content_type))?;
        let written = if from_bucket.versioning == Versioning::Off && bucket.versioning == Versioning::Off {
            self.moved(&mut tx, who, (&from_bucket, from_key), &bucket, &before, object).await?
        } else {
            let object = self.copied(who, &bucket, object.key, &source, None);
            let written = self.place_copy(&mut tx, who, &bucket, &before, object).await?;
            self.delete_one(&mut tx, who, &from_bucket, from_key, None, &Conditions::default()).await?;
            written
        };
        tx.commit().await?;
        metrics::written(&written.object);
        Ok(written)
    }

    /// Where neither bucket has versions the row itself gets the other key: nothing more is stored, in the trash either.
    async fn moved(
        &self,
        tx: &mut Tx,
        who: &Caller,
        (from_bucket, from_key): (&Bucket, &Key),
        bucket: &Bucket,
        before: &Before,
        object: Object,
    ) -> Result<Written, FilesError> {
        self.make_way(tx, who, bucket, &object.key, before, self.inner.clock.now()).await?;
        store::versions::move_to(tx, object.id, bucket.id, &object.key).await?;
        let created = before.current().is_none();
        self.tell_deleted(tx, from_bucket, from_key, object.id).await?;
        self.tell_created(tx, bucket, &object, !created).await?;
        Ok(Written { object, created })
    }

    /// A version whose content is copied: it stays until the transaction ends, and its blobs with it.
    async fn source(&self, tx: &mut Tx, id: VersionId) -> Result<Object, FilesError> {
        if !store::versions::hold(tx, id).await? {
            return Err(FilesError::ObjectNotFound);
        }
        match store::objects::by_ids(tx, &[id.0]).await?.pop() {
            None => Err(FilesError::ObjectNotFound),
            Some(source) if source.marker => Err(FilesError::Marker { id }),
            Some(source) if source.scan == ScanState::Infected => Err(FilesError::Quarantined),
            Some(source) => Ok(source),
        }
    }

    async fn place_copy(
        &self,
        tx: &mut Tx,
        who: &Caller,
        bucket: &Bucket,
        before: &Before,
        object: Object,
    ) -> Result<Written, FilesError> {
        let limit = self.limit(bucket, None);
        if object.size > limit {
            return Err(FilesError::TooLarge { limit });
        }
        self.has_room(tx, bucket, object.size, before.current().is_none()).await?;
        let whole = store::blobs::is_whole(tx, &object.pieces).await?;
        self.place(tx, who, bucket, before, object, whole).await
    }

    fn copied(&self, who: &Caller, bucket: &Bucket, key: Key, source: &Object, replace: Option<NewObject>) -> Object {
        let copy = Object {
            id: VersionId::generate(&self.inner.clock),
            bucket: bucket.id,
            key,
            current: true,
            // Locks are not copied: they are of a version, not of a content.
            lock: None,
            legal_hold: false,
            created_by: who.subject.clone(),
            created_at: self.inner.clock.now(),
            // Where it comes from it may not have been scanned.
            scan: if source.scan == ScanState::None { self.scan_of_new(bucket) } else { source.scan },
            ..source.clone()
        };
        let Some(new) = replace else { return copy };
        Object {
            content_type: new.content_type.filter(|kind| !kind.is_empty()).unwrap_or_else(|| OCTETS.to_owned()),
            headers: new.headers,
            metadata: new.metadata,
            tags: new.tags,
            lock: new.lock,
            legal_hold: new.legal_hold,
            ..copy
        }
    }
}
