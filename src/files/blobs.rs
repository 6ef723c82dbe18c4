//! The blob store: streams become pieces of blobs, and pieces become streams. It knows no bucket and no right.
//!
//! A blob's place is made of its id: `<org>/<first two digits>/<id>`, and its row says what is in it. Equal content is stored once within an
//! organisation, never across: the time that an upload takes would tell whether somebody else has a file. Who refers to a blob takes its row
//! first ([`Blobs::keep`]), so that it is not collected meanwhile.

mod source;

use std::ops::Range;

use bytes::Bytes;
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use sqlx::PgConnection;
use uuid::Builder;

use crate::{BlobId, FilesError, jobs::RepairOne, metrics, repair::one_at_a_time, sniff::HEAD, store};
use platform::{clock::Clock, crypto, ids::OrgId, lifecycle::Lifecycle, pools::CpuPool};
use source::Source;
use storage::{Deletions, DigestSet, Digested, Digests, Storage, StorageError, Write};

/// A range of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub blob: BlobId,
    pub offset: u64,
    pub size: u64,
}

/// What is known of a stream before it is read.
#[derive(Clone, Debug)]
pub struct Want {
    /// Bytes, where the client says so.
    pub length: Option<u64>,
    /// At most so many.
    pub limit: u64,
    pub digests: DigestSet,
}

/// A stored stream to which nothing refers yet.
#[derive(Debug)]
pub struct Put {
    pub pieces: Vec<Piece>,
    pub size: u64,
    pub digests: Digested,
    /// The first bytes.
    pub head: Vec<u8>,
    fresh: Vec<Fresh>,
    /// Those of `fresh` that have a row in the caller's transaction.
    kept: Vec<BlobId>,
    /// Those of `fresh` whose bytes a known blob needs: its own are damaged.
    mends: Vec<(Fresh, BlobId)>,
    unkept: Unkept,
}

/// A blob that was written.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    blob: BlobId,
    size: u64,
    sha256: [u8; 32],
}

/// Blobs without a row, deleted when this is dropped.
#[derive(Debug)]
struct Unkept {
    blobs: Blobs,
    org: OrgId,
    ids: Vec<BlobId>,
}

/// A blob that is being written.
struct Open {
    blob: BlobId,
    write: Write,
    size: u64,
    /// `None` for the first one: its hash is that of the whole so far.
    hash: Option<Digests>,
}

/// The blob store. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    pub(crate) storage: Storage,
    pub(crate) deletions: Deletions,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) cpu: CpuPool,
    /// Largest blob, at most a gibibyte: a damaged one is repaired whole, and a range of a large object opens few.
    pub(crate) blob_bytes: u64,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").finish_non_exhaustive()
    }
}

/// Where a blob is in the store.
pub(crate) fn place(org: OrgId, blob: BlobId) -> String {
    format!("{org}/{:02x}/{blob}", blob.0.as_bytes()[0])
}

