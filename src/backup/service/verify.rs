//! Reading a backup again, byte for byte.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::Backups;
use crate::{
    backup::{
        BackupError, BackupId, Destination,
        destination::DestinationError,
        keys::KeyFile,
        manifest::{BlobName, Manifest},
        model::{Backup, Copy, CopyStatus, Status},
        reader::Reader,
        seal::SealError,
        spool::Spool,
        store,
    },
    platform::error::chain,
};

/// Blobs that are read at a time.
const AT_ONCE: usize = 4;
/// Problems that are named: where a disk is gone, each of a million blobs is one.
const MAX_PROBLEMS: usize = 100;

/// What was found of one copy.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verified {
    pub backup_id: BackupId,
    pub destination: String,
    /// Blobs whose length and hash were right.
    pub blobs: u64,
    /// Blobs that were opened with the key and whose content was right; 0 without a key.
    pub opened: u64,
    pub bytes: u64,
    /// Things that are wrong; 0 when the copy is whole.
    pub wrong: u64,
    /// The first hundred of them.
    pub problems: Vec<String>,
}

impl Backups {
    /// Reads every copy of a backup (or the one at `destination`), compares all hashes, and with a key opens everything.
    /// What is found is written down.
    pub async fn verify(
        &self,
        id: BackupId,
        destination: Option<&str>,
        keys: Option<&KeyFile>,
    ) -> Result<Vec<Verified>, BackupError> {
        // Retention must not take away what is being read.
        let lock = self.lock().await?;
        let backup = self.get(id).await?;
        let spool = self.spool()?;
        let mut found = Vec::new();
        for copy in &backup.copies {
            let wanted = destination.is_none_or(|name| name == copy.destination);
            if !wanted || matches!(copy.status, CopyStatus::Pruned | CopyStatus::Failed) {
                continue;
            }
            let from = self.open_destination(&copy.destination)?;
            let verified = self.verify_copy(from, &backup, keys, &spool).await?;
            self.write_down(backup.status, &verified).await?;
            found.push(verified);
        }
        lock.release().await;
        if found.is_empty() { Err(BackupError::NotFound(id)) } else { Ok(found) }
    }

    /// Reads a copy. An error only where the destination does not answer: what is wrong with the copy is in the result.
    async fn verify_copy(
        &self,
        from: Destination,
        backup: &Backup,
        keys: Option<&KeyFile>,
        spool: &Spool,
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
            Err(error) if is_damage(&error) => {
                verified.problem(chain(&error));
                return Ok(verified);
            }
            Err(error) => return Err(error),
        };
        if manifest.sequence != backup.sequence {
            let (found, expected) = (manifest.sequence, backup.sequence);
            verified.problem(format!("the manifest has number {found}, the backup {expected}"));
        }
        check_blobs(&from, &manifest, spool, &mut verified).await?;
        // Without its bytes nothing can be opened, and each would be named twice.
        if let (Some(keys), true) = (keys, verified.wrong == 0) {
            let reader = self.reader(from, keys, &manifest)?;
            open_all(&reader, &manifest, spool, &mut verified).await?;
        }
        Ok(verified)
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
    /// Counts what was found right. An error only where it was not found out.
    fn note<T>(&mut self, found: Result<T, BackupError>, right: impl FnOnce(&mut Self, T)) -> Result<(), BackupError> {
        match found {
            Ok(found) => right(self, found),
            Err(error) if is_damage(&error) => self.problem(chain(&error)),
            Err(error) => return Err(error),
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

/// Compares every blob that the manifest refers to with its name.
async fn check_blobs(
    from: &Destination,
    manifest: &Manifest,
    spool: &Spool,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let list = spool.file();
    let fetched = async { list.fill(from.read_blob_list(manifest).await?).await };
    if let Err(error) = fetched.await {
        return verified.note(Err(error), |_, ()| ());
    }
    let mut missing =
        vec![&manifest.database.dump, &manifest.objects.index, &manifest.vectors.index, &manifest.settings];
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
    while let Some((name, checked)) = checks.try_next().await? {
        blobs += 1;
        total_bytes += name.size;
        missing.retain(|blob| blob.name != name);
        verified.note(checked.map_err(BackupError::from), |verified, ()| {
            verified.blobs += 1;
            verified.bytes += name.size;
        })?;
    }
    if (blobs, total_bytes) != (manifest.blobs, manifest.total_bytes) {
        verified.problem("the list of blobs is not as long as the manifest says".to_owned());
    }
    for blob in missing {
        verified.problem(format!("{} is not in the list of blobs", blob.name));
    }
    Ok(())
}

/// Opens every blob and compares its content with the manifest and the indexes.
async fn open_all(
    reader: &Reader,
    manifest: &Manifest,
    spool: &Spool,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let right = |verified: &mut Verified, ()| verified.opened += 1;
    for blob in [&manifest.database.dump, &manifest.objects.index, &manifest.vectors.index, &manifest.settings] {
        verified.note(reader.check(blob).await, right)?;
    }
    for tree in [&manifest.objects, &manifest.vectors] {
        let files = match reader.files(tree, spool).await {
            Ok(files) => files,
            Err(error) => {
                verified.note(Err(error), right)?;
                continue;
            }
        };
        let opened = files.map(|file| async move { reader.check(&file?.blob).await }.boxed());
        let mut opened = std::pin::pin!(opened.buffer_unordered(AT_ONCE));
        while let Some(opened) = opened.next().await {
            verified.note(opened, right)?;
        }
    }
    Ok(())
}

/// Whether the copy is wrong, rather than the way to it.
pub(in crate::backup) fn is_damage(error: &BackupError) -> bool {
    match error {
        BackupError::Damaged(_) | BackupError::Seal(SealError::Damaged(_)) | BackupError::Manifest(_) => true,
        BackupError::Destination(error) => matches!(
            error,
            DestinationError::Damaged { .. } | DestinationError::Missing { .. } | DestinationError::Manifest { .. }
        ),
        _ => false,
    }
}
