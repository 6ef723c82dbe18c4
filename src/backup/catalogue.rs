//! On-disk catalogue of files and blobs for a run, so that memory does not grow with their number.

use std::{
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::DateTime;
use redb::{Database, Durability, ReadableTable as _, ReadableTableMetadata as _, TableDefinition};

use super::{BackupError, manifest::BlobName, spool::Spooled};
use platform::{crypto::Digest, pools::CpuPool};
use storage::Entry;

/// Key -> size and modification time (microseconds).
const FILES: TableDefinition<'_, &str, (u64, i64)> = TableDefinition::new("files");
/// Blob names by set: content, hash, size.
const BLOBS: TableDefinition<'_, (u32, [u8; 32], [u8; 32], u64), ()> = TableDefinition::new("blobs");

/// Page cache, bytes.
const CACHE: usize = 16 << 20;

/// The catalogue's file cannot be used, usually because the disk is full.
#[derive(Debug, thiserror::Error)]
#[error("the lists of a backup cannot be kept in its work folder")]
pub struct CatalogueError(#[source] Box<redb::Error>);

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for CatalogueError {
            fn from(error: redb::$error) -> Self {
                Self(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(DatabaseError, SetDurabilityError, StorageError, TableError, TransactionError);

/// Sets and maps in a temporary file. Cheap to clone.
#[derive(Clone)]
pub struct Catalogue(Arc<Inner>);

struct Inner {
    pool: CpuPool,
    /// Never committed: nobody reads the file later, and uncommitted data is never synced.
    tx: Mutex<redb::WriteTransaction>,
    _database: Database,
    _file: Spooled,
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").finish_non_exhaustive()
    }
}

impl Catalogue {
    pub fn make(file: Spooled, pool: CpuPool) -> Result<Self, CatalogueError> {
        let database = Database::builder().set_cache_size(CACHE).create(file.path())?;
        let mut tx = database.begin_write()?;
        tx.set_durability(Durability::None)?;
        tx.open_table(FILES)?;
        tx.open_table(BLOBS)?;
        Ok(Self(Arc::new(Inner { pool, tx: Mutex::new(tx), _database: database, _file: file })))
    }

    fn tx(&self) -> MutexGuard<'_, redb::WriteTransaction> {
        self.0.tx.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs slow operations on a thread that may block.
    pub async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, CatalogueError> + Send + 'static,
    ) -> Result<T, BackupError> {
        let this = self.clone();
        Ok(self.0.pool.run(move || work(&this)).await??)
    }

    pub fn add_files(&self, files: &[Entry]) -> Result<(), CatalogueError> {
        let tx = self.tx();
        let mut table = tx.open_table(FILES)?;
        for file in files {
            table.insert(file.key.as_str(), (file.size, file.modified.timestamp_micros()))?;
        }
        Ok(())
    }

    pub fn count_files(&self) -> Result<u64, CatalogueError> {
        Ok(self.tx().open_table(FILES)?.len()?)
    }

    /// The next `count` files after the key `after`, in key order.
    pub fn files(&self, after: &str, count: usize) -> Result<Vec<Entry>, CatalogueError> {
        let tx = self.tx();
        let table = tx.open_table(FILES)?;
        let next = table.range::<&str>((Bound::Excluded(after), Bound::Unbounded))?.take(count);
        next.map(|found| {
            let (key, value) = found?;
            let (size, micros) = value.value();
            let modified = DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH);
            Ok(Entry { key: key.value().to_owned(), size, modified })
        })
        .collect()
    }

    pub fn clear_files(&self) -> Result<(), CatalogueError> {
        let tx = self.tx();
        tx.delete_table(FILES)?;
        tx.open_table(FILES)?;
        Ok(())
    }

    /// Sets are numbered by their users.
    pub fn add_blobs(&self, set: u32, names: &[BlobName]) -> Result<(), CatalogueError> {
        let tx = self.tx();
        let mut table = tx.open_table(BLOBS)?;
        for name in names {
            table.insert((set, name.content.0, name.sealed.0, name.size), ())?;
        }
        Ok(())
    }

    pub fn remove_blob(&self, set: u32, name: &BlobName) -> Result<(), CatalogueError> {
        let tx = self.tx();
        tx.open_table(BLOBS)?.remove((set, name.content.0, name.sealed.0, name.size))?;
        Ok(())
    }

    pub fn has_blob(&self, set: u32, name: &BlobName) -> Result<bool, CatalogueError> {
        Ok(self.tx().open_table(BLOBS)?.get((set, name.content.0, name.sealed.0, name.size))?.is_some())
    }

    /// A blob with this content.
    pub fn find_blob(&self, set: u32, content: &Digest) -> Result<Option<BlobName>, CatalogueError> {
        let tx = self.tx();
        let table = tx.open_table(BLOBS)?;
        let all = (set, content.0, [0; 32], 0)..=(set, content.0, [u8::MAX; 32], u64::MAX);
        let found = table.range(all)?.next().transpose()?;
        Ok(found.map(|(key, _)| name_of(key.value())))
    }

    /// The next `count` blobs after `after`, sorted.
    pub fn blobs(&self, set: u32, after: Option<&BlobName>, count: usize) -> Result<Vec<BlobName>, CatalogueError> {
        let tx = self.tx();
        let table = tx.open_table(BLOBS)?;
        let begin = match after {
            Some(name) => Bound::Excluded((set, name.content.0, name.sealed.0, name.size)),
            None => Bound::Included((set, [0; 32], [0; 32], 0)),
        };
        let next = table.range((begin, Bound::Included((set, [u8::MAX; 32], [u8::MAX; 32], u64::MAX))))?.take(count);
        next.map(|found| Ok(name_of(found?.0.value()))).collect()
    }
}

fn name_of((_, content, sealed, size): (u32, [u8; 32], [u8; 32], u64)) -> BlobName {
    BlobName { content: Digest(content), sealed: Digest(sealed), size }
}
