//! One run's way to its destinations: seals what is new, copies it everywhere, and remembers what the backup consists of.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _, stream};

use super::{
    BackupError,
    destination::{Destination, DestinationError},
    manifest::{Blob, BlobName},
    seal::{self, Recipients, Sealed},
};
use crate::platform::{
    crypto::{self, Digest},
    error::chain,
    pools::CpuPool,
};

/// Where sealed files wait for their copies.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    next: Mutex<u64>,
}

impl Spool {
    /// Makes an empty folder; what an earlier run left there is removed.
    pub fn make(dir: &Path) -> Result<Self, BackupError> {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(BackupError::io(dir)(error)),
            _ => {}
        }
        std::fs::create_dir_all(dir).map_err(BackupError::io(dir))?;
        Ok(Self { dir: dir.to_owned(), next: Mutex::default() })
    }

    /// A file that goes when this is dropped.
    pub fn file(&self) -> Spooled {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        Spooled(self.dir.join(format!("{next}.partial")))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A file of the spool.
#[derive(Debug)]
pub struct Spooled(PathBuf);

impl Spooled {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a run knows of one destination.
#[derive(Debug)]
struct Lane {
    destination: Destination,
    /// Blobs that lie there, by content.
    known: HashMap<Digest, BlobName>,
    /// Damage was found there: a name and a length are not believed, each blob is read before it is used again.
    doubted: bool,
    /// Why nothing more is written there.
    failed: Option<String>,
}

/// The writing half of a run. Its methods may run side by side.
#[derive(Debug)]
pub struct Writer {
    spool: Spool,
    pool: CpuPool,
    recipients: Recipients,
    /// Names contents, so that a destination learns nothing from a name.
    name_key: [u8; 32],
    lanes: Vec<Mutex<Lane>>,
    made: Mutex<Made>,
}

/// What the backup consists of so far.
#[derive(Debug, Default)]
struct Made {
    blobs: BTreeSet<BlobName>,
    added_bytes: u64,
}

impl Writer {
    /// Lists what the destinations have. One that does not answer has failed for this run; what lies at those that are `doubted` is
    /// read before it is used again.
    pub async fn open(
        destinations: Vec<Destination>,
        doubted: &[String],
        spool: Spool,
        pool: CpuPool,
        recipients: Recipients,
        name_key: [u8; 32],
    ) -> Self {
        let lanes = stream::iter(destinations).map(|destination| {
            let doubted = doubted.contains(&destination.name);
            async move {
                let (known, failed) = match destination.blobs().await {
                    Ok(known) => (known, None),
                    Err(error) => (HashMap::new(), Some(chain(&error))),
                };
                Mutex::new(Lane { destination, known, doubted, failed })
            }
            .boxed()
        });
        let lanes = lanes.buffered(8).collect().await;
        Self { spool, pool, recipients, name_key, lanes, made: Mutex::default() }
    }

    /// The name of a content with this SHA-256, for these recipients.
    fn content(&self, sha256: &Digest) -> Digest {
        let text = format!("{}\n{sha256}", self.recipients.names().join(","));
        Digest(crypto::hmac_sha256(&self.name_key, text.as_bytes()))
    }

    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// A content that some destination has already; it is copied to the others. `None` where it must be sealed.
    pub async fn reuse(&self, sha256: &Digest, size: u64) -> Result<Option<Blob>, BackupError> {
        let content = self.content(sha256);
        self.read_doubted(&content).await;
        let holder = self.lanes.iter().find_map(|lane| {
            let lane = lock(lane);
            let name = lane.known.get(&content).filter(|_| lane.failed.is_none())?;
            Some((lane.destination.clone(), name.clone()))
        });
        let Some((holder, name)) = holder else { return Ok(None) };
        let lacking = self.lacking(&name);
        if !lacking.is_empty() {
            // The sealed file itself travels: sealed again it would have another name.
            let file = self.spool.file();
            match fetch(&holder, &name, file.path()).await {
                Ok(()) => self.copy(&name, file.path(), lacking).await?,
                // What cannot be read from there is sealed anew, for everybody.
                Err(error) => {
                    tracing::warn!(destination = holder.name, blob = %name, error = chain(&error), "a blob cannot be read");
                    let lane = self.lanes.iter().find(|lane| lock(lane).destination.name == holder.name);
                    lane.map(|lane| lock(lane).known.remove(&content));
                    return Ok(None);
                }
            }
        }
        self.add(&name);
        Ok(Some(Blob { name, sha256: *sha256, size }))
    }

    /// Reads the blob of a content where damage was found, and forgets it where it is not whole.
    async fn read_doubted(&self, content: &Digest) {
        for lane in &self.lanes {
            let (destination, name) = {
                let lane = lock(lane);
                let name = lane.known.get(content).filter(|_| lane.doubted && lane.failed.is_none()).cloned();
                (lane.destination.clone(), name)
            };
            let Some(name) = name else { continue };
            if let Err(error) = destination.check_blob(&name).await {
                tracing::warn!(destination = destination.name, blob = %name, error = chain(&error), "a damaged blob is stored anew");
                lock(lane).known.remove(content);
            }
        }
    }

    /// Seals a stream and stores it everywhere.
    pub async fn put<S, E>(&self, data: S) -> Result<Blob, BackupError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let file = self.spool.file();
        let sealed = seal::seal(&self.pool, &self.recipients, data, file.path()).await?;
        self.put_sealed(&sealed, &file).await
    }

    /// Stores a sealed file everywhere, unless its content is there already.
    pub async fn put_sealed(&self, sealed: &Sealed, file: &Spooled) -> Result<Blob, BackupError> {
        if let Some(blob) = self.reuse(&sealed.plain.sha256, sealed.plain.size).await? {
            return Ok(blob);
        }
        let blob = Blob::new(self.content(&sealed.plain.sha256), sealed);
        self.copy(&blob.name, file.path(), self.lacking(&blob.name)).await?;
        self.made().added_bytes += blob.name.size;
        self.add(&blob.name);
        Ok(blob)
    }

    /// Stores a file everywhere that the manifest refers to by itself.
    pub async fn put_small(&self, key: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let alive: Vec<usize> = (0..self.lanes.len()).filter(|&at| lock(&self.lanes[at]).failed.is_none()).collect();
        let stored = stream::iter(alive).map(|at| {
            let lane = &self.lanes[at];
            async move {
                let destination = lock(lane).destination.clone();
                if let Err(error) = destination.put_small(key, bytes.to_vec()).await {
                    fail(lane, &error);
                }
            }
            .boxed()
        });
        stored.buffer_unordered(8).collect::<()>().await;
        self.check_alive()
    }

    /// Names of all blobs of the backup, sorted.
    pub fn blobs(&self) -> Vec<BlobName> {
        self.made().blobs.iter().cloned().collect()
    }

    /// Sealed bytes that were not there before.
    pub fn added_bytes(&self) -> u64 {
        self.made().added_bytes
    }

    /// Each destination's name, and why it failed if it did.
    pub fn outcomes(&self) -> Vec<(String, Option<String>)> {
        self.lanes
            .iter()
            .map(|lane| lock(lane))
            .map(|lane| (lane.destination.name.clone(), lane.failed.clone()))
            .collect()
    }

    fn add(&self, name: &BlobName) {
        self.made().blobs.insert(name.clone());
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lanes by their place.
    fn lacking(&self, name: &BlobName) -> Vec<usize> {
        let lacks = |at: &usize| {
            let lane = lock(&self.lanes[*at]);
            lane.failed.is_none() && lane.known.get(&name.content) != Some(name)
        };
        (0..self.lanes.len()).filter(lacks).collect()
    }

    async fn copy(&self, name: &BlobName, file: &Path, lanes: Vec<usize>) -> Result<(), BackupError> {
        let copies = stream::iter(lanes).map(|at| {
            let lane = &self.lanes[at];
            async move {
                let destination = lock(lane).destination.clone();
                match destination.put_blob(name, file).await {
                    Ok(()) => drop(lock(lane).known.insert(name.content, name.clone())),
                    Err(error) => fail(lane, &error),
                }
            }
            .boxed()
        });
        copies.buffer_unordered(8).collect::<()>().await;
        self.check_alive()
    }

    /// An error when no destination is left.
    pub fn check_alive(&self) -> Result<(), BackupError> {
        let outcomes = self.outcomes();
        if outcomes.iter().any(|(_, failed)| failed.is_none()) {
            return Ok(());
        }
        Err(BackupError::NoCopy(outcomes.into_iter().filter_map(|(_, failed)| failed).collect::<Vec<_>>().join("; ")))
    }
}

fn lock(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing more is written there in this run.
fn fail(lane: &Mutex<Lane>, error: &DestinationError) {
    let mut lane = lock(lane);
    tracing::error!(
        destination = lane.destination.name,
        error = chain(error),
        "a destination failed: this backup leaves it out"
    );
    lane.failed.get_or_insert_with(|| chain(error));
}

/// Copies a sealed blob into a file.
async fn fetch(from: &Destination, name: &BlobName, file: &Path) -> Result<(), DestinationError> {
    use tokio::io::AsyncWriteExt as _;
    let local = |source| DestinationError::Local { path: file.display().to_string(), source };
    let mut out = tokio::fs::File::create(file).await.map_err(local)?;
    let mut data = std::pin::pin!(from.read_blob(name).await?);
    while let Some(bytes) = data.next().await.transpose()? {
        out.write_all(&bytes).await.map_err(local)?;
    }
    out.flush().await.map_err(local)
}
