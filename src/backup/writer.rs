//! One run's way to its destinations: seals what is new, copies it everywhere, and remembers what the backup consists of.

use std::{
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::{
    FutureExt as _, Stream, StreamExt as _, TryStreamExt as _,
    future::{BoxFuture, join_all},
    stream,
};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::{
    BackupError,
    catalogue::Catalogue,
    destination::{Destination, DestinationError},
    manifest::{Blob, BlobName},
    seal::{self, Fingerprint, Recipients, Sealed},
    spool::{Spool, Spooled},
};
use crate::{
    platform::{
        crypto::{self, Digest},
        error::chain,
        pools::CpuPool,
    },
    storage::Entry,
};

/// What a run knows of one destination.
#[derive(Debug)]
struct Target {
    destination: Destination,
    /// The set of blobs in the catalogue that lie there.
    set: u32,
    /// Damage was found there: a name and a length are not believed, each blob is read before it is used again.
    doubted: bool,
    /// Why nothing more is written there.
    failed: OnceLock<String>,
}

/// The writing half of a run. Its methods may run side by side.
#[derive(Debug)]
pub struct Writer {
    spool: Spool,
    pool: CpuPool,
    recipients: Recipients,
    /// Names contents, so that a destination learns nothing from a name.
    name_key: [u8; 32],
    catalogue: Catalogue,
    targets: Vec<Target>,
    added_bytes: AtomicU64,
}

/// The set of blobs in the catalogue that the backup consists of; the destinations' follow.
const MADE: u32 = 0;
/// Names that are taken out of the catalogue together.
const PIECE: usize = 1024;

/// The list of a backup's blobs.
#[derive(Debug)]
pub struct BlobList {
    pub sha256: Digest,
    pub blobs: u64,
    /// Sealed bytes of all of them.
    pub total_bytes: u64,
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
    ) -> Result<Self, BackupError> {
        let catalogue = spool.catalogue(&pool)?;
        let targets = stream::iter((MADE + 1..).zip(destinations)).map(|(set, destination)| {
            let doubted = doubted.contains(&destination.name);
            let catalogue = &catalogue;
            async move {
                let failed = match list(&destination, set, catalogue).await {
                    Err(BackupError::Destination(error)) => OnceLock::from(chain(&error)),
                    other => other.map(|()| OnceLock::new())?,
                };
                Ok::<_, BackupError>(Target { destination, set, doubted, failed })
            }
            .boxed()
        });
        let targets = targets.buffered(8).try_collect().await?;
        Ok(Self { spool, pool, recipients, name_key, catalogue, targets, added_bytes: AtomicU64::default() })
    }

    /// The name of a content with this SHA-256, for these recipients.
    fn content(&self, sha256: &Digest) -> Digest {
        let text = format!("{}\n{sha256}", self.recipients.names().join(","));
        Digest(crypto::hmac_sha256(&self.name_key, text.as_bytes()))
    }

    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Where a run may keep files that it goes through, beside what the writer knows of blobs.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// A content that some destination has already; it is copied to the others. `None` where it must be sealed.
    pub async fn reuse(&self, sha256: &Digest, size: u64) -> Result<Option<Blob>, BackupError> {
        let content = self.content(sha256);
        self.read_doubted(&content).await?;
        let Some((holder, name)) = self.holder(&content)? else { return Ok(None) };
        let lacking = self.lacking(&name)?;
        if !lacking.is_empty() {
            // The sealed file itself travels: sealed again it would have another name.
            let file = self.spool.file();
            match fetch(holder, &name, &file).await {
                Ok(()) => self.copy(&name, file.path(), lacking).await?,
                // What cannot be read from there is sealed anew, for everybody.
                Err(BackupError::Destination(error)) => {
                    let destination = &holder.destination.name;
                    tracing::warn!(destination, blob = %name, error = chain(&error), "a blob cannot be read");
                    self.catalogue.remove_blob(holder.set, &name)?;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        self.catalogue.add_blobs(MADE, std::slice::from_ref(&name))?;
        Ok(Some(Blob { name, sha256: *sha256, size }))
    }

    /// A destination that has a content, and the blob's name there.
    fn holder(&self, content: &Digest) -> Result<Option<(&Target, BlobName)>, BackupError> {
        for target in self.alive() {
            if let Some(name) = self.catalogue.find_blob(target.set, content)? {
                return Ok(Some((target, name)));
            }
        }
        Ok(None)
    }

    /// Reads the blobs of a content where damage was found, and forgets those that are not whole.
    async fn read_doubted(&self, content: &Digest) -> Result<(), BackupError> {
        for target in self.alive().filter(|target| target.doubted) {
            while let Some(name) = self.catalogue.find_blob(target.set, content)? {
                let Err(error) = target.destination.check_blob(&name).await else { break };
                tracing::warn!(destination = target.destination.name, blob = %name, error = chain(&error), "a damaged blob is stored anew");
                self.catalogue.remove_blob(target.set, &name)?;
            }
        }
        Ok(())
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
        self.copy(&blob.name, file.path(), self.lacking(&blob.name)?).await?;
        self.added_bytes.fetch_add(blob.name.size, Ordering::Relaxed);
        self.catalogue.add_blobs(MADE, std::slice::from_ref(&blob.name))?;
        Ok(blob)
    }

    /// Stores a small file everywhere that is found by its key.
    pub async fn put_small(&self, key: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let alive = self.alive().collect();
        self.at_each(alive, |destination| destination.put_small(key, bytes.to_vec()).boxed()).await.map(drop)
    }

    /// Stores the list of the backup's blobs everywhere, sorted, a line each.
    pub async fn put_blob_list(&self, key: &str) -> Result<BlobList, BackupError> {
        let file = self.spool.file();
        let mut out = file.create().await?;
        let (mut hash, mut size, mut blobs, mut total_bytes) = (Sha256::new(), 0, 0, 0);
        let mut names = self.catalogue.apart(|all| all.blobs(MADE, None, PIECE)).await?;
        while let Some(last) = names.last().cloned() {
            for name in &names {
                let line = format!("{name}\n");
                out.write_all(line.as_bytes()).await.map_err(BackupError::io(file.path()))?;
                hash.update(&line);
                size += line.len() as u64;
                blobs += 1;
                total_bytes += name.size;
            }
            names = self.catalogue.apart(move |all| all.blobs(MADE, Some(&last), PIECE)).await?;
        }
        out.flush().await.map_err(BackupError::io(file.path()))?;
        let whole = Fingerprint { size, sha256: Digest(hash.finalize().into()) };
        let (alive, path) = (self.alive().collect(), file.path());
        self.at_each(alive, |destination| destination.put_file(key.to_owned(), whole, path).boxed()).await?;
        Ok(BlobList { sha256: whole.sha256, blobs, total_bytes })
    }

    /// Sealed bytes that were not there before.
    pub fn added_bytes(&self) -> u64 {
        self.added_bytes.load(Ordering::Relaxed)
    }

    /// Each destination's name, and why it failed if it did.
    pub fn outcomes(&self) -> Vec<(String, Option<String>)> {
        self.targets.iter().map(|target| (target.destination.name.clone(), target.failed.get().cloned())).collect()
    }

    fn alive(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.failed.get().is_none())
    }

    /// Where a blob is not.
    fn lacking(&self, name: &BlobName) -> Result<Vec<&Target>, BackupError> {
        let mut lacking = Vec::new();
        for target in self.alive() {
            if !self.catalogue.has_blob(target.set, name)? {
                lacking.push(target);
            }
        }
        Ok(lacking)
    }

    async fn copy<'a>(
        &'a self,
        name: &'a BlobName,
        file: &'a Path,
        targets: Vec<&'a Target>,
    ) -> Result<(), BackupError> {
        for target in self.at_each(targets, |destination| destination.put_blob(name, file).boxed()).await? {
            self.catalogue.add_blobs(target.set, std::slice::from_ref(name))?;
        }
        Ok(())
    }

    /// Does the same at several destinations, and returns where it succeeded: where it fails nothing more is written in this run.
    /// An error when no destination is left.
    async fn at_each<'a>(
        &self,
        targets: Vec<&'a Target>,
        work: impl Fn(&'a Destination) -> BoxFuture<'a, Result<(), DestinationError>>,
    ) -> Result<Vec<&'a Target>, BackupError> {
        let works: Vec<_> = targets.iter().map(|target| work(&target.destination)).collect();
        let mut whole = Vec::new();
        for (target, done) in targets.into_iter().zip(join_all(works).await) {
            match done {
                Ok(()) => whole.push(target),
                Err(error) => {
                    let destination = &target.destination.name;
                    tracing::error!(
                        destination,
                        error = chain(&error),
                        "a destination failed: this backup leaves it out"
                    );
                    target.failed.get_or_init(|| chain(&error));
                }
            }
        }
        self.check_alive()?;
        Ok(whole)
    }

    /// An error when no destination is left.
    pub fn check_alive(&self) -> Result<(), BackupError> {
        if self.alive().next().is_some() {
            return Ok(());
        }
        let reasons: Vec<String> = self.outcomes().into_iter().filter_map(|(_, failed)| failed).collect();
        Err(BackupError::NoCopy(reasons.join("; ")))
    }
}

/// Copies a sealed blob into a file.
async fn fetch(from: &Target, name: &BlobName, file: &Spooled) -> Result<(), BackupError> {
    file.fill(from.destination.read_blob(name).await?).await
}

/// Puts what lies whole at a destination into a set of the catalogue.
async fn list(destination: &Destination, set: u32, catalogue: &Catalogue) -> Result<(), BackupError> {
    let mut found = std::pin::pin!(destination.blobs());
    while let Some(entries) = found.try_next().await? {
        let whole = |entry: &Entry| BlobName::of_key(&entry.key).filter(|name| name.size == entry.size);
        let names: Vec<_> = entries.iter().filter_map(whole).collect();
        catalogue.apart(move |all| all.add_blobs(set, &names)).await?;
    }
    Ok(())
}
