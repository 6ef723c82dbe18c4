//! [`Storage`]: with its parts the only code that knows `object_store`.

mod backend;
mod claim;
mod copy;
mod digest;
mod faults;
mod read;
mod unfinished;
mod upload;
mod write;

use std::{
    collections::BTreeSet,
    ops::{Deref, Range},
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, path::Path, prefix::PrefixStore};
use tokio::time::Instant;

use super::{
    Config, DeleteGuard, Metrics, StorageError,
    metrics::{Operation, Outcome},
};
use faults::Faulty;
use platform::{crypto, lifecycle::Lifecycle};

pub use copy::{Copied, CopyError, Progress, compare, copy_between};
pub use digest::{DigestKind, DigestSet, Digested, Digests};
pub use faults::{Fault, Faults};
pub use upload::Stored;
pub use write::Write;

/// Folder of the test objects of [`Storage::round_trip`] and [`Storage::writes_once`]; belongs to no room.
const PROBES: &str = "doctor";

/// The object store, or a room's part of it. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The folder of a local store.
    folder: Option<PathBuf>,
    /// Folders of the rooms, for the whole store.
    rooms: Arc<Mutex<BTreeSet<&'static str>>>,
    lifecycle: Lifecycle,
    metrics: Metrics,
    /// See [`Config::check_reads`].
    check_reads: f64,
}

/// An object being read.
pub struct Object {
    /// Size of the whole object, bytes.
    pub size: u64,
    pub stream: BoxStream<'static, Result<Bytes, StorageError>>,
}

/// An object in a listing.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub size: u64,
    pub modified: chrono::DateTime<chrono::Utc>,
}

impl Storage {
    /// Opens the folder below `data_dir` (created if missing) or the bucket. Does not connect.
    pub fn open(
        config: &Config,
        data_dir: &FilePath,
        lifecycle: Lifecycle,
        metrics: Metrics,
    ) -> Result<Self, StorageError> {
        Self::open_at(&config.url, Config::local_folder(data_dir), config, lifecycle, metrics)
    }

    /// Opens `url` with the account of `config`; an empty URL means `folder` (created if missing). Does not connect.
    pub fn open_at(
        url: &str,
        folder: PathBuf,
        config: &Config,
        lifecycle: Lifecycle,
        metrics: Metrics,
    ) -> Result<Self, StorageError> {
        let backend::Opened { store, folder } = backend::open(url, folder, config)?;
        Ok(Self { store, folder, rooms: Arc::default(), lifecycle, metrics, check_reads: config.check_reads })
    }

    /// In memory, with these faults: for tests. `tests/it/architecture` refuses it elsewhere.
    #[doc(hidden)]
    pub fn of_faults(faults: &Faults, lifecycle: Lifecycle, metrics: Metrics) -> Self {
        let store = Arc::new(Faulty::new(faults.clone()));
        Self { store, folder: None, rooms: Arc::default(), lifecycle, metrics, check_reads: 0.0 }
    }

