//! A stream in batches, none of which goes beyond the end of a blob.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};

use storage::StorageError;

/// Bytes that are hashed and written at a time.
const BATCH: u64 = 256 << 10;

pub(super) struct Source<'a, S> {
    data: Pin<&'a mut S>,
    /// What did not fit into the last batch.
    rest: Option<Bytes>,
    ended: bool,
}

impl<'a, S, E> Source<'a, S>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    pub fn new(data: Pin<&'a mut S>) -> Self {
        Self { data, rest: None, ended: false }
    }

    /// The next bytes, at most `most`; empty at the end.
    pub async fn next(&mut self, most: u64) -> Result<Vec<Bytes>, StorageError> {
        let (mut batch, mut left) = (Vec::new(), most.min(BATCH));
        while left > 0 {
            let Some(mut bytes) = self.take().await? else { break };
            let fits = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let rest = bytes.split_off(fits);
            self.rest = Some(rest).filter(|rest| !rest.is_empty());
            left -= fits as u64;
            if fits > 0 {
                batch.push(bytes);
            }
        }
        Ok(batch)
    }

    async fn take(&mut self) -> Result<Option<Bytes>, StorageError> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        if self.ended {
            return Ok(None);
        }
        let next = self.data.next().await;
        self.ended = next.is_none();
        next.transpose().map_err(|error| StorageError::Body(Box::new(error)))
    }
}