impl Blobs {
    /// Stores a stream durably, in blobs of limited size. Nothing refers to them yet: call [`Self::keep`] in the transaction that does, and
    /// [`Put::committed`] after it. What is given up before is deleted again.
    ///
    /// The next bytes are received while the last are hashed and written.
    pub async fn put<S, E>(&self, org: OrgId, data: S, want: &Want) -> Result<Put, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let data = std::pin::pin!(data);
        let mut source = Source::new(data);
        let mut whole = Digests::new(&want.digests);
        let mut put = Stored { head: Vec::new(), size: 0, fresh: Vec::new(), unkept: self.unkept(org) };
        let mut open: Option<Open> = None;
        let mut batch = source.next(self.blob_bytes).await?;
        while !batch.is_empty() {
            let bytes = put.see(&batch, want)?;
            let mut blob = match open.take() {
                Some(blob) => blob,
                None => put.began(self.begin(org, !put.fresh.is_empty())?),
            };
            blob.size += bytes;
            let left = self.blob_bytes - blob.size;
            let (hash, cpu) = (blob.hash.take(), &self.cpu);
            let of_blob = async {
                match hash {
                    Some(hash) => hash.take(cpu, batch.clone()).await.map(Some),
                    None => Ok(None),
                }
            };
            let (hashed, of_blob, written, next) = tokio::join!(
                whole.take(cpu, batch.clone()),
                of_blob,
                push(&mut blob.write, batch.clone()),
                source.next(if left == 0 { self.blob_bytes } else { left }),
            );
            (whole, blob.hash) = (hashed?, of_blob?);
            written?;
            batch = next?;
            if left == 0 || batch.is_empty() {
                put.end(blob, &whole).await?;
            } else {
                open = Some(blob);
            }
        }
        put.whole(whole, want)
    }

    fn unkept(&self, org: OrgId) -> Unkept {
        Unkept { blobs: self.clone(), org, ids: Vec::new() }
    }

    fn begin(&self, org: OrgId, is_further: bool) -> Result<Open, FilesError> {
        let blob = BlobId(Builder::from_random_bytes(crypto::random_bytes()).into_uuid());
        let hash = is_further.then(|| Digests::new(&DigestSet::default()));
        Ok(Open { blob, write: self.storage.write(&place(org, blob), self.blob_bytes)?, size: 0, hash })
    }

    /// Makes rows for the blobs of `put` in the caller's transaction, or takes those of the same content that are there: `put.pieces` are then theirs.
    pub async fn keep(&self, conn: &mut PgConnection, org: OrgId, put: &mut Put) -> Result<(), FilesError> {
        let now = self.clock.now();
        // In the order of their hashes: two uploads of the same pieces wait for each other, and do not deadlock.
        put.fresh.sort_by_key(|fresh| fresh.sha256);
        for fresh in put.fresh.clone() {
            let blob = store::blobs::NewBlob { id: fresh.blob, org, size: fresh.size, sha256: &fresh.sha256, now };
            let mut found = None;
            // The second try: the blob that was there has been collected meanwhile.
            for _ in 0..2 {
                found = store::blobs::take(conn, &blob).await?;
                if found.is_some() {
                    break;
                }
            }
            let known = found.ok_or(FilesError::Busy)?;
            if known.id == fresh.blob {
                put.kept.push(known.id);
            } else if known.is_damaged {
                put.mends.push((fresh, known.id));
                self.look_again(conn, org, known.id).await?;
            }
            for piece in put.pieces.iter_mut().filter(|piece| piece.blob == fresh.blob) {
                piece.blob = known.id;
            }
        }
        Ok(())
    }

    /// A damaged blob gets its bytes back after the commit: then it is looked at.
    async fn look_again(&self, conn: &mut PgConnection, org: OrgId, blob: BlobId) -> Result<(), FilesError> {
        let job = RepairOne { room: "files".to_owned(), key: place(org, blob) };
        let options = jobs::Enqueue {
            run_at: Some(self.clock.now() + chrono::TimeDelta::minutes(1)),
            unique_key: Some(format!("upload {blob}")),
            ..one_at_a_time()
        };
        jobs::enqueue(conn, &self.clock, Some(org), &job, &options).await?;
        Ok(())
    }

    /// A range of a content, as a stream.
    pub fn open(
        &self,
        org: OrgId,
        pieces: &[Piece],
        range: Range<u64>,
    ) -> BoxStream<'static, Result<Bytes, StorageError>> {
        let (mut at, mut reads) = (0, Vec::new());
        for piece in pieces {
            let (begin, end) = (at, at + piece.size);
            at = end;
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                reads.push((place(org, piece.blob), piece.offset + (from - begin)..piece.offset + (to - begin)));
            }
        }
        let storage = self.storage.clone();
        stream::iter(reads).flat_map(move |(key, range)| storage.read(&key, range)).boxed()
    }

    /// The hashes of a content that is read for them alone.
    pub async fn digested(
        &self,
        mut content: BoxStream<'static, Result<Bytes, StorageError>>,
        set: &DigestSet,
    ) -> Result<Digested, FilesError> {
        let mut digests = Digests::new(set);
        while let Some(bytes) = content.next().await {
            digests = digests.take(&self.cpu, vec![bytes.map_err(FilesError::of_read)?]).await?;
        }
        Ok(digests.finish())
    }

    /// Writes the bytes of a fresh blob over those of a damaged one of the same content: readers see the one or the other, whole.
    async fn mend(&self, org: OrgId, fresh: Fresh, damaged: BlobId) -> Result<(), FilesError> {
        let content = self.storage.read(&place(org, fresh.blob), 0..fresh.size);
        let stored = self.storage.put_stream(&place(org, damaged), content, fresh.size).await?;
        if stored.sha256 == fresh.sha256 { Ok(()) } else { Err(FilesError::Damaged) }
    }

    async fn delete(&self, org: OrgId, ids: &[BlobId]) -> Result<(), FilesError> {
        let mut guard = self.deletions.permit().await?;
        for id in ids {
            self.storage.delete(&place(org, *id), &mut guard).await?;
        }
        Ok(())
    }
}

