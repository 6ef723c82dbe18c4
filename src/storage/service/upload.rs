//! Storing a stream: beside reading it, in parts where it is large.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::Storage;
use crate::StorageError;

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
        let mut data = std::pin::pin!(data);
        let (mut hash, mut write) = (Sha256::new(), self.write(key, limit)?);
        while let Some(bytes) = data.next().await {
            let bytes = bytes.map_err(|e| StorageError::Body(Box::new(e)))?;
            hash.update(&bytes);
            write.push(bytes).await?;
        }
        let size = write.finish().await?;
        Ok(Stored { size, sha256: hash.finalize().into() })
    }
}
