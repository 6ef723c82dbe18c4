//! A place for backups: what was written is read back before it counts.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio_util::io::ReaderStream;

use super::{
    BackupError,
    keys::KeyFile,
    manifest::{BlobName, Manifest, ManifestError},
    model::BackupId,
    seal::{Identity, SealError},
};
use crate::{
    platform::{
        crypto::{self, Digest},
        lifecycle::Lifecycle,
    },
    storage::{self, Storage, StorageError},
};

/// How long a destination is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For an answer that does not depend on a length, and beside the bytes.
    pub answer: Duration,
    pub bytes_per_second: u64,
}

/// A manifest, or a wrapped key.
const MAX_SMALL_BYTES: u64 = 64 << 20;
/// Of the list of a backup's blobs, bytes: seven million of them.
const MAX_LIST_BYTES: u64 = 1 << 30;

#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error("destination {name}: the folder {folder} is not there; make it, or mount what it stands on")]
    NoFolder { name: String, folder: String },
    #[error("destination {name}: {what} took longer than {seconds} s")]
    Slow { name: String, what: &'static str, seconds: u64 },
    #[error("destination {name}: {key} was written and read back differs: {found}")]
    ReadBack { name: String, key: String, found: String },
    #[error("destination {name}: {key} is damaged: {found}")]
    Damaged { name: String, key: String, found: String },
    #[error("destination {name}: {key} is missing")]
    Missing { name: String, key: String },
    #[error("destination {name}")]
    Storage { name: String, source: StorageError },
    #[error("cannot read {path}")]
    Local { path: String, source: std::io::Error },
    #[error("destination {name}, {key}")]
    Manifest { name: String, key: String, source: ManifestError },
}