    /// A room's part of the store, the folder `name`: keys are relative to it, and listings show nothing else. Each name can be taken once.
    pub fn room(&self, name: &'static str) -> Result<Self, StorageError> {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_name || name == PROBES || !rooms.insert(name) {
            return Err(StorageError::Key(format!("{name}: not a valid folder for a room, or taken by another room")));
        }
        drop(rooms);
        Ok(Self {
            store: Arc::new(PrefixStore::new(self.store.clone(), name)),
            folder: self.folder.as_ref().map(|folder| folder.join(name)),
            rooms: Arc::default(),
            ..self.clone()
        })
    }

    /// Folders of the rooms.
    pub fn rooms(&self) -> Vec<&'static str> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Share of the objects read whole whose hash whoever reads them compares.
    pub fn check_reads(&self) -> f64 {
        self.check_reads
    }

    /// The folders directly below `prefix` (empty: of all), by their names.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let below = Some(prefix).filter(|prefix| !prefix.is_empty()).map(path).transpose()?;
        self.observed(Operation::List, async {
            let found = self.store.list_with_delimiter(below.as_ref()).await?;
            Ok(found.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
        })
        .await
    }

    /// Folders that belong to no room: of a version with other rooms, or of another user of the bucket.
    pub async fn strangers(&self) -> Result<Vec<String>, StorageError> {
        self.observed(Operation::List, async {
            let found = self.store.list_with_delimiter(None).await?;
            let rooms = self.rooms();
            let names = found.common_prefixes.iter().map(ToString::to_string);
            Ok(names.filter(|name| name != PROBES && !rooms.contains(&name.as_str())).collect())
        })
        .await
    }

    /// This store as one that is not backed up: see [`Outside`].
    pub fn outside(self) -> Outside {
        Outside(self)
    }

    /// Whether objects are in a local folder.
    pub fn is_local(&self) -> bool {
        self.folder.is_some()
    }

    /// Whether the store grants access, tested by listing one entry.
    pub async fn probe(&self) -> Result<(), StorageError> {
        self.observed(Operation::List, async {
            self.store.list(None).next().await.transpose()?;
            Ok(())
        })
        .await
    }

    /// Writes, reads and deletes a small object. False if the bytes read differ.
    pub async fn round_trip(&self) -> Result<bool, StorageError> {
        let (key, data) = probe();
        self.put(&key, data.clone()).await?;
        let same = self.get_bytes(&key).await? == data;
        self.remove(&key).await?;
        Ok(same && !self.exists(&key).await?)
    }

    /// Whether an object can be written, and only once.
    pub async fn writes_once(&self) -> Result<bool, StorageError> {
        let (key, data) = probe();
        let first = self.put_new(&key, data.clone()).await?;
        let second = self.put_new(&key, data).await;
        self.remove(&key).await?;
        Ok(first && !second?)
    }

    /// Total bytes in the store.
    pub async fn size(&self) -> Result<u64, StorageError> {
        self.list("").try_fold(0, |sum, entry| std::future::ready(Ok(sum + entry.size))).await
    }

    /// Stores `bytes` unless the key exists; then returns false and changes nothing.
    pub async fn put_new(&self, key: &str, bytes: Bytes) -> Result<bool, StorageError> {
        self.observed(Operation::Put, async {
            match self.store.put_opts(&path(key)?, bytes.into(), PutMode::Create.into()).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Stores `bytes`, replacing an existing object.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StorageError> {
        let size = bytes.len() as u64;
        self.observed(Operation::Put, async {
            self.store.put(&path(key)?, bytes.into()).await?;
            self.metrics.written.inc_by(size);
            Ok(())
        })
        .await
    }

    /// Opens an object for reading.
    pub async fn get(&self, key: &str) -> Result<Object, StorageError> {
        self.observed(Operation::Get, async {
            let found = self.store.get(&path(key)?).await?;
            let (size, read) = (found.meta.size, self.metrics.read.clone());
            let stream = found.into_stream().map_err(StorageError::from).inspect_ok(move |bytes| {
                read.inc_by(bytes.len() as u64);
            });
            Ok(Object { size, stream: stream.boxed() })
        })
        .await
    }

    /// A whole object in memory.
    pub async fn get_bytes(&self, key: &str) -> Result<Bytes, StorageError> {
        self.observed(Operation::Get, async {
            let bytes = self.store.get(&path(key)?).await?.bytes().await?;
            self.metrics.read.inc_by(bytes.len() as u64);
            Ok(bytes)
        })
        .await
    }

    /// Bytes `range` of an object; truncated at the end of the object.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.observed(Operation::Get, async {
            let bytes = self.store.get_range(&path(key)?, range).await?;
            self.metrics.read.inc_by(bytes.len() as u64);
            Ok(bytes)
        })
        .await
    }

    pub async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        Ok(self.size_of(key).await?.is_some())
    }

    /// Bytes of an object; `None` where there is none.
    pub async fn size_of(&self, key: &str) -> Result<Option<u64>, StorageError> {
        match self.observed(Operation::Get, async { Ok(self.store.head(&path(key)?).await?) }).await {
            Ok(found) => Ok(Some(found.size)),
            Err(StorageError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes an object; a missing one is no error.
    pub async fn delete(&self, key: &str, guard: &mut DeleteGuard) -> Result<(), StorageError> {
        guard.check().await?;
        self.remove(key).await
    }

    /// Deletes everything below `prefix` (whole path segments), including unfinished local uploads.
    pub async fn delete_prefix(&self, prefix: &str, guard: &mut DeleteGuard) -> Result<(), StorageError> {
        guard.check().await?;
        self.remove_prefix(prefix).await
    }

    async fn remove(&self, key: &str) -> Result<(), StorageError> {
        self.observed(Operation::Delete, async {
            match self.store.delete(&path(key)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    async fn remove_prefix(&self, prefix: &str) -> Result<(), StorageError> {
        self.observed(Operation::Delete, async {
            let below = path(prefix)?;
            if let Some(folder) = &self.folder {
                // The store's own listing omits unfinished uploads of killed processes.
                return match tokio::fs::remove_dir_all(folder.join(below.as_ref())).await {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
                    _ => Ok(()),
                };
            }
            let found: Vec<_> = self.store.list(Some(&below)).map_ok(|meta| meta.location).try_collect().await?;
            let deleted = self.store.delete_stream(stream::iter(found.into_iter().map(Ok)).boxed());
            deleted.try_for_each(|_| std::future::ready(Ok(()))).await?;
            Ok(())
        })
        .await
    }

    /// Lists everything below `prefix` (whole path segments; empty: everything), unordered and streamed, so that the size of the store does
    /// not matter. Counted and timed when it ends or fails.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<Entry, StorageError>> {
        let below = match Some(prefix).filter(|prefix| !prefix.is_empty()).map(path).transpose() {
            Ok(below) => below,
            Err(error) => {
                self.metrics.count(Operation::List, Outcome::Rejected, Duration::ZERO);
                return stream::once(std::future::ready(Err(error))).boxed();
            }
        };
        let mut entries = self.store.list(below.as_ref()).map_err(StorageError::from).map_ok(|meta| Entry {
            key: meta.location.to_string(),
            size: meta.size,
            modified: meta.last_modified,
        });
        // The time that the caller spends on an entry does not count.
        let (mut asked, mut waited, mut counted, metrics) = (None, Duration::ZERO, false, self.metrics.clone());
        let found = stream::poll_fn(move |context| {
            let begin = *asked.get_or_insert_with(Instant::now);
            let next = ready!(entries.poll_next_unpin(context));
            asked = None;
            waited += begin.elapsed();
            let outcome = match &next {
                Some(Ok(_)) => return Poll::Ready(next),
                Some(Err(_)) => Outcome::Error,
                None => Outcome::Ok,
            };
            if !std::mem::replace(&mut counted, true) {
                metrics.count(Operation::List, outcome, waited);
            }
            Poll::Ready(next)
        });
        found.boxed()
    }

    /// Runs an operation, and records its outcome and duration.
    async fn observed<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let begin = Instant::now();
        let result = work.await;
        let outcome = match &result {
            Ok(_) => Outcome::Ok,
            Err(StorageError::NotFound) => Outcome::NotFound,
            Err(StorageError::TooLarge(_) | StorageError::Body(_) | StorageError::Key(_)) => Outcome::Rejected,
            Err(StorageError::Damaged) => Outcome::Damaged,
            // Permissions to delete are checked before.
            Err(
                StorageError::Store(_)
                | StorageError::Folder(_)
                | StorageError::Work(_)
                | StorageError::Held
                | StorageError::GuardLost
                | StorageError::Guard(_),
            ) => Outcome::Error,
        };
        self.metrics.count(operation, outcome, begin.elapsed());
        result
    }
}

/// A store that is not backed up: a destination of backups. Deleting needs no guard.
#[derive(Clone)]
pub struct Outside(Storage);

impl Deref for Outside {
    type Target = Storage;
    fn deref(&self) -> &Storage {
        &self.0
    }
}

impl Outside {
    /// Deletes an object; a missing one is no error.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.0.remove(key).await
    }
}

/// A small object for testing the store. Its name is unique, because several hosts may test at once.
fn probe() -> (String, Bytes) {
    let key = format!("{PROBES}/{}", crypto::hex(&crypto::random_bytes::<8>()));
    (key, Bytes::from_static(b"holdfast doctor"))
}

fn path(key: &str) -> Result<Path, StorageError> {
    Path::parse(key).map_err(|_| StorageError::Key(key.to_owned()))
}
