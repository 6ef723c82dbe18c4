//! Re-reads a backup, byte for byte.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Backups, Restore};
use crate::{
    BackupError, BackupId, Destination,
    catalogue::Catalogue,
    destination::DestinationError,
    keys::KeyFile,
    manifest::{Blob, BlobName, Manifest, ManifestError},
    model::{Backup, Copy, CopyStatus, Status},
    progress::{ProgressRange, ProgressReporter},
    reader::Reader,
    spool::Spool,
    store,
};
use platform::error::chain;
use storage::ParticipantError;

/// Blobs read concurrently.
const AT_ONCE: usize = 4;
/// Listed problems: on a broken disk each of a million blobs is one.
const MAX_PROBLEMS: usize = 100;

/// Findings on one copy.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verified {
    pub backup_id: BackupId,
    pub destination: String,
    /// Blobs with correct length and hash.
    pub blobs: u64,
    /// Blobs decrypted with correct content; 0 without a key.
    pub opened: u64,
    pub bytes: u64,
    /// Number of problems; 0 if the copy is intact.
    pub wrong: u64,
    /// The first hundred problems.
    pub problems: Vec<String>,
}

impl Backups {
    /// Reads every copy of a backup (or the one at `destination`), checks all hashes, and with a key decrypts everything. Records the
    /// findings.
    pub async fn verify(
        &self,
        id: BackupId,
        destination: Option<&str>,
        keys: Option<&KeyFile>,
        progress: &ProgressReporter,
    ) -> Result<Vec<Verified>, BackupError> {
        keys.map_or(Ok(()), |keys| self.check_is_ours(keys))?;
        // Retention must not remove it meanwhile.
        let lock = self.lock().await?;
        let backup = self.get(id).await?;
        let spool = self.spool()?;
        let mut found = Vec::new();
        let wanted = |copy: &&Copy| {
            destination.is_none_or(|name| name == copy.destination)
                && !matches!(copy.status, CopyStatus::Pruned | CopyStatus::Failed)
        };
        let copies: Vec<&Copy> = backup.copies.iter().filter(wanted).collect();
        for (n, copy) in copies.iter().enumerate() {
            let from = self.open_destination(&copy.destination).await?;
            let reading = Reading { spool: &spool, progress, range: ProgressRange::WHOLE.piece(n, copies.len()) };
            let verified = progress.attend(self.verify_copy(from, &backup, keys, reading)).await?;
            self.write_down(backup.status, &verified).await?;
            found.push(verified);
        }
        lock.release().await;
        if found.is_empty() { Err(BackupError::NotFound(id)) } else { Ok(found) }
    }

    /// Reads a copy. An error only if the destination does not respond; problems of the copy are in the result.
    async fn verify_copy(
        &self,
        from: Destination,
        backup: &Backup,
        keys: Option<&KeyFile>,
        reading: Reading<'_>,
    ) -> Result<Verified, BackupError> {
        let mut verified = Verified {
            backup_id: backup.id,
            destination: from.name.clone(),
            blobs: 0,
            opened: 0,
            bytes: 0,
            wrong: 0,
            problems: Vec::new(),
        };
        let manifest = match self.manifest(&from, backup.id).await {
            Ok(manifest) => manifest,
            Err(error) if error.is_damage() => {
                verified.problem(chain(&error));
                return Ok(verified);
            }
            Err(error) => return Err(error),
        };
        if manifest.sequence != backup.sequence {
            let (found, expected) = (manifest.sequence, backup.sequence);
            verified.problem(format!("the manifest has sequence number {found}, the backup {expected}"));
        }
        let listed = reading.spool.catalogue(&self.inner.pool)?;
        let of_two = |n| Reading { range: reading.range.piece(n, 1 + usize::from(keys.is_some())), ..reading };
        check_blobs(&from, &manifest, of_two(0), &listed, &mut verified).await?;
        // With missing bytes, decryption would report each problem twice.
        if let (Some(keys), true) = (keys, verified.wrong == 0) {
            match Restore::open(from, keys, Some(backup.id)).await {
                Ok(restore) => {
                    open_all(restore.reader(), &manifest, of_two(1), &listed, &mut verified).await?;
                    self.ask_participants(restore.reader(), &manifest, reading.spool, &mut verified).await?;
                }
                Err(error) if error.is_damage() => verified.problem(chain(&error)),
                Err(error) => return Err(error),
            }
        }
        Ok(verified)
    }

    /// Asks each participant whether its files are complete.
    async fn ask_participants(
        &self,
        reader: &Reader,
        manifest: &Manifest,
        spool: &Spool,
        verified: &mut Verified,
    ) -> Result<(), BackupError> {
        // Blobs that could not be decrypted are reported already.
        let parts = manifest.participants.iter().filter(|_| verified.wrong == 0);
        let mut problems = Vec::new();
        for (name, part) in parts {
            let Ok(participant) = self.participant(name) else {
                // Intact byte for byte; only a drill reports it as untested.
                tracing::warn!(
                    participant = name,
                    "a backup contains {name}, which this version does not know: its files were only read"
                );
                continue;
            };
            let keys = reader.files(&part.tree, spool).await?.map_ok(|file| file.key).map_err(ParticipantError::room);
            let found = participant.verify(&part.state, keys.boxed()).await.map_err(BackupError::of(name))?;
            problems.extend(found.into_iter().map(|problem| format!("{name}: {problem}")));
        }
        for problem in problems {
            verified.problem(problem);
        }
        Ok(())
    }

