//! Reading objects.

use std::ops::Range;

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};

use super::{Files, permit};
use crate::{Bucket, Caller, FilesError, Key, Object, Operation, ScanState, Verb, VersionRef, metrics, store};
use platform::crypto;
use storage::{DigestSet, Digests, StorageError};

type Content = BoxStream<'static, Result<Bytes, StorageError>>;

/// A content that is compared with its hash while it is read.
struct Watched {
    content: Content,
    /// `None`: done.
    digests: Option<Digests>,
    /// Bytes that are still to come.
    left: u64,
}

/// Whole objects below this are compared with their hash before their first byte is given away.
const COMPARED: u64 = 1 << 20;

impl Files {
    /// An object of a bucket: what is current, or a version.
    pub async fn find(
        &self,
        who: &Caller,
        bucket: &Bucket,
        key: &Key,
        version: Option<VersionRef>,
    ) -> Result<Object, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Read, key.as_str()).await?;
        let found = match version {
            Some(version) => store::objects::version(&mut tx, bucket.id, key, version).await?,
            None => store::objects::current(&mut tx, bucket.id, key).await?,
        };
        drop(tx);
        match found {
            Some(object) if object.marker => Err(FilesError::Marker { id: object.id }),
            Some(object) => Ok(object),
            None if version.is_some() => Err(FilesError::VersionNotFound),
            None => Err(FilesError::ObjectNotFound),
        }
    }

    /// The content of an object that [`Self::find`] gave; `range` lies within it.
    pub async fn open(&self, _who: &Caller, object: &Object, range: Option<Range<u64>>) -> Result<Content, FilesError> {
        self.inner.metrics.seen(Operation::Read, self.opened(object, range)).await
    }

    async fn opened(&self, object: &Object, range: Option<Range<u64>>) -> Result<Content, FilesError> {
        if object.scan == ScanState::Infected {
            return Err(FilesError::Quarantined);
        }
        let range = range.unwrap_or(0..object.size);
        if range.start > range.end || range.end > object.size {
            return Err(FilesError::Range { size: object.size });
        }
        let is_whole = range == (0..object.size);
        let content = self.inner.blobs.open(object.org, &object.pieces, range);
        match object.sha256 {
            Some(sha256) if is_whole && object.size < COMPARED => self.compared(object, content, sha256).await,
            Some(sha256) if is_whole && crypto::random_unit() < self.inner.blobs.storage.check_reads() => {
                self.begun(object, self.watched(object, content, sha256)).await
            }
            _ => self.begun(object, content).await,
        }
    }

    /// Reads the first bytes before they are asked for: what is missing is said with a status, and not by a connection that breaks off.
    async fn begun(&self, object: &Object, mut content: Content) -> Result<Content, FilesError> {
        match content.next().await {
            None => Ok(stream::empty().boxed()),
            Some(Ok(first)) => {
                let (files, object) = (self.clone(), object.clone());
                // Damage further on breaks the connection off, and is looked at.
                let rest = content.inspect_err(move |error| files.noticed(&object, error));
                Ok(stream::once(std::future::ready(Ok(first))).chain(rest).boxed())
            }
            Some(Err(error)) => {
                self.noticed(object, &error);
                Err(FilesError::of_read(error))
            }
        }
    }

    /// Compares a content with its hash while it is read. What was sent cannot be taken back: at the end the connection is broken off instead.
    fn watched(&self, object: &Object, content: Content, sha256: [u8; 32]) -> Content {
        let cpu = self.inner.blobs.cpu.clone();
        let begin = Watched { content, digests: Some(Digests::new(&DigestSet::default())), left: object.size };
        let next = move |mut watched: Watched| {
            let cpu = cpu.clone();
            async move {
                let bytes = match watched.content.next().await? {
                    Ok(bytes) => bytes,
                    Err(error) => return Some((Err(error), watched)),
                };
                watched.left = watched.left.saturating_sub(bytes.len() as u64);
                let Some(digests) = watched.digests.take() else { return Some((Ok(bytes), watched)) };
                match digests.take(&cpu, vec![bytes.clone()]).await {
                    // The last bytes are held back until the hash is known.
                    Ok(digests) if watched.left == 0 => {
                        let is_same = digests.finish().sha256 == sha256;
                        Some((if is_same { Ok(bytes) } else { Err(StorageError::Damaged) }, watched))
                    }
                    Ok(digests) => {
                        watched.digests = Some(digests);
                        Some((Ok(bytes), watched))
                    }
                    Err(error) => Some((Err(error), watched)),
                }
            }
        };
        stream::unfold(begin, next).boxed()
    }

    /// An object's bytes are missing or are others: it is looked at by a job, which marks it and has it repaired.
    fn noticed(&self, object: &Object, error: &StorageError) {
        if !matches!(error, StorageError::NotFound | StorageError::Damaged) {
            return;
        }
        metrics::damaged(object);
        let (files, org, pieces) = (self.clone(), object.org, object.pieces.clone());
        self.inner.blobs.lifecycle.clone().spawn("files.noticed", async move {
            for piece in pieces {
                if let Err(error) = files.look_at(org, piece.blob).await {
                    metrics::not_looked_at(piece.blob, &error);
                }
            }
        });
    }

    async fn compared(&self, object: &Object, content: Content, sha256: [u8; 32]) -> Result<Content, FilesError> {
        let read: Result<Vec<Bytes>, StorageError> = content.try_collect().await;
        let whole = match read {
            Ok(parts) => Bytes::from(parts.concat()),
            Err(error) => {
                self.noticed(object, &error);
                return Err(FilesError::of_read(error));
            }
        };
        if crypto::sha256(&whole) != sha256 {
            self.noticed(object, &StorageError::Damaged);
            return Err(FilesError::Damaged);
        }
        Ok(stream::once(std::future::ready(Ok(whole))).boxed())
    }
}
