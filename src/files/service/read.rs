//! Reading objects.

use std::ops::Range;

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};

use super::{Files, permit};
use crate::{Bucket, Caller, FilesError, Key, Object, ScanState, Verb, VersionRef, metrics, store};
use platform::crypto;
use storage::StorageError;

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
    pub async fn open(
        &self,
        _who: &Caller,
        object: &Object,
        range: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, FilesError> {
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
            _ => Ok(content),
        }
    }

    async fn compared(
        &self,
        object: &Object,
        content: BoxStream<'static, Result<Bytes, StorageError>>,
        sha256: [u8; 32],
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, FilesError> {
        let read: Result<Vec<Bytes>, StorageError> = content.try_collect().await;
        let parts = match read {
            Ok(parts) => parts,
            // The row says that it is there: it is damage, whatever the store says.
            Err(StorageError::NotFound | StorageError::Damaged) => {
                metrics::damaged(object);
                return Err(FilesError::Damaged);
            }
            Err(error) => return Err(error.into()),
        };
        let whole = Bytes::from(parts.concat());
        if crypto::sha256(&whole) != sha256 {
            metrics::damaged(object);
            return Err(FilesError::Damaged);
        }
        Ok(stream::once(std::future::ready(Ok(whole))).boxed())
    }
}
