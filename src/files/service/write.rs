//! Writing objects: from a stream to durable blobs, and then one transaction.

use bytes::Bytes;
use futures::Stream;

use super::{Files, lock_key, permit};
use crate::{
    Bucket, Caller, Claims, EtagKind, FilesError, Key, NewObject, Object, Put, ScanState, Verb, VersionId, Versioning,
    Want, Written, content_etag, md5_etag, metrics, sniff, store,
};
use platform::{crypto, db::DbError, lifecycle::uncancelled};
use storage::{DigestKind, DigestSet};

/// What a content is said to be where nobody says anything.
const OCTETS: &str = "application/octet-stream";

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
        if bucket.versioning != Versioning::Off || new.lock.is_some() || new.legal_hold {
            return Err(FilesError::Unsupported("writing versions and locks"));
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
    fn limit(&self, bucket: &Bucket, claims: Option<&Claims>) -> u64 {
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
            checksums: checksums(&new),
            parts: Vec::new(),
            content_type: new.content_type.filter(|kind| !kind.is_empty()).unwrap_or_else(|| OCTETS.to_owned()),
            sniffed: sniff(&put.head).media_type.to_owned(),
            headers: new.headers,
            metadata: new.metadata,
            tags: new.tags,
            lock: new.lock,
            legal_hold: new.legal_hold,
            scan: ScanState::None,
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
        lock_key(&mut tx, bucket, &object.key).await?;
        if !store::buckets::share(&mut tx, bucket.id).await? {
            return Err(FilesError::BucketNotFound);
        }
        let before = store::objects::current(&mut tx, bucket.id, &object.key).await?;
        if !new.when.permit(before.as_ref().map(|before| before.etag.as_str())) {
            return Err(FilesError::Precondition);
        }
        self.has_room(&mut tx, bucket, put.size, before.is_none()).await?;
        self.inner.blobs.keep(&mut tx, bucket.org, put).await?;
        object.pieces.clone_from(&put.pieces);
        if let Some(before) = &before {
            store::objects::remove(&mut tx, before.id, &who.subject, bucket.trash_days, object.created_at).await?;
        }
        store::objects::insert(&mut tx, &object).await?;
        tx.commit().await?;
        Ok(Written { object, created: before.is_none() })
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

/// What is stored with the object of the hashes that its client sent.
fn checksums(new: &NewObject) -> crate::Checksums {
    use base64::Engine as _;
    let encode = |hash: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(hash);
    let sent = new.expect.0.iter().filter(|(kind, _)| *kind != DigestKind::Md5);
    sent.map(|(kind, hash)| (kind.as_str().to_owned(), encode(hash))).collect()
}

/// Compares the content with what was said of it, before anything refers to it.
fn check_content(bucket: &Bucket, new: &NewObject, put: &Put) -> Result<(), FilesError> {
    for (kind, expected) in &new.expect.0 {
        let is_same = put.digests.get(*kind).is_some_and(|hash| crypto::constant_time_eq(hash, expected));
        if !is_same {
            return Err(FilesError::Digest { named: kind.as_str() });
        }
    }
    if let Some(claims) = &new.claims {
        if let Some(expected) = claims.exact_bytes.filter(|exact| *exact != put.size) {
            return Err(FilesError::Incomplete { expected, got: put.size });
        }
        if claims.sha256.as_ref().is_some_and(|hash| *hash != crypto::hex(&put.digests.sha256)) {
            return Err(FilesError::Digest { named: "sha256" });
        }
    }
    let found = sniff(&put.head).media_type;
    let found = if found.is_empty() { new.content_type.as_deref().unwrap_or(OCTETS) } else { found };
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
