//! Writing objects: from a stream to durable blobs, and then one transaction.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::Stream;

use super::{
    Files, lock_keys, permit,
    tags::{check_metadata, check_tags},
    versions::Before,
};
use crate::{
    Bucket, Caller, Checksums, Claims, EtagKind, Expect, FilesError, Key, NewObject, Object, Operation, Put, Verb,
    VersionId, Versioning, Want, Written, content_etag, lock, md5_etag, metrics, sniff, store,
};
use platform::{
    crypto,
    db::{DbError, Tx},
    lifecycle::uncancelled,
};
use storage::{DigestKind, DigestSet, Digested};

/// What a content is said to be where nobody says anything.
pub(super) const OCTETS: &str = "application/octet-stream";

impl Files {
    /// Writes an object. All that can be refused without the content is refused before its first byte is read. A client that goes away before the last
    /// byte leaves nothing, one that goes away after it has its object.
    pub async fn put<S, E>(
        &self,
        who: &Caller,
        bucket: &Bucket,
        key: Key,
        data: S,
        new: NewObject,
    ) -> Result<Written, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.inner.metrics.seen(Operation::Write, self.put_whole(who, bucket, key, data, new)).await
    }

    async fn put_whole<S, E>(
        &self,
        who: &Caller,
        bucket: &Bucket,
        key: Key,
        data: S,
        new: NewObject,
    ) -> Result<Written, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        check_tags(&new.tags)?;
        check_metadata(&new.metadata)?;
        if let Some(claims) = &new.claims {
            claims.check(&new)?;
        }
        let limit = self.limit(bucket, new.claims.as_ref());
        if new.length.is_some_and(|length| length > limit) {
            return Err(FilesError::TooLarge { limit });
        }
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Write, key.as_str()).await?;
        self.has_room(&mut tx, bucket, new.length.unwrap_or(0), false).await?;
        drop(tx);
        let want = Want { length: new.length, limit, digests: digests(&new) };
        let put = self.inner.blobs.put(who.org, data, &want).await?;
        check_content(bucket, &new, &put)?;
        let object = self.object(who, bucket, key, new.clone(), &put);
        // From here on the content is there: a client that goes away must not prevent its row.
        let (files, who, bucket) = (self.clone(), who.clone(), bucket.clone());
        uncancelled(async move { files.commit(&who, &bucket, object, put, &new).await }).await.map_err(DbError::from)?
    }

    /// Largest content, bytes.
    pub(super) fn limit(&self, bucket: &Bucket, claims: Option<&Claims>) -> u64 {
        let of_bucket = bucket.max_object_bytes.and_then(|most| u64::try_from(most).ok());
        let of_token = claims.and_then(|claims| claims.exact_bytes.or(claims.max_bytes));
        [of_bucket, of_token].into_iter().flatten().fold(self.inner.config.max_object_bytes, u64::min)
    }

    fn object(&self, who: &Caller, bucket: &Bucket, key: Key, new: NewObject, put: &Put) -> Object {
        let md5 = put.digests.get(DigestKind::Md5).filter(|_| new.etag == EtagKind::Md5);
        Object {
            id: VersionId::generate(&self.inner.clock),
            org: bucket.org,
            bucket: bucket.id,
            key,
            current: true,
            marker: false,
            unversioned: true,
            size: put.size,
            pieces: Vec::new(),
            etag: md5.map_or_else(|| content_etag(&put.digests.sha256), md5_etag),
            sha256: Some(put.digests.sha256),
            checksums: checksums(&new, put),
            parts: Vec::new(),
            content_type: new.content_type.filter(|kind| !kind.is_empty()).unwrap_or_else(|| OCTETS.to_owned()),
            sniffed: sniff(&put.head).media_type.to_owned(),
            headers: new.headers,
            metadata: new.metadata,
            tags: new.tags,
            lock: new.lock,
            legal_hold: new.legal_hold,
            scan: self.scan_of_new(bucket),
            created_by: who.subject.clone(),
            created_at: self.inner.clock.now(),
        }
    }

    async fn commit(
        &self,
        who: &Caller,
        bucket: &Bucket,
        object: Object,
        mut put: Put,
        new: &NewObject,
    ) -> Result<Written, FilesError> {
        match self.write_rows(who, bucket, object, &mut put, new).await {
            Ok(written) => {
                self.inner.metrics.stored(put.size, put.known_bytes());
                put.committed();
                metrics::written(&written.object);
                Ok(written)
            }
            Err(error) if error.is_of_database() => {
                put.left();
                Err(error)
            }
            // Nothing was committed: the content is deleted with `put`.
            Err(error) => Err(error),
        }
    }

    async fn write_rows(
        &self,
        who: &Caller,
        bucket: &Bucket,
        mut object: Object,
        put: &mut Put,
        new: &NewObject,
    ) -> Result<Written, FilesError> {
        let mut tx = self.inner.db.tenant(bucket.org).await?;
        lock_keys(&mut tx, &[(bucket.id, &object.key)]).await?;
        let bucket = store::buckets::share(&mut tx, bucket).await?.ok_or(FilesError::BucketNotFound)?;
        let before = Before::find(&mut tx, &bucket, &object.key).await?;
        before.judge(&new.when)?;
        self.has_room(&mut tx, &bucket, put.size, before.current().is_none()).await?;
        if let Some(claims) = &new.claims {
            self.spend(&mut tx, claims).await?;
        }
        self.inner.blobs.keep(&mut tx, bucket.org, put).await?;
        object.pieces.clone_from(&put.pieces);
        let written = self.place(&mut tx, who, &bucket, &before, object, true).await?;
        tx.commit().await?;
        Ok(written)
    }

    /// Makes an object, whose bytes are durable, what a reader of its key gets. Under the key's lock. `whole`: if it has one piece, that is all of a blob.
    pub(super) async fn place(
        &self,
        tx: &mut Tx,
        who: &Caller,
        bucket: &Bucket,
        before: &Before,
        mut object: Object,
        whole: bool,
    ) -> Result<Written, FilesError> {
        if object.lock.is_some() || object.legal_hold {
            let now = store::versions::server_time(tx).await?;
            lock::check(bucket, object.lock, object.legal_hold, now)?;
        }
        object.lock = lock::of_new(bucket, object.lock, object.created_at);
        object.unversioned = bucket.versioning != Versioning::On;
        self.make_way(tx, who, bucket, &object.key, before, object.created_at).await?;
        store::objects::insert(tx, &object, whole).await?;
        let created = before.current().is_none();
        self.tell_created(tx, bucket, &object, !created).await?;
        Ok(Written { object, created })
    }

    /// Uses up a token that is good once. Err: it was used before.
    pub(super) async fn spend(&self, tx: &mut Tx, claims: &Claims) -> Result<(), FilesError> {
        match claims.once {
            Some(nonce) if !store::spent::spend(tx, claims.org, nonce, claims.expires).await? => Err(FilesError::Spent),
            _ => Ok(()),
        }
    }
}

