//! Reads a backup: a destination, and the key that decrypts its blobs.

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
use platform::{crypto::Digest, pools::CpuPool};

/// Decrypts the blobs of a backup.
#[derive(Clone, Debug)]
pub struct Reader {
    pub from: Destination,
    pub identity: Identity,
    pub pool: CpuPool,
}

impl Reader {
    /// Content of a blob; an error if it does not match the manifest.
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
                    // The key was chosen by the recipients in the manifest.
                    SealError::WrongKey => {
                        BackupError::Damaged(format!("{} is encrypted for another recipient", expected.name))
                    }
                    error => error.into(),
                });
                let next = next?;
                if let Some(bytes) = &next {
                    size += bytes.len() as u64;
                    hash.update(bytes);
                }
                // Excess data is not read to the end: a few encrypted bytes can expand to fill a disk.
                let ended = next.is_none();
                if size > expected.size
                    || ended && (size != expected.size || Digest(hash.clone().finalize().into()) != expected.sha256)
                {
                    let words = format!("the content of {} differs from the manifest", expected.name);
                    return Err(BackupError::Damaged(words));
                }
                Ok(next.map(|bytes| (bytes, (opened, hash, size))))
            }
        }))
    }

    /// Decrypts a blob to its end.
    pub async fn check(&self, blob: &Blob) -> Result<(), BackupError> {
        self.open(blob).await?.try_for_each(|_| std::future::ready(Ok(()))).await
    }

    /// Content of a small blob.
    pub async fn read(&self, blob: &Blob) -> Result<Vec<u8>, BackupError> {
        let pieces: Vec<Bytes> = self.open(blob).await?.try_collect().await?;
        Ok(pieces.concat())
    }

    /// Files of a tree; an error at the end if their number differs from the manifest. The list is spooled, because no destination keeps a
    /// connection open long enough to go through it.
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
