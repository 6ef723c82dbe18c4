//! Storing a stream: beside reading it, in parts where it is large.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::{ObjectStoreExt as _, WriteMultipart, path::Path};
use sha2::{Digest as _, Sha256};

use super::{Storage, path};
use crate::{StorageError, metrics::Operation};
use platform::lifecycle::Lifecycle;

/// S3's minimum part size; smaller objects are written in one call.
const PART_BYTES: usize = 5 << 20;
/// S3's limit of parts per upload.
const MOST_PARTS: u64 = 10_000;
/// Parts in flight: 4 hide the latency and hold 20 MiB, or four parts of 100 MiB for an object of a terabyte.
const PARTS_IN_FLIGHT: usize = 4;

/// Properties of a stream after it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub size: u64,
    pub sha256: [u8; 32],
}

impl Storage {
    /// Stores and hashes a stream of at most `limit` bytes. If it fails, exceeds `limit`, or the future is dropped, nothing is stored.
    pub async fn put_stream<S, E>(&self, key: &str, data: S, limit: u64) -> Result<Stored, StorageError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.observed(Operation::Put, self.write_stream(&path(key)?, data, limit)).await
    }

    async fn write_stream<S, E>(&self, path: &Path, data: S, limit: u64) -> Result<Stored, StorageError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut data = std::pin::pin!(data);
        let (mut hash, mut size, mut head) = (Sha256::new(), 0_u64, Vec::new());
        let mut upload: Option<Upload> = None;
        while let Some(bytes) = data.next().await {
            let bytes = bytes.map_err(|e| StorageError::Body(Box::new(e)))?;
            size += bytes.len() as u64;
            if size > limit {
                return Err(StorageError::TooLarge(limit));
            }
            hash.update(&bytes);
            match &mut upload {
                Some(upload) => upload.write(bytes).await?,
                None => {
                    head.extend_from_slice(&bytes);
                    if head.len() >= PART_BYTES {
                        let parts = self.store.put_multipart(path).await?;
                        let started = upload.insert(Upload::new(parts, part_bytes(limit), self.lifecycle.clone()));
                        started.write(std::mem::take(&mut head).into()).await?;
                    }
                }
            }
        }
        match upload {
            Some(upload) => upload.finish().await?,
            None => drop(self.store.put(path, head.into()).await?),
        }
        self.metrics.written.inc_by(size);
        Ok(Stored { size, sha256: hash.finalize().into() })
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
