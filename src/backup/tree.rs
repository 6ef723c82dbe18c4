//! File trees (objects, files of participants): into a backup and out of it.

use std::collections::HashMap;

use futures::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::File,
    io::{AsyncWriteExt as _, BufWriter},
};
use tokio_util::io::ReaderStream;

use super::{
    BackupError,
    manifest::{Blob, FileEntry, Tree},
    reader::Reader,
    spool::Spooled,
    writer::Writer,
};
use platform::{crypto::Digest, error::chain};
use storage::{Entry, Storage, StorageError};

/// Files transferred concurrently, to hide the latency of small ones.
const AT_ONCE: usize = 4;
/// Damaged files that are listed: if a disk is gone, each of a million is one.
const MAX_PROBLEMS: usize = 100;

/// Files known from earlier runs, by key.
pub type Known = HashMap<String, KnownFile>;

/// A file that was read once, and its content at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFile {
    pub size: u64,
    /// Unix time, microseconds.
    pub modified: i64,
    pub sha256: Digest,
}

impl KnownFile {
    pub fn new(entry: &Entry, sha256: Digest) -> Self {
        Self { size: entry.size, modified: entry.modified.timestamp_micros(), sha256 }
    }
}

/// Stores `entries` and returns the results in their order; known files whose blobs exist are not read again, vanished files are left out.
/// `on_file` is called for each.
pub async fn save(
    writer: &Writer,
    store: &Storage,
    entries: Vec<Entry>,
    known: &Known,
    on_file: impl Fn() + Sync,
) -> Result<Vec<(Entry, Blob)>, BackupError> {
    let on_file = &on_file;
    let files = stream::iter(entries).map(|entry| {
        async move {
            let saved = save_file(writer, store, &entry, known.get(&entry.key)).await;
            on_file();
            Ok::<_, BackupError>(saved?.map(|blob| (entry, blob)))
        }
        .boxed()
    });
    let files = files.buffer_unordered(AT_ONCE).try_filter_map(|saved| std::future::ready(Ok(saved)));
    let mut files: Vec<(Entry, Blob)> = files.try_collect().await?;
    files.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
    Ok(files)
}

/// `None` if the file vanished since the listing: an abandoned upload.
async fn save_file(
    writer: &Writer,
    store: &Storage,
    entry: &Entry,
    known: Option<&KnownFile>,
) -> Result<Option<Blob>, BackupError> {
    if let Some(known) = known.filter(|known| **known == KnownFile::new(entry, known.sha256))
        && let Some(blob) = writer.reuse(&known.sha256, entry.size).await?
    {
        return Ok(Some(blob));
    }
    let object = match store.get(&entry.key).await {
        Err(StorageError::NotFound) => return Ok(None),
        other => other?,
    };
    let blob = writer.put(object.stream).await?;
    if blob.size != entry.size {
        return Err(BackupError::Changed(entry.key.clone()));
    }
    Ok(Some(blob))
}

/// Writes the index of a tree, one line per file.
pub struct Index {
    file: Spooled,
    out: BufWriter<File>,
    files: u64,
    bytes: u64,
}

impl Index {
    pub async fn begin(file: Spooled) -> Result<Self, BackupError> {
        Ok(Self { out: file.create().await?, file, files: 0, bytes: 0 })
    }

    /// Adds files, in key order.
    pub async fn add(&mut self, files: &[(Entry, Blob)]) -> Result<(), BackupError> {
        for (entry, blob) in files {
            let line = FileEntry { key: entry.key.clone(), blob: blob.clone() }.to_string();
            self.out.write_all(line.as_bytes()).await.map_err(BackupError::io(self.file.path()))?;
            self.files += 1;
            self.bytes += blob.size;
        }
        Ok(())
    }

    /// Stores the index.
    pub async fn finish(mut self, writer: &Writer) -> Result<Tree, BackupError> {
        self.out.flush().await.map_err(BackupError::io(self.file.path()))?;
        let file = File::open(self.file.path()).await.map_err(BackupError::io(self.file.path()))?;
        let index = writer.put(ReaderStream::with_capacity(file, 256 << 10)).await?;
        Ok(Tree { index, files: self.files, bytes: self.bytes })
    }
}

/// Result of restoring the files of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files that were missing or different.
    pub written: u64,
    /// Files that were intact already.
    pub there: u64,
    /// Files that could not be restored, because they are damaged in the backup.
    pub damaged: u64,
    /// The first hundred of those, with the reason.
    pub problems: Vec<String>,
}

impl Restored {
    fn note(&mut self, key: &str, found: Result<bool, BackupError>) -> Result<(), BackupError> {
        match found {
            Ok(true) => self.written += 1,
            Ok(false) => self.there += 1,
            // No store has such a key: the backup invents it.
            Err(error) if error.is_damage() || matches!(error, BackupError::Storage(StorageError::Key(_))) => {
                self.damaged += 1;
                if self.problems.len() < MAX_PROBLEMS {
                    self.problems.push(format!("{key}: {}", chain(&error)));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Fails if any file is damaged.
    pub fn whole(self) -> Result<(), BackupError> {
        match self.problems.into_iter().next() {
            None => Ok(()),
            Some(first) => Err(BackupError::Damaged(format!("{} files, the first: {first}", self.damaged))),
        }
    }
}

/// Restores the files of a tree that are missing in a store or differ. Each is checked against its hash before it counts; a damaged one is
/// recorded, and the others follow. `on_file` gets the number done.
pub async fn restore(
    reader: &Reader,
    files: impl Stream<Item = Result<FileEntry, BackupError>> + Send,
    to: &Storage,
    on_file: impl Fn(u64) + Sync,
) -> Result<Restored, BackupError> {
    let mut restored = Restored::default();
    let files = files.map_ok(|file| {
        async move {
            let written = restore_file(reader, &file, to).await;
            Ok::<_, BackupError>((file.key, written))
        }
        .boxed()
    });
    let mut files = std::pin::pin!(files.try_buffer_unordered(AT_ONCE));
    let mut done = 0;
    while let Some((key, written)) = files.try_next().await? {
        restored.note(&key, written)?;
        done += 1;
        on_file(done);
    }
    Ok(restored)
}

/// False where it was there.
async fn restore_file(reader: &Reader, file: &FileEntry, to: &Storage) -> Result<bool, BackupError> {
    if is_there(to, file).await? {
        return Ok(false);
    }
    let data = Box::pin(reader.open(&file.blob).await?);
    to.put_stream(&file.key, data, file.blob.size).await?;
    Ok(true)
}

/// Whether a store contains exactly this file.
async fn is_there(store: &Storage, file: &FileEntry) -> Result<bool, BackupError> {
    let mut object = match store.get(&file.key).await {
        Err(StorageError::NotFound) => return Ok(false),
        object => object?,
    };
    if object.size != file.blob.size {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    while let Some(bytes) = object.stream.try_next().await? {
        hash.update(&bytes);
    }
    Ok(Digest(hash.finalize().into()) == file.blob.sha256)
}