/// One configured destination. Cheap to clone.
#[derive(Clone)]
pub struct Destination {
    pub name: String,
    /// As configured.
    pub url: String,
    storage: Storage,
    folder: Option<PathBuf>,
    patience: Patience,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Destination {
    /// Opens a folder, which must be there (a mount that is missing must not be written beside), or a bucket. Does not connect.
    pub fn open(
        name: &str,
        config: &storage::Config,
        patience: Patience,
        lifecycle: &Lifecycle,
        metrics: &storage::Metrics,
    ) -> Result<Self, DestinationError> {
        let folder = (!config.url.starts_with("s3://")).then(|| PathBuf::from(&config.url));
        if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(DestinationError::NoFolder { name: name.to_owned(), folder: folder.display().to_string() });
        }
        let at = folder.clone().unwrap_or_default();
        let storage = Storage::open_at(&config.url, at, config, lifecycle.clone(), metrics.clone())
            .map_err(|source| DestinationError::Storage { name: name.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), url: config.url.clone(), storage, folder, patience })
    }

    /// The folder, where it is one of this machine.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Whether it can be read, found out by a listing.
    pub async fn probe(&self) -> Result<(), DestinationError> {
        self.within(self.patience.answer, "a listing", self.storage.probe()).await
    }

    /// Every blob that lies here and has the length that its name says.
    pub async fn blobs(&self) -> Result<HashMap<Digest, BlobName>, DestinationError> {
        let entries = self.within(self.patience.answer * 10, "the list of blobs", self.storage.list("blobs")).await?;
        let whole = entries.into_iter().filter_map(|entry| {
            BlobName::of_key(&entry.key).filter(|name| name.size == entry.size).map(|name| (name.content, name))
        });
        Ok(whole.collect())
    }

    /// Blobs with the time they were written, whole or not: `(key, size, time)`.
    pub async fn all_blobs(&self) -> Result<Vec<storage::Entry>, DestinationError> {
        self.within(self.patience.answer * 10, "the list of blobs", self.storage.list("blobs")).await
    }

    /// Stores a sealed file under its name, and reads it back.
    pub async fn put_blob(&self, name: &BlobName, file: &Path) -> Result<(), DestinationError> {
        let key = name.key();
        if self.link(&key, file).await {
            return self.check_written(name).await;
        }
        let local = |source| DestinationError::Local { path: file.display().to_string(), source };
        let data = ReaderStream::with_capacity(tokio::fs::File::open(file).await.map_err(local)?, 256 << 10);
        let stored = self.storage.put_stream(&key, data, name.size);
        let stored = self.within(self.patience(name.size), "an upload", stored).await?;
        if stored.sha256 != name.sealed.0 {
            // Not what was sealed: the spool changed under us.
            return Err(self.read_back(key, "the local file changed".to_owned()));
        }
        self.check_written(name).await
    }

    /// On one disk the spooled file becomes the stored one: a second copy there would take time and room, and save nothing.
    /// False where it is another disk, or could not be done.
    async fn link(&self, key: &str, file: &Path) -> bool {
        let Some(folder) = &self.folder else { return false };
        let target = folder.join(key);
        let parent = target.parent().unwrap_or(folder);
        let partial = target.with_extension("partial");
        let linked = async {
            tokio::fs::File::open(file).await?.sync_all().await?;
            tokio::fs::create_dir_all(parent).await?;
            tokio::fs::hard_link(file, &partial).await?;
            // Two destinations on one disk must not share it: what damages the one would damage the other.
            if tokio::fs::metadata(file).await?.nlink() > 2 {
                return Ok(false);
            }
            tokio::fs::rename(&partial, &target).await?;
            tokio::fs::File::open(parent).await?.sync_all().await?;
            Ok::<_, std::io::Error>(true)
        };
        let linked = linked.await.unwrap_or(false);
        if !linked {
            let _ = tokio::fs::remove_file(&partial).await;
        }
        linked
    }

    async fn check_written(&self, name: &BlobName) -> Result<(), DestinationError> {
        match self.check_blob(name).await {
            Err(DestinationError::Damaged { key, found, .. }) => {
                // It would be taken for the real one by its name and length.
                let _ = self.storage.delete(&key).await;
                Err(self.read_back(key, found))
            }
            Err(DestinationError::Missing { key, .. }) => Err(self.read_back(key, "nothing is there".to_owned())),
            other => other,
        }
    }

    /// Reads a blob and compares length and hash with its name.
    pub async fn check_blob(&self, name: &BlobName) -> Result<(), DestinationError> {
        let key = name.key();
        let read = async {
            let mut object = self.storage.get(&key).await?;
            let (mut hash, mut size) = (Sha256::new(), 0);
            while let Some(bytes) = object.stream.next().await.transpose()? {
                size += bytes.len() as u64;
                hash.update(&bytes);
            }
            Ok((size, Digest(hash.finalize().into())))
        };
        let (size, sha256) = found(&key, self.within(self.patience(name.size), "reading back", read).await)?;
        if size != name.size {
            return Err(self.damaged(key, format!("{size} bytes instead of {}", name.size)));
        }
        if sha256 != name.sealed {
            return Err(self.damaged(key, "its bytes were changed".to_owned()));
        }
        Ok(())
    }

    /// The bytes of a blob, to be opened. What differs from its name is an error at the end.
    pub async fn read_blob(
        &self,
        name: &BlobName,
    ) -> Result<impl futures::Stream<Item = Result<Bytes, DestinationError>> + Send + use<>, DestinationError> {
        let key = name.key();
        let opened = self.within(self.patience.answer, "opening a blob", self.storage.get(&key)).await;
        let object = found(&key, opened)?;
        let (this, name) = (self.clone(), name.clone());
        let source = this.name.clone();
        let bytes =
            object.stream.map_err(move |error| DestinationError::Storage { name: source.clone(), source: error });
        let state = Some((bytes, Sha256::new(), 0_u64));
        Ok(futures::stream::try_unfold(state, move |state| {
            let (this, name) = (this.clone(), name.clone());
            async move {
                let Some((mut bytes, mut hash, mut size)) = state else { return Ok(None) };
                let next = tokio::time::timeout(this.patience.answer, bytes.try_next()).await;
                let next = next.map_err(|_| this.slow("the next piece", this.patience.answer))??;
                if let Some(piece) = next {
                    size += piece.len() as u64;
                    hash.update(&piece);
                    return Ok(Some((piece, Some((bytes, hash, size)))));
                }
                if size != name.size || Digest(hash.finalize().into()) != name.sealed {
                    return Err(this.damaged(name.key(), "its bytes were changed".to_owned()));
                }
                Ok(None)
            }
        }))
    }

    pub async fn delete(&self, key: &str) -> Result<(), DestinationError> {
        self.within(self.patience.answer, "a deletion", self.storage.delete(key)).await
    }

    /// Stores a small file, and reads it back.
    pub async fn put_small(&self, key: &str, bytes: Vec<u8>) -> Result<(), DestinationError> {
        let bytes = Bytes::from(bytes);
        self.within(self.patience(bytes.len() as u64), "an upload", self.storage.put(key, bytes.clone())).await?;
        match self.get_whole(key, MAX_LIST_BYTES).await {
            Ok(found) if found == bytes => Ok(()),
            Ok(_) => Err(self.read_back(key.to_owned(), "its bytes were changed".to_owned())),
            Err(DestinationError::Missing { .. }) => Err(self.read_back(key.to_owned(), "nothing is there".to_owned())),
            Err(error) => Err(error),
        }
    }

    pub async fn get_small(&self, key: &str) -> Result<Bytes, DestinationError> {
        self.get_whole(key, MAX_SMALL_BYTES).await
    }

    async fn get_whole(&self, key: &str, most: u64) -> Result<Bytes, DestinationError> {
        let read = async {
            let object = self.storage.get(key).await?;
            if object.size > most {
                return Err(StorageError::TooLarge(most));
            }
            let pieces: Vec<Bytes> = object.stream.try_collect().await?;
            Ok(Bytes::from(pieces.concat()))
        };
        let result = self.within(self.patience(most), "reading", read).await;
        found(key, result)
    }

    /// The keys that lie here sealed with this passphrase.
    pub async fn wrapped_keys(&self, passphrase: &SecretString) -> Result<KeyFile, BackupError> {
        let entries = self.within(self.patience.answer, "the list of keys", self.storage.list("keys")).await?;
        let mut identities = Vec::new();
        for entry in entries {
            let wrapped = self.get_small(&entry.key).await?;
            // One of an earlier passphrase is no error while another opens.
            identities.extend(Identity::unwrap_with(&wrapped, passphrase));
        }
        if identities.is_empty() {
            return Err(SealError::WrongPassphrase.into());
        }
        Ok(KeyFile { identities, installation_key: None })
    }

    /// Backups whose manifests lie here, in no order.
    pub async fn backups(&self) -> Result<Vec<BackupId>, DestinationError> {
        let entries =
            self.within(self.patience.answer * 5, "the list of backups", self.storage.list("backups")).await?;
        Ok(entries.iter().filter_map(|entry| Manifest::id_of_key(&entry.key)).collect())
    }

    pub async fn manifest(&self, id: BackupId, trusted: Option<&[u8; 32]>) -> Result<Manifest, DestinationError> {
        let key = Manifest::key(id);
        let bytes = self.get_small(&key).await?;
        Manifest::open(&bytes, id, trusted).map_err(|source| DestinationError::Manifest {
            name: self.name.clone(),
            key,
            source,
        })
    }

    /// The names of a backup's blobs, checked against its manifest.
    pub async fn blob_list(&self, manifest: &Manifest) -> Result<Vec<BlobName>, DestinationError> {
        let key = Manifest::blobs_key(manifest.id);
        let bytes = self.get_whole(&key, MAX_LIST_BYTES).await?;
        if crypto::sha256_hex(&bytes) != manifest.blobs_sha256 {
            return Err(self.damaged(key, "it is not the list that the manifest names".to_owned()));
        }
        let text = String::from_utf8_lossy(&bytes);
        text.lines()
            .map(|line| line.parse().map_err(|_| self.damaged(key.clone(), "not a list of blobs".to_owned())))
            .collect()
    }

    /// Time for so many bytes at the slowest rate that is waited for.
    fn patience(&self, size: u64) -> Duration {
        self.patience.answer + Duration::from_secs(size / self.patience.bytes_per_second.max(1))
    }

    async fn within<T>(
        &self,
        limit: Duration,
        what: &'static str,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, DestinationError> {
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result.map_err(|source| DestinationError::Storage { name: self.name.clone(), source }),
            Err(_) => Err(self.slow(what, limit)),
        }
    }

    fn slow(&self, what: &'static str, limit: Duration) -> DestinationError {
        DestinationError::Slow { name: self.name.clone(), what, seconds: limit.as_secs() }
    }

    fn read_back(&self, key: String, found: String) -> DestinationError {
        DestinationError::ReadBack { name: self.name.clone(), key, found }
    }

    fn damaged(&self, key: String, found: String) -> DestinationError {
        DestinationError::Damaged { name: self.name.clone(), key, found }
    }
}

/// A storage's "not found", with the key.
fn found<T>(key: &str, result: Result<T, DestinationError>) -> Result<T, DestinationError> {
    match result {
        Err(DestinationError::Storage { source: StorageError::NotFound, name }) => {
            Err(DestinationError::Missing { name, key: key.to_owned() })
        }
        other => other,
    }
}
