//! Uploads that grow at their end, as tus does it. What came is kept, also of a request that breaks off; a client asks how far it got, and goes on.

use std::convert::Infallible;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

use super::{Files, lock_keys, uploads::new_holder, write::compare};
use crate::{
    Bucket, Caller, Checksums, Conditions, Expect, FilesError, Operation, Piece, Put, Upload, UploadId, UploadKind,
    Want, metrics,
    store::{self, parts::Part, uploads::Hold},
};
use platform::{db::DbError, lifecycle::uncancelled};
use storage::{DigestKind, DigestSet, StorageError};

/// Bytes after which what came is committed: a process that dies loses no more of a request.
const PORTION: u64 = 16 << 20;

/// Most bytes of a request with a digest: they are kept back until it is compared.
const WITH_DIGEST: u64 = 64 << 20;

/// Most pieces of an upload: each is read by itself.
const MOST_PIECES: i32 = 10_000;

/// Pieces of a body that wait between the connection and the store.
const WAITING: usize = 8;

impl Files {
    /// Adds bytes at an offset, which must be where the upload ends; returns where it ends then. With a digest of these bytes they are added whole or not
    /// at all; without one, what came before a failure stays. A later request takes over from one that hangs.
    ///
    /// The bytes that reach the length make the object, in one transaction with them: where that is refused they are not added, so that nobody takes
    /// the upload for done. (Partial uploads become no objects.)
    pub async fn append<S, E>(
        &self,
        who: &Caller,
        upload: &Upload,
        at: u64,
        data: S,
        digest: Option<(DigestKind, Vec<u8>)>,
    ) -> Result<u64, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.inner.metrics.seen(Operation::Part, self.take_appended(who, upload, at, data, digest)).await
    }

    async fn take_appended<S, E>(
        &self,
        who: &Caller,
        upload: &Upload,
        at: u64,
        data: S,
        digest: Option<(DigestKind, Vec<u8>)>,
    ) -> Result<u64, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let upload = self.upload_for(who, upload.id).await?;
        let bucket = self.bucket_by_id(who, upload.bucket).await?;
        let limit = self.limit(&bucket, upload.claims.as_ref());
        let most = upload.length.map_or(limit, |length| length.min(limit)).saturating_sub(at);
        let most = if digest.is_some() { most.min(WITH_DIGEST) } else { most };
        let holder = self.take_over(&upload, at).await?;
        let appending = Appending { who: who.clone(), bucket, upload, holder, at, most, digest };
        let (sender, receiver) = channel(WAITING);
        // It goes on when the client goes away: what has come is kept.
        let files = self.clone();
        let storing = uncancelled(async move { files.store_appended(appending, receiver).await });
        let ((), stored) = tokio::join!(feed(data, sender), storing);
        stored.map_err(DbError::from)?
    }

    /// From now on the caller writes to the upload, and nobody else.
    async fn take_over(&self, upload: &Upload, at: u64) -> Result<Uuid, FilesError> {
        let mut tx = self.inner.db.tenant(upload.org).await?;
        let held = store::uploads::hold(&mut tx, upload.id, Hold::Alone).await?.ok_or(FilesError::UploadNotFound)?;
        if held.ended_at.is_some() {
            return Err(FilesError::UploadNotFound);
        }
        if held.received != at {
            return Err(FilesError::Offset { expected: held.received });
        }
        let holder = new_holder();
        store::uploads::take_over(&mut tx, upload.id, holder).await?;
        tx.commit().await?;
        Ok(holder)
    }

    async fn store_appended(&self, to: Appending, receiver: Receiver<Fed>) -> Result<u64, FilesError> {
        let mut source = Source { receiver, rest: None, ending: None };
        let portion = if to.digest.is_some() { to.most } else { PORTION };
        let (mut at, begin) = (to.at, to.at);
        let digests = DigestSet::of(to.digest.iter().map(|(kind, _)| *kind));
        loop {
            let want = Want { length: None, limit: to.most - (at - begin), digests: digests.clone() };
            // A byte more than fits is seen, and refused.
            let put = self.inner.blobs.put(to.upload.org, source.portion(portion.max(1)), &want).await?;
            if to.digest.is_some() && source.ending.is_none() {
                source.end().await;
            }
            let ending = source.ending.take();
            if let Some(digest) = &to.digest {
                // What was announced with a digest is not kept by halves.
                match ending {
                    Some(Ending::Complete) => compare(&Expect(vec![digest.clone()]), &put.digests)?,
                    Some(Ending::Broken(error)) => return Err(StorageError::Body(error).into()),
                    None => return Err(FilesError::TooLarge { limit: want.limit }),
                }
                return if put.size == 0 { Ok(at) } else { self.keep_appended(&to, at, put).await };
            }
            if put.size > 0 {
                at = self.keep_appended(&to, at, put).await?;
            }
            match ending {
                None => {}
                Some(Ending::Complete) => return Ok(at),
                Some(Ending::Broken(error)) => return Err(StorageError::Body(error).into()),
            }
        }
    }

    async fn keep_appended(&self, to: &Appending, at: u64, mut put: Put) -> Result<u64, FilesError> {
        match self.write_appended(to, at, &mut put).await {
            Ok(at) => {
                self.inner.metrics.stored(put.size, put.known_bytes());
                put.committed();
                Ok(at)
            }
            Err(error) if error.is_of_database() => {
                put.left();
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn write_appended(&self, to: &Appending, at: u64, put: &mut Put) -> Result<u64, FilesError> {
        let (upload, end) = (&to.upload, at + put.size);
        let completes = upload.kind == UploadKind::Tus && upload.length == Some(end);
        let mut tx = self.inner.db.tenant(upload.org).await?;
        if completes {
            lock_keys(&mut tx, &[(upload.bucket, &upload.key)]).await?;
        }
        let now = self.inner.clock.now();
        let expires_at = now + TimeDelta::days(self.inner.config.max_upload_days.into());
        if !store::uploads::received(&mut tx, upload.id, to.holder, (at, put.size), expires_at).await? {
            let now = store::uploads::by_id(&mut tx, upload.id).await?.ok_or(FilesError::UploadNotFound)?;
            return Err(FilesError::Offset { expected: now.received });
        }
        self.inner.blobs.keep(&mut tx, upload.org, put).await?;
        let number = store::parts::last(&mut tx, upload.id).await? + 1;
        if number > MOST_PIECES {
            let text = format!("the upload has {MOST_PIECES} pieces: send larger ones");
            return Err(FilesError::invalid("/pieces", "too_many", text));
        }
        store::parts::put(&mut tx, upload, &part(number, put.pieces.clone(), now)).await?;
        let mut written = None;
        if completes {
            let when = Conditions::default();
            written = Some(self.complete_in(&mut tx, &to.who, &to.bucket, upload, None, &when).await?);
        }
        tx.commit().await?;
        written.iter().for_each(|written| metrics::written(&written.object));
        Ok(end)
    }

    /// Says how long an upload will be that was begun without a length.
    pub async fn set_upload_length(&self, who: &Caller, upload: &Upload, length: u64) -> Result<Upload, FilesError> {
        let upload = self.upload_for(who, upload.id).await?;
        let bucket = self.bucket_by_id(who, upload.bucket).await?;
        let limit = self.limit(&bucket, upload.claims.as_ref());
        if length > limit {
            return Err(FilesError::TooLarge { limit });
        }
        let mut tx = self.inner.db.tenant(who.org).await?;
        let held = store::uploads::hold(&mut tx, upload.id, Hold::Alone).await?.ok_or(FilesError::UploadNotFound)?;
        match held.length {
            Some(known) if known != length => {
                return Err(FilesError::invalid("/length", "changed", format!("the upload has {known} bytes")));
            }
            _ if length < held.received => return Err(FilesError::Offset { expected: held.received }),
            _ => store::uploads::set_length(&mut tx, upload.id, length).await?,
        }
        tx.commit().await?;
        Ok(Upload { length: Some(length), ..held })
    }

    /// Gives an upload the bytes of other ones, one after the other, instead of any that it has: these are whole and of the kind `tus_partial`, and stay.
    pub async fn join_uploads(
        &self,
        who: &Caller,
        upload: &Upload,
        partial: &[UploadId],
    ) -> Result<Upload, FilesError> {
        let upload = self.upload_for(who, upload.id).await?;
        for id in partial {
            let one = self.upload_for(who, *id).await?;
            let whole = one.length == Some(one.received);
            if one.bucket != upload.bucket || one.kind != UploadKind::TusPartial || !whole {
                let text = format!("upload {id} is no whole partial upload of this bucket");
                return Err(FilesError::invalid("/upload-concat", "not_partial", text));
            }
        }
        let mut tx = self.inner.db.tenant(who.org).await?;
        let held = store::uploads::hold(&mut tx, upload.id, Hold::Alone).await?.ok_or(FilesError::UploadNotFound)?;
        store::parts::delete_all(&mut tx, upload.id).await?;
        let (mut number, mut received) = (0, 0);
        for id in partial {
            // Its parts stay until this is committed.
            let found = store::uploads::hold(&mut tx, *id, Hold::Shared).await?;
            if found.is_none_or(|found| found.ended_at.is_some()) {
                return Err(FilesError::UploadNotFound);
            }
            for came in store::parts::list(&mut tx, *id, 0, i32::MAX).await? {
                number += 1;
                received += came.size();
                store::parts::put(&mut tx, &upload, &part(number, came.pieces, self.inner.clock.now())).await?;
            }
        }
        store::uploads::set_length(&mut tx, upload.id, received).await?;
        store::uploads::set_received(&mut tx, upload.id, received).await?;
        tx.commit().await?;
        Ok(Upload { length: Some(received), received, ..held })
    }
}

fn part(number: i32, pieces: Vec<Piece>, created_at: DateTime<Utc>) -> Part {
    Part { number, pieces, md5: None, checksums: Checksums::new(), created_at }
}

/// A request that appends.
struct Appending {
    who: Caller,
    bucket: Bucket,
    upload: Upload,
    holder: Uuid,
    at: u64,
    /// Bytes that still fit.
    most: u64,
    digest: Option<(DigestKind, Vec<u8>)>,
}

/// What comes of a body.
enum Fed {
    Bytes(Bytes),
    End,
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

/// How a body ended.
enum Ending {
    Complete,
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

#[derive(Debug, thiserror::Error)]
#[error("the client went away")]
struct WentAway;

async fn feed<S, E>(data: S, sender: Sender<Fed>)
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut data = std::pin::pin!(data);
    loop {
        let (next, is_last) = match data.next().await {
            Some(Ok(bytes)) => (Fed::Bytes(bytes), false),
            Some(Err(error)) => (Fed::Broken(Box::new(error)), true),
            None => (Fed::End, true),
        };
        // Whoever stores it may have given up.
        if sender.send(next).await.is_err() || is_last {
            return;
        }
    }
}

/// A body that is taken in portions.
struct Source {
    receiver: Receiver<Fed>,
    /// What did not fit into the last portion.
    rest: Option<Bytes>,
    ending: Option<Ending>,
}

impl Source {
    /// The next bytes, at most so many; `None`: at the end.
    async fn next(&mut self, most: u64) -> Option<Bytes> {
        if most == 0 || self.ending.is_some() {
            return None;
        }
        let mut bytes = match self.rest.take() {
            Some(rest) => rest,
            None => match self.receiver.recv().await {
                Some(Fed::Bytes(bytes)) => bytes,
                Some(Fed::End) => {
                    self.ending = Some(Ending::Complete);
                    return None;
                }
                Some(Fed::Broken(error)) => {
                    self.ending = Some(Ending::Broken(error));
                    return None;
                }
                None => {
                    self.ending = Some(Ending::Broken(Box::new(WentAway)));
                    return None;
                }
            },
        };
        let fits = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
        let rest = bytes.split_off(fits);
        self.rest = Some(rest).filter(|rest| !rest.is_empty());
        Some(bytes)
    }

    /// Looks whether nothing more comes.
    async fn end(&mut self) {
        if let Some(more) = self.next(1).await {
            self.rest = Some(more);
        }
    }

    fn portion(&mut self, most: u64) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + '_ {
        stream::unfold((self, most), |(source, left)| async move {
            let bytes = source.next(left).await?;
            let left = left - bytes.len() as u64;
            Some((Ok(bytes), (source, left)))
        })
    }
}