    async fn write_down(&self, before: Status, verified: &Verified) -> Result<(), BackupError> {
        let now = self.inner.clock.now();
        let whole = verified.wrong == 0;
        let mut tx = self.inner.db.system().await?;
        let copy = Copy {
            destination: verified.destination.clone(),
            status: if whole { CopyStatus::Verified } else { CopyStatus::Damaged },
            verified_at: whole.then_some(now),
            error: (!whole).then(|| verified.problems.join("; ").chars().take(2000).collect()),
        };
        store::set_copy(&mut tx, verified.backup_id, &copy).await?;
        if !whole && before == Status::Verified {
            let error = format!("the copy at {} is damaged", verified.destination);
            store::set_status(&mut tx, verified.backup_id, Status::Unverified, Some(&error)).await?;
        }
        tx.commit().await?;
        self.inner.metrics.verified(verified);
        Ok(())
    }
}

impl Verified {
    /// Counts a correct item or records a problem. An error only if it could not be checked.
    fn note<T>(&mut self, found: Result<T, BackupError>, right: impl FnOnce(&mut Self, T)) -> Result<(), BackupError> {
        match found {
            Ok(found) => right(self, found),
            Err(error) if error.is_damage() => self.problem(chain(&error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Blobs missing in the list would be removed by the next retention, although this backup needs them.
    fn expect_listed(&mut self, listed: &Catalogue, blob: &Blob) -> Result<(), BackupError> {
        if !listed.has_blob(LISTED, &blob.name)? {
            self.problem(format!("{} is not in the list of blobs", blob.name));
        }
        Ok(())
    }

    fn problem(&mut self, words: String) {
        self.wrong += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(words);
        }
    }
}

/// Parameters of reading a copy: its spool, the progress reporter and the range.
#[derive(Clone, Copy)]
struct Reading<'a> {
    spool: &'a Spool,
    progress: &'a ProgressReporter,
    range: ProgressRange,
}

impl Reading<'_> {
    fn report(&self, doing: &str, destination: &str, done: u64, all: u64) {
        self.progress.report(self.range.at(done, all), &format!("{doing} the copy at {destination}, {done} of {all}"));
    }
}

/// Catalogue set of the blobs in the backup's list.
const LISTED: u32 = 0;

/// Checks every blob in the list against its name, and adds it to `listed`.
async fn check_blobs(
    from: &Destination,
    manifest: &Manifest,
    reading: Reading<'_>,
    listed: &Catalogue,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let list = reading.spool.file();
    let fetched = async { list.fill(from.read_blob_list(manifest).await?).await };
    if let Err(error) = fetched.await {
        return verified.note(Err(error), |_, ()| ());
    }
    let (mut blobs, mut total_bytes) = (0, 0);
    let names = list.lines::<BlobName>("the list of blobs").await?;
    let checks = names.map_ok(|name| {
        async move {
            let checked = from.check_blob(&name).await;
            Ok((name, checked))
        }
        .boxed()
    });
    let mut checks = std::pin::pin!(checks.try_buffer_unordered(AT_ONCE));
    while let Some(found) = checks.next().await {
        let (name, checked) = match found {
            Ok(found) => found,
            Err(error) => return verified.note(Err(error), |_, ()| ()),
        };
        blobs += 1;
        reading.report("reading", &from.name, blobs, manifest.blobs);
        total_bytes += name.size;
        listed.add_blobs(LISTED, std::slice::from_ref(&name))?;
        verified.note(checked.map_err(BackupError::from), |verified, ()| {
            verified.blobs += 1;
            verified.bytes += name.size;
        })?;
    }
    if (blobs, total_bytes) != (manifest.blobs, manifest.total_bytes) {
        verified.problem("the length of the list of blobs differs from the manifest".to_owned());
    }
    for blob in roots(manifest) {
        verified.expect_listed(listed, blob)?;
    }
    Ok(())
}

/// Blobs that the manifest itself refers to.
fn roots(manifest: &Manifest) -> impl Iterator<Item = &Blob> {
    [&manifest.database.dump, &manifest.settings].into_iter().chain(manifest.trees().map(|(_, tree)| &tree.index))
}

/// Decrypts every blob and compares its content with the manifest and the indexes.
async fn open_all(
    reader: &Reader,
    manifest: &Manifest,
    reading: Reading<'_>,
    listed: &Catalogue,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let (mut done, all) = (0, manifest.trees().map(|(_, tree)| tree.files).fold(0, u64::saturating_add));
    let right = |verified: &mut Verified, ()| verified.opened += 1;
    for blob in roots(manifest) {
        verified.note(reader.check(blob).await, right)?;
    }
    for (_, tree) in manifest.trees() {
        let files = match reader.files(tree, reading.spool).await {
            Ok(files) => files,
            Err(error) => {
                verified.note(Err(error), right)?;
                continue;
            }
        };
        let opened = files.map(|file| {
            async move {
                let blob = file?.blob;
                reader.check(&blob).await.map(|()| blob)
            }
            .boxed()
        });
        let mut opened = std::pin::pin!(opened.buffer_unordered(AT_ONCE));
        while let Some(opened) = opened.next().await {
            let mut sound = None;
            verified.note(opened, |verified, blob| {
                verified.opened += 1;
                sound = Some(blob);
            })?;
            if let Some(blob) = sound {
                verified.expect_listed(listed, &blob)?;
            }
            done += 1;
            reading.report("opening", &reader.from.name, done, all);
        }
    }
    Ok(())
}

/// Whether a manifest belongs to another installation: damage in place of ours, harmless elsewhere at a destination.
pub(crate) fn is_foreign(error: &BackupError) -> bool {
    matches!(
        error,
        BackupError::Destination(DestinationError::Manifest { source: ManifestError::OtherInstallation(_), .. })
    )
}
