//! A place for backups: what was written is read back before it counts.

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
use crate::{
    platform::{crypto::Digest, lifecycle::Lifecycle},
    storage::{self, Outside, Storage, StorageError},
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
/// Entries of a listing that are handed on together: as many as a local listing brings at once.
const PIECE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error("destination {name}: the folder {folder} is not there; make it, or mount what it stands on")]
    NoFolder { name: String, folder: String },
    #[error(
        "destination {name}: {backups} backups should lie in {folder}, and there is nothing: is what belongs there mounted? Nothing is \
         written beside it. Where an empty disk is meant, make the folder {folder}/backups"
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

/// One configured destination. Cheap to clone.
#[derive(Clone)]
pub struct Destination {
    pub name: String,
    /// As configured.
    pub url: String,
    storage: Outside,
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
        let storage = storage.outside();
        Ok(Self { name: name.to_owned(), url: config.url.clone(), storage, folder, patience })
    }

    /// The folder, where it is one of this machine.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Errors where this is a folder without any backup though `expected` lie there: a mount point whose disk is away looks like that, and
    /// what is written into it fills the disk below, and is hidden when the mount comes back.
    pub fn check_mounted(&self, expected: i64) -> Result<(), DestinationError> {
        match &self.folder {
            Some(folder) if expected > 0 && !folder.join("backups").is_dir() => Err(DestinationError::Unmounted {
                name: self.name.clone(),
                folder: folder.display().to_string(),
                backups: expected,
            }),
            _ => Ok(()),
        }
    }

    /// Writes, reads and removes a small file.
    pub async fn round_trip(&self) -> Result<(), DestinationError> {
        let same = self.within(self.patience.answer, "a small file", self.storage.round_trip()).await?;
        if same { Ok(()) } else { Err(self.read_back("a small file".to_owned(), "something else".to_owned())) }
    }

    /// What lies below `prefix`, in pieces and in no order. Each piece is waited for by itself.
    fn list(
        &self,
        prefix: &str,
        what: &'static str,
    ) -> impl Stream<Item = Result<Vec<storage::Entry>, DestinationError>> + Send + use<> {
        let found = self.storage.list(prefix).try_ready_chunks(PIECE);
        stream::try_unfold((self.clone(), found), move |(this, mut found)| async move {
            let next = async { found.try_next().await.map_err(|error| error.1) };
            let next = this.within(this.patience.answer, what, next).await?;
            Ok(next.map(|entries| (entries, (this, found))))
        })
    }

    /// Every blob that lies here, whole or not, with the time it was written.
    pub fn blobs(&self) -> impl Stream<Item = Result<Vec<storage::Entry>, DestinationError>> + Send + use<> {
        self.list("blobs", "the list of blobs")
    }

    /// Stores a sealed file under its name, and reads it back.
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
        let stored = self.within(self.patience(whole.size), "an upload", stored).await?;
        if stored.sha256 != whole.sha256.0 {
            // The spool changed under us.
            return Err(self.read_back(key, "the local file changed".to_owned()));
        }
        self.check_written(key, whole).await
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
            make_folders(folder, parent).await?;
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

    async fn check_written(&self, key: String, whole: Fingerprint) -> Result<(), DestinationError> {
        match self.check(key, whole).await {
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
        let read = found(&key, self.within(self.patience(whole.size), "reading back", read).await)?;
        if read == whole { Ok(()) } else { Err(self.damaged(key, read.unlike(&whole))) }
    }

    /// The bytes of a blob, to be opened. What differs from its name is an error at the end.
    pub async fn read_blob(
        &self,
        name: &BlobName,
    ) -> Result<impl Stream<Item = Result<Bytes, DestinationError>> + Send + use<>, DestinationError> {
        let whole = name.whole();
        self.read(name.key(), whole.size, move |read| (read != whole).then(|| read.unlike(&whole))).await
    }

    /// The names of a backup's blobs, a line each. A list that is not the manifest's is an error at the end.
    pub async fn read_blob_list(
        &self,
        manifest: &Manifest,
    ) -> Result<impl Stream<Item = Result<Bytes, DestinationError>> + Send + use<>, DestinationError> {
        let expected = manifest.blobs_sha256;
        let wrong = move |read: Fingerprint| {
            (read.sha256 != expected).then(|| "it is not the list that the manifest names".to_owned())
        };
        let longest = manifest.blobs.saturating_mul(BlobName::MAX_LINE);
        self.read(Manifest::blobs_key(manifest.id), longest, wrong).await
    }

    /// The bytes of a file, each piece waited for by itself. What is `wrong` with them all is an error at the end; more than `longest`
    /// bytes are one at once: they may be about to fill a disk.
    async fn read<W: Fn(Fingerprint) -> Option<String> + Clone + Send + 'static>(
        &self,
        key: String,
        longest: u64,
        wrong: W,
    ) -> Result<impl Stream<Item = Result<Bytes, DestinationError>> + Send + use<W>, DestinationError> {
        let opened = self.within(self.patience.answer, "opening a file", self.storage.get(&key)).await;
        let object = found(&key, opened)?;
        let state = Some((object.stream, Sha256::new(), 0_u64));
        let this = self.clone();
        Ok(stream::try_unfold(state, move |state| {
            let (this, key, wrong) = (this.clone(), key.clone(), wrong.clone());
            async move {
                let Some((mut bytes, mut hash, mut size)) = state else { return Ok(None) };
                if let Some(piece) = this.within(this.patience.answer, "the next piece", bytes.try_next()).await? {
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
        self.within(self.patience.answer, "a deletion", self.storage.delete(key)).await
    }

    /// Stores a small file, and reads it back.
    pub async fn put_small(&self, key: &str, bytes: Vec<u8>) -> Result<(), DestinationError> {
        let bytes = Bytes::from(bytes);
        self.within(self.patience(bytes.len() as u64), "an upload", self.storage.put(key, bytes.clone())).await?;
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
        let result = self.within(self.patience(MAX_SMALL_BYTES), "reading", read).await;
        found(key, result)
    }

    /// The key files that lie here sealed with this passphrase, as one. Those of earlier versions name no installation.
    pub async fn wrapped_keys(&self, passphrase: &SecretString) -> Result<KeyFile, BackupError> {
        let mut entries = std::pin::pin!(self.list("keys", "the list of keys"));
        let mut found: Option<KeyFile> = None;
        while let Some(entries) = entries.try_next().await? {
            for entry in entries {
                // One of an earlier passphrase is no error while another opens.
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

    /// What belongs to backups, whether or not there is a manifest: in no order, with the time it was written.
    pub fn backup_files(&self) -> impl Stream<Item = Result<Vec<storage::Entry>, DestinationError>> + Send + use<> {
        self.list("backups", "the list of backups")
    }

    /// Backups whose manifests lie here, in no order.
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

/// Makes `dir` below `folder`. A folder that is new is written down by the one that it is in.
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

/// A storage's "not found", with the key.
fn found<T>(key: &str, result: Result<T, DestinationError>) -> Result<T, DestinationError> {
    match result {
        Err(DestinationError::Storage { source: StorageError::NotFound, name }) => {
            Err(DestinationError::Missing { name, key: key.to_owned() })
        }
        other => other,
    }
}