/// What is computed while the content comes: what the caller wants, what is to be compared, and what the etag is made of.
fn digests(new: &NewObject) -> DigestSet {
    let wanted = DigestKind::ALL.into_iter().filter(|kind| {
        new.digests.contains(*kind)
            || new.expect.0.iter().any(|(expected, _)| expected == kind)
            || (*kind == DigestKind::Md5 && new.etag == EtagKind::Md5)
    });
    DigestSet::of(wanted)
}

/// What is stored with the object: the hashes that its client sent, or asked for.
fn checksums(new: &NewObject, put: &Put) -> Checksums {
    let is_kept = |kind: &DigestKind| {
        *kind != DigestKind::Md5 && (new.digests.contains(*kind) || new.expect.0.iter().any(|(sent, _)| sent == kind))
    };
    let kept = DigestKind::ALL.into_iter().filter(is_kept);
    kept.filter_map(|kind| Some((kind.as_str().to_owned(), STANDARD.encode(put.digests.get(kind)?)))).collect()
}

/// Err unless a content has the hashes that were sent with it.
pub(super) fn compare(expect: &Expect, digests: &Digested) -> Result<(), FilesError> {
    for (kind, expected) in &expect.0 {
        if !digests.get(*kind).is_some_and(|hash| crypto::constant_time_eq(hash, expected)) {
            return Err(FilesError::Digest { named: kind.as_str() });
        }
    }
    Ok(())
}

/// Compares the content with what was said of it, before anything refers to it.
fn check_content(bucket: &Bucket, new: &NewObject, put: &Put) -> Result<(), FilesError> {
    compare(&new.expect, &put.digests)?;
    if let Some(claims) = &new.claims {
        if let Some(expected) = claims.exact_bytes.filter(|exact| *exact != put.size) {
            return Err(FilesError::Incomplete { expected, got: put.size });
        }
        if claims.sha256.as_ref().is_some_and(|hash| *hash != crypto::hex(&put.digests.sha256)) {
            return Err(FilesError::Digest { named: "sha256" });
        }
    }
    check_type(bucket, sniff(&put.head).media_type, new.content_type.as_deref())
}

/// Err unless the bucket takes this type: of the content, or, where that is not recognised, as it was declared.
pub(super) fn check_type(bucket: &Bucket, found: &str, declared: Option<&str>) -> Result<(), FilesError> {
    let found = if found.is_empty() { declared.unwrap_or(OCTETS) } else { found };
    if bucket.allowed_types.is_empty() || bucket.allowed_types.iter().any(|allowed| is_of_type(found, allowed)) {
        return Ok(());
    }
    Err(FilesError::Type { found: found.to_owned() })
}

/// Whether a media type is this one, or one of `image/*`.
fn is_of_type(found: &str, allowed: &str) -> bool {
    let found = found.split(';').next().unwrap_or_default().trim();
    match allowed.strip_suffix('*') {
        Some(start) => found.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => found.eq_ignore_ascii_case(allowed),
    }
}
