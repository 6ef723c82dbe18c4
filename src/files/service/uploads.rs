//! Uploads in parts: begun, looked up, completed, given up. A completed one is rows alone: its parts are blobs already.

use chrono::TimeDelta;
use uuid::{Builder, Uuid};

use super::{
    Files, lock_keys,
    parts::{Whole, assembled},
    permit,
    tags::{check_metadata, check_tags},
    versions::Before,
    write::{OCTETS, check_type},
};
use crate::{
    Bucket, Caller, Conditions, FilesError, Key, ListUploads, NewUpload, Object, Operation, Upload, UploadId,
    UploadKind, Verb, VersionId, Written, lock, metrics, sniff,
    sniff::HEAD,
    store::{self, uploads::Hold},
};
use platform::{
    crypto,
    db::{DbError, Tx},
    lifecycle::uncancelled,
};

impl Files {
    /// Begins an upload. What can be refused before its content comes is refused now.
    pub async fn begin_upload(
        &self,
        who: &Caller,
        bucket: &Bucket,
        key: Key,
        new: NewUpload,
    ) -> Result<Upload, FilesError> {
        check_tags(&new.tags)?;
        check_metadata(&new.metadata)?;
        let limit = self.limit(bucket, new.claims.as_ref());
        if new.length.is_some_and(|length| length > limit) {
            return Err(FilesError::TooLarge { limit });
        }
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Write, key.as_str()).await?;
        let bucket = store::buckets::share(&mut tx, bucket).await?.ok_or(FilesError::BucketNotFound)?;
        let before = Before::find(&mut tx, &bucket, &key).await?;
        before.judge(&new.when)?;
        if !new.replace && before.current().is_some() {
            return Err(FilesError::Exists);
        }
        self.has_room(&mut tx, &bucket, new.length.unwrap_or(0), before.current().is_none()).await?;
        if new.lock.is_some() || new.legal_hold {
            lock::check(&bucket, new.lock, new.legal_hold, store::versions::server_time(&mut tx).await?)?;
        }
        if let Some(claims) = &new.claims {
            self.spend(&mut tx, claims).await?;
        }
        let upload = Upload {
            // Random: it is a secret in the address of a tus upload.
            id: UploadId(Builder::from_random_bytes(crypto::random_bytes()).into_uuid()),
            org: bucket.org,
            bucket: bucket.id,
            key,
            kind: new.kind,
            length: new.length,
            received: 0,
            replace: new.replace,
            content_type: new.content_type.filter(|kind| !kind.is_empty()).unwrap_or_else(|| OCTETS.to_owned()),
            headers: new.headers,
            metadata: new.metadata,
            tags: new.tags,
            lock: new.lock,
            legal_hold: new.legal_hold,
            checksum: new.checksum,
            full_checksum: new.full_checksum,
            claims: new.claims,
            created_by: who.subject.clone(),
            created_at: now,
            expires_at: now + TimeDelta::days(self.inner.config.max_upload_days.into()),
            ended_at: None,
            object: None,
        };
        store::uploads::insert(&mut tx, &upload).await?;
        tx.commit().await?;
        Ok(upload)
    }

    /// An upload that the caller may write to, ended ones too.
    pub async fn upload(&self, who: &Caller, id: UploadId) -> Result<Upload, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::uploads::by_id(&mut tx, id).await?.ok_or(FilesError::UploadNotFound)?;
        let bucket = store::buckets::by_id(&mut tx, found.bucket).await?.ok_or(FilesError::UploadNotFound)?;
        permit(&mut tx, who, &bucket, Verb::Write, found.key.as_str()).await?;
        drop(tx);
        if found.expires_at <= self.inner.clock.now() { Err(FilesError::Ended) } else { Ok(found) }
    }

    /// Unfinished uploads of a bucket, in the order of keys and ids: one more than `query.most` where there are more.
    pub async fn list_uploads(
        &self,
        who: &Caller,
        bucket: &Bucket,
        query: &ListUploads,
    ) -> Result<Vec<Upload>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::List, &query.prefix).await?;
        let found = store::uploads::list(&mut tx, bucket.id, query, query.most + 1).await?;
        drop(tx);
        Ok(found)
    }

    /// Makes an object of an upload. `parts`: number and etag of each, in order; `None`: all that came. Repeated, it gives the same answer for a day.
    pub async fn complete(
        &self,
        who: &Caller,
        upload: &Upload,
        parts: Option<&[(i32, String)]>,
        when: &Conditions,
    ) -> Result<Written, FilesError> {
        let (files, who, id) = (self.clone(), who.clone(), upload.id);
        let (parts, when) = (parts.map(<[_]>::to_vec), when.clone());
        // A client that goes away meanwhile finds its object.
        let done = async move {
            let completed = files.completed(&who, id, parts.as_deref(), &when);
            files.inner.metrics.seen(Operation::Complete, completed).await
        };
        uncancelled(done).await.map_err(DbError::from)?
    }

    async fn completed(
        &self,
        who: &Caller,
        id: UploadId,
        parts: Option<&[(i32, String)]>,
        when: &Conditions,
    ) -> Result<Written, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let seen = store::uploads::by_id(&mut tx, id).await?.ok_or(FilesError::UploadNotFound)?;
        let bucket = store::buckets::by_id(&mut tx, seen.bucket).await?.ok_or(FilesError::UploadNotFound)?;
        permit(&mut tx, who, &bucket, Verb::Write, seen.key.as_str()).await?;
        lock_keys(&mut tx, &[(bucket.id, &seen.key)]).await?;
        let upload = store::uploads::hold(&mut tx, id, Hold::Alone).await?.ok_or(FilesError::UploadNotFound)?;
        if upload.ended_at.is_some() {
            return self.became(&mut tx, &upload).await;
        }
        let written = self.complete_in(&mut tx, who, &bucket, &upload, parts, when).await?;
        tx.commit().await?;
        metrics::written(&written.object);
        Ok(written)
    }

    /// In a transaction that holds the key's lock, and the upload's row alone.
    pub(super) async fn complete_in(
        &self,
        tx: &mut Tx,
        who: &Caller,
        bucket: &Bucket,
        upload: &Upload,
        parts: Option<&[(i32, String)]>,
        when: &Conditions,
    ) -> Result<Written, FilesError> {
        let bucket = store::buckets::share(tx, bucket).await?.ok_or(FilesError::UploadNotFound)?;
        let whole = assembled(tx, upload, parts).await?;
        let before = Before::find(tx, &bucket, &upload.key).await?;
        before.judge(when)?;
        if !upload.replace && before.current().is_some() {
            return Err(FilesError::Exists);
        }
        self.check_whole(&bucket, upload, &whole)?;
        self.has_room(tx, &bucket, whole.size, before.current().is_none()).await?;
        let object = self.object_of(&bucket, upload, whole).await?;
        check_type(&bucket, &object.sniffed, Some(&object.content_type))?;
        let is_whole = store::blobs::is_whole(tx, &object.pieces).await?;
        let written = self.place(tx, who, &bucket, &before, object, is_whole).await?;
        store::parts::delete_all(tx, upload.id).await?;
        store::uploads::end(tx, upload.id, Some(written.object.id), self.inner.clock.now()).await?;
        Ok(written)
    }

    /// The answer of an upload that was completed before.
    async fn became(&self, tx: &mut Tx, upload: &Upload) -> Result<Written, FilesError> {
        let id = upload.object.ok_or(FilesError::UploadNotFound)?;
        let object = store::objects::by_ids(tx, &[id.0]).await?.pop().ok_or(FilesError::UploadNotFound)?;
        Ok(Written { object, created: false })
    }

    /// Limits of the bucket and of the token that the upload was begun with.
    fn check_whole(&self, bucket: &Bucket, upload: &Upload, whole: &Whole) -> Result<(), FilesError> {
        let limit = self.limit(bucket, upload.claims.as_ref());
        if whole.size > limit {
            return Err(FilesError::TooLarge { limit });
        }
        if let Some(expected) = upload.length.filter(|expected| *expected != whole.size) {
            return Err(FilesError::Incomplete { expected, got: whole.size });
        }
        let Some(claims) = &upload.claims else { return Ok(()) };
        if let Some(expected) = claims.exact_bytes.filter(|exact| *exact != whole.size) {
            return Err(FilesError::Incomplete { expected, got: whole.size });
        }
        let hash = whole.sha256.map(|hash| crypto::hex(&hash));
        match &claims.sha256 {
            // Where the parts are several, the hash of the whole is not known; then this token is good for one piece only.
            Some(wanted) if hash.as_ref() != Some(wanted) => Err(FilesError::Digest { named: "sha256" }),
            _ => Ok(()),
        }
    }

    async fn object_of(&self, bucket: &Bucket, upload: &Upload, whole: Whole) -> Result<Object, FilesError> {
        use futures::TryStreamExt as _;
        let begin = self.inner.blobs.open(bucket.org, &whole.pieces, 0..whole.size.min(HEAD as u64));
        let head: Vec<bytes::Bytes> = begin.try_collect().await.map_err(FilesError::of_read)?;
        Ok(Object {
            id: VersionId::generate(&self.inner.clock),
            org: bucket.org,
            bucket: bucket.id,
            key: upload.key.clone(),
            current: true,
            marker: false,
            unversioned: true,
            size: whole.size,
            pieces: whole.pieces,
            etag: whole.etag,
            sha256: whole.sha256,
            checksums: whole.checksums,
            parts: if upload.kind == UploadKind::S3 { whole.parts } else { Vec::new() },
            content_type: upload.content_type.clone(),
            sniffed: sniff(&head.concat()).media_type.to_owned(),
            headers: upload.headers.clone(),
            metadata: upload.metadata.clone(),
            tags: upload.tags.clone(),
            lock: upload.lock,
            legal_hold: upload.legal_hold,
            scan: self.scan_of_new(bucket),
            created_by: upload.created_by.clone(),
            created_at: self.inner.clock.now(),
        })
    }

    /// Gives an upload up: its parts are deleted with the next garbage. Err if it is an object already.
    pub async fn abort(&self, who: &Caller, upload: &Upload) -> Result<(), FilesError> {
        self.upload_for(who, upload.id).await?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let held = store::uploads::hold(&mut tx, upload.id, Hold::Alone).await?.ok_or(FilesError::UploadNotFound)?;
        if held.ended_at.is_some() {
            return Err(FilesError::UploadNotFound);
        }
        store::parts::delete_all(&mut tx, held.id).await?;
        store::uploads::end(&mut tx, held.id, None, self.inner.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// As [`Self::upload`]; Err if it has ended.
    pub(super) async fn upload_for(&self, who: &Caller, id: UploadId) -> Result<Upload, FilesError> {
        let found = self.upload(who, id).await?;
        if found.ended_at.is_some() { Err(FilesError::UploadNotFound) } else { Ok(found) }
    }
}

/// A name for whoever writes to an upload.
pub(super) fn new_holder() -> Uuid {
    Builder::from_random_bytes(crypto::random_bytes()).into_uuid()
}
