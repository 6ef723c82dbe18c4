//! The reading half: a destination, and the key that opens what lies there.

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::{
    BackupError,
    destination::Destination,
    manifest::{Blob, FileEntry, Tree},
    seal::{self, Identity, SealError},
    spool::Spool,
};
use crate::platform::{crypto::Digest, pools::CpuPool};

/// Opens the blobs of a backup.
#[derive(Clone, Debug)]
pub struct Reader {
    pub from: Destination,
    pub identity: Identity,
    pub pool: CpuPool,
}

impl Reader {
    /// A blob's content. An error where it is not what the manifest says.
    pub async fn open(
        &self,
        blob: &Blob,
    ) -> Result<impl Stream<Item = Result<Bytes, BackupError>> + Send + use<>, BackupError> {
        let sealed = self.from.read_blob(&blob.name).await?;
        let opened = seal::open(&self.pool, &self.identity, sealed);
        let expected = blob.clone();
        Ok(stream::try_unfold((opened, Sha256::new(), 0_u64), move |(mut opened, mut hash, mut size)| {
            let expected = expected.clone();
            async move {
                let next = opened.try_next().await.map_err(|error| match error {
                    // The key was chosen by the recipients that the manifest names.
                    SealError::WrongKey => {
                        BackupError::Damaged(format!("{} is sealed for somebody else", expected.name))
                    }
                    error => error.into(),
                });
                let next = next?;
                if let Some(bytes) = &next {
                    size += bytes.len() as u64;
                    hash.update(bytes);
                }
                // More than there should be is not waited for to the end: a few sealed bytes may be enough to fill a disk.
                let ended = next.is_none();
                if size > expected.size
                    || ended && (size != expected.size || Digest(hash.clone().finalize().into()) != expected.sha256)
                {
                    let words = format!("the content of {} is not what the manifest says", expected.name);
                    return Err(BackupError::Damaged(words));
                }
                Ok(next.map(|bytes| (bytes, (opened, hash, size))))
            }
        }))
    }

    /// Opens a blob to its end.
    pub async fn check(&self, blob: &Blob) -> Result<(), BackupError> {
        self.open(blob).await?.try_for_each(|_| std::future::ready(Ok(()))).await
    }

    /// A small blob's content in memory.
    pub async fn read(&self, blob: &Blob) -> Result<Vec<u8>, BackupError> {
        let pieces: Vec<Bytes> = self.open(blob).await?.try_collect().await?;
        Ok(pieces.concat())
    }

    /// The files of a tree, as many as the manifest says or an error at the end. They wait in the spool: no destination keeps a
    /// connection open for as long as it takes to go through them.
    pub async fn files(
        &self,
        tree: &Tree,
        spool: &Spool,
    ) -> Result<impl Stream<Item = Result<FileEntry, BackupError>> + Send + use<>, BackupError> {
        let file = spool.file();
        file.fill(self.open(&tree.index).await?).await?;
        let files = file.lines("the index of files").await?;
        let expected = tree.files;
        Ok(stream::try_unfold((Box::pin(files), 0), move |(mut files, count)| async move {
            match files.try_next().await? {
                Some(file) => Ok(Some((file, (files, count + 1)))),
                None if count == expected => Ok(None),
                None => Err(BackupError::Damaged(format!("the index names {count} files, the manifest {expected}"))),
            }
        }))
    }
}
