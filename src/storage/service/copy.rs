//! Copying a store into another, beside its use: to move from a folder to S3, or back. What was copied is noted in a catalogue, so that a copy that is
//! killed goes on where it was.

use std::{path::Path as FilePath, sync::Arc};

use futures::TryStreamExt as _;
use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::{DigestSet, Digests, Entry, PROBES, Storage};
use crate::StorageError;
use platform::{crypto, pools::CpuPool};

/// Objects at the destination that were read back: key -> size, modification time at the source (microseconds), SHA-256.
const COPIED: TableDefinition<'_, &str, (u64, i64, [u8; 32])> = TableDefinition::new("copied");
/// What a listing of the destination showed: key -> size.
const THERE: TableDefinition<'_, &str, u64> = TableDefinition::new("there");

/// Objects that are copied at a time, to hide the latency of small ones.
const AT_ONCE: usize = 4;
/// Objects after which the catalogue is written to the disk: so many are copied again after a kill.
const NOTED: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("an object cannot be copied")]
    Storage(#[from] StorageError),
    #[error("{key} is not the same at the destination as at the source")]
    Differs { key: String },
    #[error("the catalogue of the copy cannot be used: is the disk full?")]
    Catalogue(#[source] Box<redb::Error>),
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for CopyError {
            fn from(error: redb::$error) -> Self {
                Self::Catalogue(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(CommitError, DatabaseError, StorageError, TableError, TransactionError);

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub objects: u64,
    pub bytes: u64,
    /// Objects that were copied before.
    pub there: u64,
    /// Objects that were deleted after they were listed.
    pub vanished: u64,
}

/// What happened to an object.
enum Done {
    Copied(Entry, [u8; 32]),
    There,
    Vanished,
}

/// Told after each object.
pub type Progress<'a> = &'a (dyn Fn(&Copied) + Send + Sync);

/// A copy of a store into another.
struct Copying {
    from: Storage,
    to: Storage,
    database: Arc<Database>,
    cpu: CpuPool,
}

/// Copies what `to` lacks of `from`, reads it back and compares it. `catalogue`: a file that is kept between passes. What changes meanwhile is for the
/// next pass.
pub async fn copy_between(
    from: &Storage,
    to: &Storage,
    catalogue: &FilePath,
    cpu: &CpuPool,
    on_object: Progress<'_>,
) -> Result<Copied, CopyError> {
    let copy = Copying { from: from.clone(), to: to.clone(), database: open(catalogue)?, cpu: cpu.clone() };
    let (mut copied, mut noted) = (Copied::default(), Vec::new());
    let listed = from.list("").map_err(CopyError::from);
    let ours = listed.try_filter(|entry| std::future::ready(!entry.key.starts_with(&format!("{PROBES}/"))));
    let work = ours.map_ok(|entry| copy.one(entry)).try_buffer_unordered(AT_ONCE);
    let mut work = std::pin::pin!(work);
    while let Some(done) = work.try_next().await? {
        match done {
            Done::Copied(entry, sha256) => {
                copied.objects += 1;
                copied.bytes += entry.size;
                noted.push((entry, sha256));
            }
            Done::There => copied.there += 1,
            Done::Vanished => copied.vanished += 1,
        }
        on_object(&copied);
        if noted.len() >= NOTED {
            copy.note(std::mem::take(&mut noted)).await?;
        }
    }
    copy.note(noted).await?;
    Ok(copied)
}

/// Compares two stores after the last pass: everything of `from` is in `to` with its size, and of a share (0 to 1) the content is read again. Returns
/// how many objects there are, and how many bytes.
pub async fn compare(
    from: &Storage,
    to: &Storage,
    catalogue: &FilePath,
    cpu: &CpuPool,
    share: f64,
) -> Result<(u64, u64), CopyError> {
    let copy = Copying { from: from.clone(), to: to.clone(), database: open(catalogue)?, cpu: cpu.clone() };
    copy.list_destination().await?;
    let (mut objects, mut bytes) = (0, 0);
    let mut listed = from.list("");
    while let Some(entry) = listed.try_next().await? {
        if entry.key.starts_with(&format!("{PROBES}/")) {
            continue;
        }
        let (there, known) = copy.find(&entry.key)?;
        let is_same = there == Some(entry.size)
            && match known {
                Some((_, _, sha256)) if crypto::random_unit() < share => copy.hash(to, &entry).await? == sha256,
                known => known.is_some(),
            };
        // One that was deleted since it was listed is no difference.
        if !is_same && from.size_of(&entry.key).await?.is_some() {
            return Err(CopyError::Differs { key: entry.key });
        }
        objects += 1;
        bytes += entry.size;
    }
    Ok((objects, bytes))
}

fn open(catalogue: &FilePath) -> Result<Arc<Database>, CopyError> {
    let database = Database::builder().set_cache_size(16 << 20).create(catalogue)?;
    let tx = database.begin_write()?;
    tx.open_table(COPIED)?;
    tx.open_table(THERE)?;
    tx.commit()?;
    Ok(Arc::new(database))
}

type Known = (u64, i64, [u8; 32]);

impl Copying {
    async fn one(&self, entry: Entry) -> Result<Done, CopyError> {
        let (_, known) = self.find(&entry.key)?;
        if known.is_some_and(|(size, modified, _)| (size, modified) == (entry.size, entry.modified.timestamp_micros()))
        {
            return Ok(Done::There);
        }
        let content = match self.from.get(&entry.key).await {
            Ok(object) => object,
            Err(StorageError::NotFound) => return Ok(Done::Vanished),
            Err(error) => return Err(error.into()),
        };
        let stored = self.to.put_stream(&entry.key, content.stream, content.size.max(entry.size)).await?;
        let entry = Entry { size: stored.size, ..entry };
        if self.hash(&self.to, &entry).await? == stored.sha256 {
            Ok(Done::Copied(entry, stored.sha256))
        } else {
            Err(CopyError::Differs { key: entry.key })
        }
    }

    async fn hash(&self, of: &Storage, entry: &Entry) -> Result<[u8; 32], CopyError> {
        let mut digests = Digests::new(&DigestSet::default());
        let mut content = of.read(&entry.key, 0..entry.size);
        while let Some(bytes) = content.try_next().await? {
            digests = digests.take(&self.cpu, vec![bytes]).await?;
        }
        Ok(digests.finish().sha256)
    }

    /// The size at the destination, by its listing, and what was noted when the object was copied.
    fn find(&self, key: &str) -> Result<(Option<u64>, Option<Known>), CopyError> {
        let tx = self.database.begin_read()?;
        let there = tx.open_table(THERE)?.get(key)?.map(|found| found.value());
        let known = tx.open_table(COPIED)?.get(key)?.map(|found| found.value());
        Ok((there, known))
    }

    /// Committing waits for the disk.
    async fn note(&self, noted: Vec<(Entry, [u8; 32])>) -> Result<(), CopyError> {
        if noted.is_empty() {
            return Ok(());
        }
        let database = self.database.clone();
        let note = move || {
            let tx = database.begin_write()?;
            let mut table = tx.open_table(COPIED)?;
            for (entry, sha256) in &noted {
                table.insert(entry.key.as_str(), (entry.size, entry.modified.timestamp_micros(), *sha256))?;
            }
            drop(table);
            tx.commit()?;
            Ok::<(), CopyError>(())
        };
        self.cpu.run(note).await.map_err(StorageError::from)?
    }

    async fn list_destination(&self) -> Result<(), CopyError> {
        let tx = self.database.begin_write()?;
        tx.delete_table(THERE)?;
        tx.open_table(THERE)?;
        tx.commit()?;
        let mut pages = self.to.list("").try_chunks(10_000);
        while let Some(page) = pages.try_next().await.map_err(|error| CopyError::Storage(error.1))? {
            let database = self.database.clone();
            let write = move || {
                let tx = database.begin_write()?;
                let mut table = tx.open_table(THERE)?;
                for entry in &page {
                    table.insert(entry.key.as_str(), entry.size)?;
                }
                drop(table);
                tx.commit()?;
                Ok::<(), CopyError>(())
            };
            self.cpu.run(write).await.map_err(StorageError::from)??;
        }
        Ok(())
    }
}
