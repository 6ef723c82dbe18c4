//! Deleting objects and versions.

use chrono::{DateTime, Utc};

use super::{Files, lock_keys, permit, versions::Before};
use crate::{
    Bucket, Caller, Conditions, Deleted, FilesError, Key, Object, Operation, Verb, VersionId, VersionRef, Versioning,
    metrics, store,
};
use platform::db::Tx;

/// Keys that are locked at a time: the server has room for some thousands of locks, for everybody.
const AT_ONCE: usize = 100;

/// Most keys of one call.
const MOST: usize = 1000;

impl Files {
    /// Deletes what is current for a key: into the trash for the days of the bucket, or, where the bucket has versions, behind a marker. With a
    /// version: that one, into the trash. That there is nothing is no error.
    pub async fn delete(
        &self,
        who: &Caller,
        bucket: &Bucket,
        key: &Key,
        version: Option<VersionRef>,
        when: &Conditions,
    ) -> Result<Deleted, FilesError> {
        self.inner.metrics.seen(Operation::Delete, self.delete_now(who, bucket, key, version, when)).await
    }

    async fn delete_now(
        &self,
        who: &Caller,
        bucket: &Bucket,
        key: &Key,
        version: Option<VersionRef>,
        when: &Conditions,
    ) -> Result<Deleted, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Delete, key.as_str()).await?;
        lock_keys(&mut tx, &[(bucket.id, key)]).await?;
        let bucket = store::buckets::share(&mut tx, bucket).await?.ok_or(FilesError::BucketNotFound)?;
        let (deleted, gone) = self.delete_one(&mut tx, who, &bucket, key, version, when).await?;
        tx.commit().await?;
        gone.iter().for_each(metrics::deleted);
        Ok(deleted)
    }

    /// Deletes at most 1000 keys or versions; the answers are in their order. What cannot be deleted does not hold up the others.
    pub async fn delete_many(
        &self,
        who: &Caller,
        bucket: &Bucket,
        keys: Vec<(Key, Option<VersionRef>)>,
    ) -> Result<Vec<Result<Deleted, FilesError>>, FilesError> {
        self.inner.metrics.seen(Operation::Delete, self.delete_all(who, bucket, keys)).await
    }

    async fn delete_all(
        &self,
        who: &Caller,
        bucket: &Bucket,
        keys: Vec<(Key, Option<VersionRef>)>,
    ) -> Result<Vec<Result<Deleted, FilesError>>, FilesError> {
        if keys.len() > MOST {
            return Err(FilesError::invalid("/keys", "too_many", format!("at most {MOST} keys at once")));
        }
        let mut answers = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            answers.extend(self.delete_some(who, bucket, keys).await?);
        }
        Ok(answers)
    }

    async fn delete_some(
        &self,
        who: &Caller,
        bucket: &Bucket,
        keys: &[(Key, Option<VersionRef>)],
    ) -> Result<Vec<Result<Deleted, FilesError>>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let rules = store::rules::list(&mut tx, bucket.id).await?;
        let taken: Vec<_> = keys.iter().map(|(key, _)| (bucket.id, key)).collect();
        lock_keys(&mut tx, &taken).await?;
        let bucket = store::buckets::share(&mut tx, bucket).await?.ok_or(FilesError::BucketNotFound)?;
        let (mut answers, mut all_gone) = (Vec::with_capacity(keys.len()), Vec::new());
        for (key, version) in keys {
            if let Err(why) = crate::may(who, &bucket, &rules, Verb::Delete, key.as_str()) {
                answers.push(Err(why.into()));
                continue;
            }
            match self.delete_one(&mut tx, who, &bucket, key, *version, &Conditions::default()).await {
                Ok((deleted, gone)) => {
                    answers.push(Ok(deleted));
                    all_gone.extend(gone);
                }
                // The transaction is lost with it.
                Err(error) if error.is_of_database() => return Err(error),
                Err(error) => answers.push(Err(error)),
            }
        }
        tx.commit().await?;
        all_gone.iter().for_each(metrics::deleted);
        Ok(answers)
    }

    /// Under the key's lock. Nothing is written before it is known that all of it may be. Returns the version that is gone, too.
    pub(super) async fn delete_one(
        &self,
        tx: &mut Tx,
        who: &Caller,
        bucket: &Bucket,
        key: &Key,
        version: Option<VersionRef>,
        when: &Conditions,
    ) -> Result<(Deleted, Option<Object>), FilesError> {
        let now = self.inner.clock.now();
        if let Some(version) = version {
            return self.delete_version(tx, who, bucket, key, version, when).await;
        }
        let before = Before::find(tx, bucket, key).await?;
        before.judge(when)?;
        if bucket.versioning == Versioning::Off {
            let Some(current) = before.latest else { return Ok((Deleted::default(), None)) };
            self.take_away(tx, who, bucket, &current, now).await?;
            self.tell_deleted(tx, bucket, key, current.id).await?;
            return Ok((Deleted { version: Some(current.version()), ..Deleted::default() }, Some(current)));
        }
        self.make_way(tx, who, bucket, key, &before, now).await?;
        let marker = self.marker(who, bucket, key, now);
        store::objects::insert(tx, &marker, false).await?;
        self.tell_deleted(tx, bucket, key, marker.id).await?;
        Ok((Deleted { marker: Some(marker.id), ..Deleted::default() }, before.latest.filter(|latest| latest.current)))
    }

    async fn delete_version(
        &self,
        tx: &mut Tx,
        who: &Caller,
        bucket: &Bucket,
        key: &Key,
        version: VersionRef,
        when: &Conditions,
    ) -> Result<(Deleted, Option<Object>), FilesError> {
        let found = store::objects::version(tx, bucket.id, key, version).await?;
        if !when.permit(found.as_ref().filter(|found| !found.marker).map(|found| found.etag.as_str())) {
            return Err(FilesError::Precondition);
        }
        let Some(found) = found else { return Ok((Deleted::default(), None)) };
        self.take_away(tx, who, bucket, &found, self.inner.clock.now()).await?;
        store::versions::promote(tx, bucket.id, key).await?;
        self.tell_deleted(tx, bucket, key, found.id).await?;
        let deleted = Deleted { marker: None, version: Some(found.version()), was_marker: found.marker };
        Ok((deleted, Some(found).filter(|found| !found.marker)))
    }

    /// A version that says that its key was deleted.
    fn marker(&self, who: &Caller, bucket: &Bucket, key: &Key, now: DateTime<Utc>) -> Object {
        Object {
            id: VersionId::generate(&self.inner.clock),
            org: bucket.org,
            bucket: bucket.id,
            key: key.clone(),
            current: false,
            marker: true,
            unversioned: bucket.versioning != Versioning::On,
            size: 0,
            pieces: Vec::new(),
            etag: String::new(),
            sha256: None,
            checksums: crate::Checksums::new(),
            parts: Vec::new(),
            content_type: String::new(),
            sniffed: String::new(),
            headers: crate::Headers::default(),
            metadata: crate::Metadata::new(),
            tags: crate::Tags::new(),
            lock: None,
            legal_hold: false,
            scan: crate::ScanState::None,
            created_by: who.subject.clone(),
            created_at: now,
        }
    }
}