/// What has been stored so far.
struct Stored {
    head: Vec<u8>,
    size: u64,
    fresh: Vec<Fresh>,
    unkept: Unkept,
}

impl Stored {
    /// From now on it is deleted if it gets no row.
    fn began(&mut self, open: Open) -> Open {
        self.unkept.ids.push(open.blob);
        open
    }

    /// Looks at bytes before they are stored; returns how many they are.
    fn see(&mut self, batch: &[Bytes], want: &Want) -> Result<u64, FilesError> {
        for bytes in batch {
            let missing = HEAD - self.head.len().min(HEAD);
            self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        }
        let bytes: u64 = batch.iter().map(|bytes| bytes.len() as u64).sum();
        self.size += bytes;
        if self.size > want.limit {
            return Err(FilesError::TooLarge { limit: want.limit });
        }
        match want.length {
            Some(expected) if self.size > expected => Err(FilesError::Incomplete { expected, got: self.size }),
            _ => Ok(bytes),
        }
    }

    /// Ends a blob. `whole`: the hashes of everything so far.
    async fn end(&mut self, open: Open, whole: &Digests) -> Result<(), FilesError> {
        let size = open.write.finish().await?;
        let sha256 = open.hash.unwrap_or_else(|| whole.clone()).finish().sha256;
        self.fresh.push(Fresh { blob: open.blob, size, sha256 });
        Ok(())
    }

    fn whole(self, digests: Digests, want: &Want) -> Result<Put, FilesError> {
        if let Some(expected) = want.length.filter(|expected| *expected != self.size) {
            return Err(FilesError::Incomplete { expected, got: self.size });
        }
        let pieces = self.fresh.iter().map(|fresh| Piece { blob: fresh.blob, offset: 0, size: fresh.size }).collect();
        let Self { head, size, fresh, unkept } = self;
        Ok(Put { pieces, size, digests: digests.finish(), head, fresh, kept: Vec::new(), mends: Vec::new(), unkept })
    }
}

async fn push(write: &mut Write, batch: Vec<Bytes>) -> Result<(), StorageError> {
    for bytes in batch {
        write.push(bytes).await?;
    }
    Ok(())
}

impl Put {
    /// After [`Blobs::keep`]: bytes that are not stored again, because the organisation has the same content.
    pub fn known_bytes(&self) -> u64 {
        self.fresh.iter().filter(|fresh| !self.kept.contains(&fresh.blob)).map(|fresh| fresh.size).sum()
    }

    /// The transaction of [`Blobs::keep`] is committed: what was there before is deleted again, and what was damaged gets these bytes.
    pub fn committed(mut self) {
        let kept = std::mem::take(&mut self.kept);
        self.unkept.ids.retain(|id| !kept.contains(id));
        let mends = std::mem::take(&mut self.mends);
        if mends.is_empty() {
            return;
        }
        // Moved into the task: nothing is deleted before it is copied.
        let (blobs, lifecycle) = (self.unkept.blobs.clone(), self.unkept.blobs.lifecycle.clone());
        lifecycle.spawn("files.mend", async move {
            for (fresh, damaged) in &mends {
                if let Err(error) = blobs.mend(self.unkept.org, *fresh, *damaged).await {
                    metrics::not_mended(*damaged, &error);
                }
            }
            drop(self);
        });
    }

    /// Whether the transaction was committed is not known: nothing is deleted, and the sweep decides.
    pub fn left(mut self) {
        self.unkept.ids.clear();
    }
}

impl Drop for Unkept {
    fn drop(&mut self) {
        let (ids, blobs, org) = (std::mem::take(&mut self.ids), self.blobs.clone(), self.org);
        if ids.is_empty() {
            return;
        }
        self.blobs.lifecycle.clone().spawn("files.unkept", async move {
            if let Err(error) = blobs.delete(org, &ids).await {
                metrics::left_to_the_sweep(&error);
            }
        });
    }
}
