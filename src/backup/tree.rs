//! Trees of files: objects and the vector store, into a backup and out of it.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _, stream};

use super::{
    BackupError,
    destination::Destination,
    manifest::{Blob, FileEntry, Tree},
    seal::{self, Identity, SealError},
    writer::Writer,
};
use crate::{
    knowledge::index::TableState,
    platform::{crypto::Digest, pools::CpuPool},
    storage::{Entry, Storage, StorageError},
};

/// Files on their way at a time: hides the latency of small ones.
const AT_ONCE: usize = 4;

/// What is known of files from earlier runs: their SHA-256 by [`identity`].
pub type Known = HashMap<Digest, Digest>;

/// How a file is recognised as the one that was read before: a hash of key, length and time of change (microseconds).
pub fn identity(key: &str, size: u64, modified: DateTime<Utc>) -> Digest {
    Digest::of(format!("{size} {} {key}", modified.timestamp_micros()))
}

/// Stores every file of `entries`; what is known and lies at the destinations is not read again. `on_file` hears of each.
pub async fn save(
    writer: &Writer,
    store: &Storage,
    entries: &[Entry],
    known: &Known,
    on_file: impl Fn(usize) + Sync,
) -> Result<(Tree, Vec<FileEntry>), BackupError> {
    let on_file = &on_file;
    let files = stream::iter(0..entries.len()).map(|at| {
        let entry = &entries[at];
        async move {
            let known = known.get(&identity(&entry.key, entry.size, entry.modified)).copied();
            let saved = save_file(writer, store, entry, known).await;
            on_file(at + 1);
            saved
        }
        .boxed()
    });
    let mut files: Vec<FileEntry> =
        files.buffer_unordered(AT_ONCE).try_filter_map(|e| std::future::ready(Ok(e))).try_collect().await?;
    files.sort_by(|a, b| a.key.cmp(&b.key));
    let bytes = files.iter().map(|file| file.blob.size).sum();
    let index = index_of(&files).map(Ok::<_, SealError>);
    let index = writer.put(stream::iter(index)).await?;
    Ok((Tree { index, files: files.len() as u64, bytes }, files))
}

/// `None` for a file that was there when the list was made and is not any more: an upload that was given up.
async fn save_file(
    writer: &Writer,
    store: &Storage,
    entry: &Entry,
    known: Option<Digest>,
) -> Result<Option<FileEntry>, BackupError> {
    if let Some(sha256) = known
        && let Some(blob) = writer.reuse(&sha256, entry.size).await?
    {
        return Ok(Some(FileEntry { key: entry.key.clone(), blob }));
    }
    let object = match store.get(&entry.key).await {
        Err(StorageError::NotFound) => return Ok(None),
        other => other?,
    };
    let blob = writer.put(object.stream).await?;
    if blob.size != entry.size {
        return Err(BackupError::Changed(entry.key.clone()));
    }
    Ok(Some(FileEntry { key: entry.key.clone(), blob }))
}

/// A line for each file.
fn index_of(files: &[FileEntry]) -> impl Iterator<Item = Bytes> + Send {
    files.chunks(1000).map(|files| {
        let mut text = String::new();
        for file in files {
            // Strings and numbers: cannot fail.
            text.push_str(&serde_json::to_string(file).unwrap_or_default());
            text.push('\n');
        }
        text.into()
    })
}

/// A blob's content. An error where it is not what the manifest says.
pub async fn open_blob(
    pool: &CpuPool,
    from: &Destination,
    identity: &Identity,
    blob: &Blob,
) -> Result<impl Stream<Item = Result<Bytes, BackupError>> + Send + use<>, BackupError> {
    use sha2::{Digest as _, Sha256};
    let sealed = from.read_blob(&blob.name).await?;
    let opened = seal::open(pool, identity, sealed);
    let expected = blob.clone();
    Ok(stream::try_unfold((opened, Sha256::new(), 0_u64), move |(mut opened, mut hash, mut size)| {
        let expected = expected.clone();
        async move {
            let next = opened.try_next().await.map_err(|error| match error {
                // The key was chosen by the recipients that the manifest names.
                SealError::WrongKey => BackupError::Damaged(format!("{} is sealed for somebody else", expected.name)),
                error => error.into(),
            });
            if let Some(bytes) = next? {
                size += bytes.len() as u64;
                hash.update(&bytes);
                return Ok(Some((bytes, (opened, hash, size))));
            }
            if size != expected.size || Digest(hash.finalize().into()) != expected.sha256 {
                return Err(BackupError::Damaged(format!(
                    "the content of {} is not what the manifest says",
                    expected.name
                )));
            }
            Ok(None)
        }
    }))
}

/// A small blob's content in memory.
pub async fn read_blob(
    pool: &CpuPool,
    from: &Destination,
    identity: &Identity,
    blob: &Blob,
) -> Result<Vec<u8>, BackupError> {
    let pieces: Vec<Bytes> = open_blob(pool, from, identity, blob).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// The files of a tree.
pub async fn entries(
    pool: &CpuPool,
    from: &Destination,
    identity: &Identity,
    tree: &Tree,
) -> Result<Vec<FileEntry>, BackupError> {
    let text = read_blob(pool, from, identity, &tree.index).await?;
    let malformed = |error: serde_json::Error| BackupError::Damaged(format!("the index of files: {error}"));
    let files: Vec<FileEntry> = text
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(malformed))
        .collect::<Result<_, _>>()?;
    if files.len() as u64 != tree.files {
        return Err(BackupError::Damaged(format!(
            "the index names {} files, the manifest {}",
            files.len(),
            tree.files
        )));
    }
    Ok(files)
}

/// Writes files of a tree into a store. Each is compared with its hash before it counts.
pub async fn restore(
    pool: &CpuPool,
    from: &Destination,
    identity: &Identity,
    files: &[FileEntry],
    to: &Storage,
    on_file: impl Fn(usize) + Sync,
) -> Result<(), BackupError> {
    let done = std::sync::atomic::AtomicUsize::new(0);
    let (done, on_file) = (&done, &on_file);
    let written = stream::iter(0..files.len()).map(|at| {
        let file = &files[at];
        async move {
            let data = Box::pin(open_blob(pool, from, identity, &file.blob).await?);
            to.put_stream(&file.key, data, file.blob.size).await?;
            on_file(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
            Ok::<_, BackupError>(())
        }
        .boxed()
    });
    written.buffer_unordered(AT_ONCE).try_collect().await
}

/// Of the files of a vector store those that make up the given versions of its tables.
pub fn vector_files(entries: Vec<Entry>, tables: &BTreeMap<String, TableState>) -> Vec<Entry> {
    let belongs = |entry: &Entry| {
        let (folder, rest) = entry.key.split_once('/')?;
        let version = tables.get(folder.strip_suffix(".lance")?)?.version;
        let Some(name) = rest.strip_prefix("_versions/") else { return Some(()) };
        // A hint at the newest version, which need not be ours; it is found without.
        let number: u64 = name.strip_suffix(".manifest")?.parse().ok()?;
        // Newer names count down from the largest number, so that the newest comes first in a listing.
        let found = if number > u64::MAX / 2 { u64::MAX - number } else { number };
        (found <= version).then_some(())
    };
    entries.into_iter().filter(|entry| belongs(entry).is_some()).collect()
}
