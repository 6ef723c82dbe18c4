//! Writing an object piece by piece.

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, WriteMultipart, path::Path};
use tokio::time::Instant;

use super::{Storage, path};
use crate::{
    StorageError,
    metrics::{Operation, Outcome},
};
use platform::lifecycle::Lifecycle;

/// S3's minimum part size; smaller objects are written in one call.
const PART_BYTES: usize = 5 << 20;
/// S3's limit of parts per upload.
const MOST_PARTS: u64 = 10_000;
/// Parts in flight: 4 hide the latency and hold 20 MiB, or four parts of 100 MiB for an object of a terabyte.
const PARTS_IN_FLIGHT: usize = 4;

/// An object that is being written. Dropped before [`Self::finish`], it leaves nothing.
pub struct Write {
    storage: Storage,
    path: Path,
    limit: u64,
    size: u64,
    /// What was pushed before there is enough for a part.
    head: Vec<u8>,
    upload: Option<Upload>,
    begin: Instant,
    is_counted: bool,
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write").field("path", &self.path).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Storage {
    /// Begins to write an object of at most `limit` bytes.
    pub fn write(&self, key: &str, limit: u64) -> Result<Write, StorageError> {
        let begin = Instant::now();
        let path = path(key).inspect_err(|_| {
            self.metrics.count(Operation::Put, Outcome::Rejected, begin.elapsed());
        })?;
        Ok(Write {
            storage: self.clone(),
            path,
            limit,
            size: 0,
            head: Vec::new(),
            upload: None,
            begin,
            is_counted: false,
        })
    }
}

impl Write {
    /// Adds bytes. After an error the object cannot be finished.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(StorageError::TooLarge(self.limit));
        }
        let pushed = self.add(bytes).await;
        if pushed.is_err() {
            self.count(Outcome::Error);
        }
        pushed
    }

    async fn add(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if let Some(upload) = &mut self.upload {
            return upload.write(bytes).await;
        }
        self.head.extend_from_slice(&bytes);
        if self.head.len() >= PART_BYTES {
            let parts = self.storage.store.put_multipart(&self.path).await?;
            let upload = Upload::new(parts, part_bytes(self.limit), self.storage.lifecycle.clone());
            self.upload.insert(upload).write(std::mem::take(&mut self.head).into()).await?;
        }
        Ok(())
    }

    /// Its size, bytes. The object is durable then: on a local disk with its folder; a remote store is asked what it has, because some
    /// acknowledge what they do not keep.
    pub async fn finish(mut self) -> Result<u64, StorageError> {
        let finished = self.end().await;
        self.count(match &finished {
            Ok(()) => Outcome::Ok,
            Err(StorageError::Damaged) => Outcome::Damaged,
            Err(_) => Outcome::Error,
        });
        finished?;
        self.storage.metrics.written.inc_by(self.size);
        Ok(self.size)
    }

    async fn end(&mut self) -> Result<(), StorageError> {
        match self.upload.take() {
            Some(upload) => upload.finish().await?,
            None => drop(self.storage.store.put(&self.path, std::mem::take(&mut self.head).into()).await?),
        }
        if self.storage.is_local() {
            return Ok(());
        }
        match self.storage.store.head(&self.path).await {
            Ok(found) if found.size == self.size => Ok(()),
            // It was acknowledged.
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Err(StorageError::Damaged),
            Err(error) => Err(error.into()),
        }
    }

    fn count(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.is_counted, true) {
            self.storage.metrics.count(Operation::Put, outcome, self.begin.elapsed());
        }
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        // The data ended early, or were too much.
        self.count(Outcome::Rejected);
    }
}

/// Part size for an object of at most `limit` bytes: all parts equal, as some services require, and within S3's number of parts.
fn part_bytes(limit: u64) -> usize {
    usize::try_from(limit.div_ceil(MOST_PARTS)).unwrap_or(usize::MAX).max(PART_BYTES)
}

/// A multipart upload that is aborted when dropped unfinished: leftover parts on S3 cost money and are invisible.
struct Upload {
    parts: Option<WriteMultipart>,
    lifecycle: Lifecycle,
}

impl Upload {
    fn new(parts: Box<dyn object_store::MultipartUpload>, part_bytes: usize, lifecycle: Lifecycle) -> Self {
        Self { parts: Some(WriteMultipart::new_with_chunk_size(parts, part_bytes)), lifecycle }
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        if let Some(parts) = &mut self.parts {
            parts.wait_for_capacity(PARTS_IN_FLIGHT).await?;
            parts.put(bytes);
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), StorageError> {
        if let Some(parts) = self.parts.take() {
            parts.finish().await?;
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            self.lifecycle.spawn("storage.abort", async move {
                if let Err(error) = parts.abort().await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "an abandoned upload could not be removed"
                    );
                }
            });
        }
    }
}
