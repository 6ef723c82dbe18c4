//! Writes a run to its destinations: seals new content, copies it to each, and records the blobs of the backup.

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
use platform::{
    crypto::{self, Digest},
    error::chain,
    pools::CpuPool,
};
use storage::Entry;

/// State of one destination during a run.
#[derive(Debug)]
struct Target {
    destination: Destination,
    /// Catalogue set of the blobs there.
    set: u32,
    /// Damage was found there: names and lengths are not trusted, each blob is read before it is reused.
    doubted: bool,
    /// Why writing to it stopped.
    failed: OnceLock<String>,
}

/// Writes a run. Its methods may run concurrently.
#[derive(Debug)]
pub struct Writer {
    spool: Spool,
    pool: CpuPool,
    recipients: Recipients,
    /// Key for hashing contents, so that names reveal nothing to a destination.
    name_key: [u8; 32],
    catalogue: Catalogue,
    targets: Vec<Target>,
    added_bytes: AtomicU64,
}

/// Catalogue set of the blobs of the backup; the destinations' sets follow.
const MADE: u32 = 0;
/// Names read from the catalogue together.
const PIECE: usize = 1024;

/// The list of a backup's blobs.
#[derive(Debug)]
pub struct BlobList {
    pub sha256: Digest,
    pub blobs: u64,
    /// Total size of their encrypted bytes.
    pub total_bytes: u64,
}

impl Writer {
    /// Lists the blobs at the destinations. One that does not respond has failed for this run; blobs at `doubted` ones are read before they
    /// are reused.
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

    /// Keyed hash of a content with this SHA-256, for these recipients.
    fn content(&self, sha256: &Digest) -> Digest {
        let text = format!("{}\n{sha256}", self.recipients.names().join(","));
        Digest(crypto::hmac_sha256(&self.name_key, text.as_bytes()))
    }

    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Catalogue for the files that a run goes through, next to the writer's blobs.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Reuses a content that some destination has, copying it to the others. `None` if it must be sealed.
    pub async fn reuse(&self, sha256: &Digest, size: u64) -> Result<Option<Blob>, BackupError> {
        let content = self.content(sha256);
        self.read_doubted(&content).await?;
        let Some((holder, name)) = self.holder(&content)? else { return Ok(None) };
        let lacking = self.lacking(&name)?;
        if !lacking.is_empty() {
            // Copies the encrypted file itself: sealed again it would have another name.
            let file = self.spool.file();
            match fetch(holder, &name, &file).await {
                Ok(()) => self.copy(&name, file.path(), lacking).await?,
                // Unreadable there: sealed again for all.
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

    /// A destination with this content, and the blob's name there.
    fn holder(&self, content: &Digest) -> Result<Option<(&Target, BlobName)>, BackupError> {
        for target in self.alive() {
            if let Some(name) = self.catalogue.find_blob(target.set, content)? {
                return Ok(Some((target, name)));
            }
        }
        Ok(None)
    }

    /// Reads the blobs of a content at doubted destinations, and forgets damaged ones.
    async fn read_doubted(&self, content: &Digest) -> Result<(), BackupError> {
        for target in self.alive().filter(|target| target.doubted) {
            while let Some(name) = self.catalogue.find_blob(target.set, content)? {
                let Err(error) = target.destination.check_blob(&name).await else { break };
                tracing::warn!(destination = target.destination.name, blob = %name, error = chain(&error), "a damaged blob is replaced");
                self.catalogue.remove_blob(target.set, &name)?;
            }
        }
        Ok(())
    }

    /// Seals a stream and stores it at every destination.
    pub async fn put<S, E>(&self, data: S) -> Result<Blob, BackupError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let file = self.spool.file();
        let sealed = seal::seal(&self.pool, &self.recipients, data, file.path()).await?;
        self.put_sealed(&sealed, &file).await
    }

    /// Stores a sealed file at every destination that lacks its content.
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

    /// Stores a small file under its key at every destination.
    pub async fn put_small(&self, key: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let alive = self.alive().collect();
        self.at_each(alive, |destination| destination.put_small(key, bytes.to_vec()).boxed()).await.map(drop)
    }

    /// Stores the list of the backup's blobs at every destination, sorted, one per line.
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

    /// Encrypted bytes that this run added.
    pub fn added_bytes(&self) -> u64 {
        self.added_bytes.load(Ordering::Relaxed)
    }

    /// Each destination's name, and its error if it failed.
    pub fn outcomes(&self) -> Vec<(String, Option<String>)> {
        self.targets.iter().map(|target| (target.destination.name.clone(), target.failed.get().cloned())).collect()
    }

    fn alive(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.failed.get().is_none())
    }

    /// Destinations that lack a blob.
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

    /// Runs `work` at several destinations and returns those where it succeeded; the others are skipped for the rest of the run. An error
    /// if no destination is left.
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
                    tracing::error!(destination, error = chain(&error), "a destination failed: this backup skips it");
                    target.failed.get_or_init(|| chain(&error));
                }
            }
        }
        self.check_alive()?;
        Ok(whole)
    }

    /// An error if no destination is left.
    pub fn check_alive(&self) -> Result<(), BackupError> {
        if self.alive().next().is_some() {
            return Ok(());
        }
        let reasons: Vec<String> = self.outcomes().into_iter().filter_map(|(_, failed)| failed).collect();
        Err(BackupError::NoCopy(reasons.join("; ")))
    }
}

/// Copies an encrypted blob into a file.
async fn fetch(from: &Target, name: &BlobName, file: &Spooled) -> Result<(), BackupError> {
    file.fill(from.destination.read_blob(name).await?).await
}

/// Adds the complete blobs at a destination to a catalogue set.
async fn list(destination: &Destination, set: u32, catalogue: &Catalogue) -> Result<(), BackupError> {
    let mut found = std::pin::pin!(destination.blobs());
    while let Some(entries) = found.try_next().await? {
        let whole = |entry: &Entry| BlobName::of_key(&entry.key).filter(|name| name.size == entry.size);
        let names: Vec<_> = entries.iter().filter_map(whole).collect();
        catalogue.apart(move |all| all.add_blobs(set, &names)).await?;
    }
    Ok(())
}
