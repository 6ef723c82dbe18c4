//! A destination of backups. Everything written is read back before it counts.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio_util::io::ReaderStream;

use super::{
    BackupError,
    keys::KeyFile,
    manifest::{BlobName, Manifest, ManifestError},
    model::BackupId,
    seal::{self, Fingerprint, SealError},
};
use platform::{crypto::Digest, lifecycle::Lifecycle};
use storage::{Outside, Storage, StorageError};

/// Timeouts of a destination.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a response, in addition to the transfer time.
    pub answer: Duration,
    pub bytes_per_second: u64,
}

/// Largest manifest or wrapped key.
const MAX_SMALL_BYTES: u64 = 64 << 20;
/// Entries of a listing handed on together: the page size of a local listing.
const PIECE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error("destination {name}: the folder {folder} does not exist; create it, or mount its disk")]
    NoFolder { name: String, folder: String },
    #[error(
        "destination {name}: {backups} backups should be in {folder}, but it is empty: is its disk mounted? Nothing is written into an \
         unmounted folder. If the disk is meant to be empty, create the folder {folder}/backups"
    )]
    Unmounted { name: String, folder: String, backups: i64 },
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

/// A configured destination. Cheap to clone.
#[derive(Clone)]
pub struct Destination {
    pub name: String,
    /// As configured.
    pub url: String,
    storage: Outside,
    folder: Option<PathBuf>,
    timeouts: Timeouts,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Destination {
    /// Opens a bucket or an existing folder (it is not created, because a missing mount must not be written beside). Does not connect.
    pub fn open(
        name: &str,
        config: &storage::Config,
        timeouts: Timeouts,
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
        let storage = storage.outside();
        Ok(Self { name: name.to_owned(), url: config.url.clone(), storage, folder, timeouts })
    }

    /// The folder, if it is on this machine.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Fails if this is a folder without backups although `expected` should be in it: that is what a mount point without its disk looks
    /// like. Writing there would fill the disk below and be hidden when the mount returns.
    pub fn check_mounted(&self, expected: i64) -> Result<(), DestinationError> {
        match &self.folder {
            Some(folder) if expected > 0 && !platform::mutant(30) && !folder.join("backups").is_dir() => {
                Err(DestinationError::Unmounted {
                    name: self.name.clone(),
                    folder: folder.display().to_string(),
                    backups: expected,
                })
            }
            _ => Ok(()),
        }
    }

    /// Writes, reads and removes a small file.
    pub async fn round_trip(&self) -> Result<(), DestinationError> {
        let same = self.within(self.timeouts.answer, "a small file", self.storage.round_trip()).await?;
        if same { Ok(()) } else { Err(self.read_back("a small file".to_owned(), "something else".to_owned())) }
    }

    /// Lists the entries below `prefix`, in pieces, unordered. The timeout applies to each piece.
    fn list(
        &self,
        prefix: &str,
        what: &'static str,
    ) -> impl Stream<Item = Result<Vec<storage::Entry>, DestinationError>> + Send + use<> {
        let found = self.storage.list(prefix).try_ready_chunks(PIECE);
        stream::try_unfold((self.clone(), found), move |(this, mut found)| async move {
            let next = async { found.try_next().await.map_err(|error| error.1) };
            let next = this.within(this.timeouts.answer, what, next).await?;
            Ok(next.map(|entries| (entries, (this, found))))
        })
    }

    /// All blobs here, complete or not, with their modification times.
    pub fn blobs(&self) -> impl Stream<Item = Result<Vec<storage::Entry>, DestinationError>> + Send + use<> {
        self.list("blobs", "the list of blobs")
    }

    /// Stores an encrypted file under its name, and reads it back.
    pub async fn put_blob(&self, name: &BlobName, file: &Path) -> Result<(), DestinationError> {
        self.put_file(name.key(), name.whole(), file).await
    }

    /// Stores a file, and reads it back.
    pub async fn put_file(&self, key: String, whole: Fingerprint, file: &Path) -> Result<(), DestinationError> {
        if self.link(&key, file).await {
            return self.check_written(key, whole).await;
        }
        let local = |source| DestinationError::Local { path: file.display().to_string(), source };
        let data = ReaderStream::with_capacity(tokio::fs::File::open(file).await.map_err(local)?, 256 << 10);
        let stored = self.storage.put_stream(&key, data, whole.size);
        let stored = self.within(self.timeout_for(whole.size), "an upload", stored).await?;
        if stored.sha256 != whole.sha256.0 {
            // The local file has changed meanwhile.
            return Err(self.read_back(key, "the local file changed".to_owned()));
        }
        self.check_written(key, whole).await
    }

    /// On the same disk a hard link replaces the copy, which would cost time and space without protecting anything more. False on another
    /// disk, or if linking failed.
    async fn link(&self, key: &str, file: &Path) -> bool {
        let Some(folder) = &self.folder else { return false };
        let target = folder.join(key);
        let parent = target.parent().unwrap_or(folder);
        let partial = target.with_extension("partial");
        let linked = async {
            tokio::fs::File::open(file).await?.sync_all().await?;
            make_folders(folder, parent).await?;
            tokio::fs::hard_link(file, &partial).await?;
            // Two destinations on one disk must not share a file: damage to one would damage the other.
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

    async fn check_written(&self, key: String, whole: Fingerprint) -> Result<(), DestinationError> {
        match self.check(key, whole).await {
            Err(DestinationError::Damaged { key, found, .. }) => {
                // Its name and length would make it look valid.
                let _ = self.storage.delete(&key).await;
                Err(self.read_back(key, found))
            }
            Err(DestinationError::Missing { key, .. }) => Err(self.read_back(key, "nothing is there".to_owned())),
            other => other,
        }
    }

    /// Reads a blob and checks length and hash against its name.
    pub async fn check_blob(&self, name: &BlobName) -> Result<(), DestinationError> {
        self.check(name.key(), name.whole()).await
    }

    async fn check(&self, key: String, whole: Fingerprint) -> Result<(), DestinationError> {
        let read = async {
            let mut object = self.storage.get(&key).await?;
            let (mut hash, mut size) = (Sha256::new(), 0);
            while let Some(bytes) = object.stream.next().await.transpose()? {
                size += bytes.len() as u64;
                hash.update(&bytes);
            }
            Ok(Fingerprint { size, sha256: Digest(hash.finalize().into()) })
        };
        let read = found(&key, self.within(self.timeout_for(whole.size), "reading back", read).await)?;
        if read == whole { Ok(()) } else { Err(self.damaged(key, read.unlike(&whole))) }
    }

    /// Bytes of a blob, for opening. A mismatch with its name is an error at the end.
    pub async fn read_blob(
        &self,
        name: &BlobName,
    ) -> Result<impl Stream<Item = Result<Bytes, DestinationError>> + Send + use<>, DestinationError> {
        let whole = name.whole();
        self.read(name.key(), whole.size, move |read| (read != whole).then(|| read.unlike(&whole))).await
    }

    /// Names of a backup's blobs, one per line. If the list is not the one in the manifest, an error at the end.
    pub async fn read_blob_list(
        &self,
        manifest: &Manifest,
    ) -> Result<impl Stream<Item = Result<Bytes, DestinationError>> + Send + use<>, DestinationError> {
        let expected = manifest.blobs_sha256;
        let wrong = move |read: Fingerprint| {
            (read.sha256 != expected).then(|| "it is not the list named in the manifest".to_owned())
        };
        let longest = manifest.blobs.saturating_mul(BlobName::MAX_LINE);
        self.read(Manifest::blobs_key(manifest.id), longest, wrong).await
    }

    /// Bytes of a file, with a timeout per piece. `wrong` checks the whole and is reported at the end; exceeding `longest` bytes is an
    /// error at once, because it may be about to fill a disk.
    async fn read<W: Fn(Fingerprint) -> Option<String> + Clone + Send + 'static>(
        &self,
        key: String,
        longest: u64,
        wrong: W,
    ) -> Result<impl Stream<Item = Result<Bytes, DestinationError>> + Send + use<W>, DestinationError> {
        let opened = self.within(self.timeouts.answer, "opening a file", self.storage.get(&key)).await;
        let object = found(&key, opened)?;
        let state = Some((object.stream, Sha256::new(), 0_u64));
        let this = self.clone();
        Ok(stream::try_unfold(state, move |state| {
            let (this, key, wrong) = (this.clone(), key.clone(), wrong.clone());
            async move {
                let Some((mut bytes, mut hash, mut size)) = state else { return Ok(None) };
                if let Some(piece) = this.within(this.timeouts.answer, "the next piece", bytes.try_next()).await? {
                    size += piece.len() as u64;
                    hash.update(&piece);
                    if size > longest {
                        return Err(this.damaged(key, format!("more than {longest} bytes")));
                    }
                    return Ok(Some((piece, Some((bytes, hash, size)))));
                }
                match wrong(Fingerprint { size, sha256: Digest(hash.finalize().into()) }) {
                    None => Ok(None),
                    Some(words) => Err(this.damaged(key, words)),
                }
            }
        }))
    }

    pub async fn delete(&self, key: &str) -> Result<(), DestinationError> {
        self.within(self.timeouts.answer, "a deletion", self.storage.delete(key)).await
    }

    /// Stores a small file, and reads it back.
    pub async fn put_small(&self, key: &str, bytes: Vec<u8>) -> Result<(), DestinationError> {
        let bytes = Bytes::from(bytes);
        self.within(self.timeout_for(bytes.len() as u64), "an upload", self.storage.put(key, bytes.clone())).await?;
        match self.get_small(key).await {
            Ok(found) if found == bytes => Ok(()),
            Ok(_) => Err(self.read_back(key.to_owned(), "its bytes were changed".to_owned())),
            Err(DestinationError::Missing { .. }) => Err(self.read_back(key.to_owned(), "nothing is there".to_owned())),
            Err(error) => Err(error),
        }
    }

    pub async fn get_small(&self, key: &str) -> Result<Bytes, DestinationError> {
        let read = async {
            let object = self.storage.get(key).await?;
            if object.size > MAX_SMALL_BYTES {
                return Err(StorageError::TooLarge(MAX_SMALL_BYTES));
            }
            let pieces: Vec<Bytes> = object.stream.try_collect().await?;
            Ok(Bytes::from(pieces.concat()))
        };
        let result = self.within(self.timeout_for(MAX_SMALL_BYTES), "reading", read).await;
        found(key, result)
    }

    /// The key files stored here that this passphrase decrypts, merged into one. Those of earlier versions name no installation.
    pub async fn wrapped_keys(&self, passphrase: &SecretString) -> Result<KeyFile, BackupError> {
        let mut entries = std::pin::pin!(self.list("keys", "the list of keys"));
        let mut found: Option<KeyFile> = None;
        while let Some(entries) = entries.try_next().await? {
            for entry in entries {
                // Keys under an earlier passphrase are no error as long as one opens.
                let Ok(text) = seal::unwrap(&self.get_small(&entry.key).await?, passphrase) else { continue };
                let file = KeyFile::parse(text.expose_secret())?;
                found = Some(match found {
                    None => file,
                    Some(found) => found.with(file)?,
                });
            }
        }
        found.ok_or_else(|| SealError::WrongPassphrase.into())
    }

    /// Files of all backups, with or without a manifest, unordered, with their modification times.
    pub fn backup_files(&self) -> impl Stream<Item = Result<Vec<storage::Entry>, DestinationError>> + Send + use<> {
        self.list("backups", "the list of backups")
    }

    /// Backups with a manifest here, unordered.
    pub async fn backups(&self) -> Result<Vec<BackupId>, DestinationError> {
        let ids = self.backup_files().map_ok(|entries| {
            stream::iter(entries.into_iter().filter_map(|entry| Manifest::id_of_key(&entry.key)).map(Ok))
        });
        ids.try_flatten().try_collect().await
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

    /// Timeout for a transfer of `size` bytes at the minimum rate.
    fn timeout_for(&self, size: u64) -> Duration {
        self.timeouts.answer + Duration::from_secs(size / self.timeouts.bytes_per_second.max(1))
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

/// Creates `dir` below `folder`, and syncs the parent of each new folder.
async fn make_folders(folder: &Path, dir: &Path) -> std::io::Result<()> {
    if tokio::fs::try_exists(dir).await? {
        return Ok(());
    }
    tokio::fs::create_dir_all(dir).await?;
    for above in dir.ancestors().skip(1).take_while(|above| above.starts_with(folder)) {
        tokio::fs::File::open(above).await?.sync_all().await?;
    }
    Ok(())
}

/// Maps a storage's "not found" to an error with the key.
fn found<T>(key: &str, result: Result<T, DestinationError>) -> Result<T, DestinationError> {
    match result {
        Err(DestinationError::Storage { source: StorageError::NotFound, name }) => {
            Err(DestinationError::Missing { name, key: key.to_owned() })
        }
        other => other,
    }
}
