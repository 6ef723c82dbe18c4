//! Reading a backup again, byte for byte.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::Backups;
use crate::{
    backup::{
        BackupError, BackupId, Destination,
        destination::DestinationError,
        keys::KeyFile,
        manifest::{Blob, Manifest},
        model::{Backup, Copy, CopyStatus, Status},
        seal::{Identity, SealError},
        store, tree,
    },
    platform::{error::chain, pools::CpuPool},
};

/// Blobs that are read at a time.
const AT_ONCE: usize = 4;

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
    /// Everything that is wrong; empty when the copy is whole.
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
        let mut found = Vec::new();
        for copy in &backup.copies {
            let wanted = destination.is_none_or(|name| name == copy.destination);
            if !wanted || matches!(copy.status, CopyStatus::Pruned | CopyStatus::Failed) {
                continue;
            }
            let from = self.open_destination(&copy.destination)?;
            let verified = self.verify_copy(&from, &backup, keys).await?;
            self.write_down(backup.status, &verified).await?;
            found.push(verified);
        }
        lock.release().await;
        if found.is_empty() { Err(BackupError::NotFound(id)) } else { Ok(found) }
    }

    /// Reads a copy. An error only where the destination does not answer: what is wrong with the copy is in the result.
    async fn verify_copy(
        &self,
        from: &Destination,
        backup: &Backup,
        keys: Option<&KeyFile>,
    ) -> Result<Verified, BackupError> {
        let mut verified = Verified {
            backup_id: backup.id,
            destination: from.name.clone(),
            blobs: 0,
            opened: 0,
            bytes: 0,
            problems: Vec::new(),
        };
        let manifest = match self.manifest(from, backup.id).await {
            Ok(manifest) => manifest,
            Err(error) if is_damage(&error) => {
                verified.problems.push(chain(&error));
                return Ok(verified);
            }
            Err(error) => return Err(error),
        };
        if manifest.sequence != backup.sequence {
            let (found, expected) = (manifest.sequence, backup.sequence);
            verified.problems.push(format!("the manifest has number {found}, the backup {expected}"));
        }
        check_blobs(from, &manifest, &mut verified).await?;
        // Without its bytes nothing can be opened, and each would be named twice.
        if let (Some(keys), true) = (keys, verified.problems.is_empty()) {
            let identity = keys.for_recipients(&manifest.recipients)?;
            open_all(&self.inner.pool, from, identity, &manifest, &mut verified).await?;
        }
        Ok(verified)
    }

    async fn write_down(&self, before: Status, verified: &Verified) -> Result<(), BackupError> {
        let now = self.inner.clock.now();
        let whole = verified.problems.is_empty();
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

/// Compares every blob that the manifest refers to with its name.
pub(in crate::backup) async fn check_blobs(
    from: &Destination,
    manifest: &Manifest,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let list = match from.blob_list(manifest).await.map_err(BackupError::from) {
        Ok(list) => list,
        Err(error) if is_damage(&error) => {
            verified.problems.push(chain(&error));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if list.len() as u64 != manifest.blobs || list.iter().map(|name| name.size).sum::<u64>() != manifest.total_bytes {
        verified.problems.push("the list of blobs is not as long as the manifest says".to_owned());
    }
    let named = [&manifest.database.dump, &manifest.objects.index, &manifest.vectors.index, &manifest.settings];
    for blob in named {
        if !list.contains(&blob.name) {
            verified.problems.push(format!("{} is not in the list of blobs", blob.name));
        }
    }
    let mut checks = stream::iter(0..list.len())
        .map(|at| {
            let name = &list[at];
            async move { (name, from.check_blob(name).await) }.boxed()
        })
        .buffer_unordered(AT_ONCE);
    while let Some((name, checked)) = checks.next().await {
        match checked.map_err(BackupError::from) {
            Ok(()) => {
                verified.blobs += 1;
                verified.bytes += name.size;
            }
            Err(error) if is_damage(&error) => verified.problems.push(chain(&error)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens every blob and compares its content with the manifest and the indexes.
async fn open_all(
    pool: &CpuPool,
    from: &Destination,
    identity: &Identity,
    manifest: &Manifest,
    verified: &mut Verified,
) -> Result<(), BackupError> {
    let mut blobs: Vec<Blob> =
        [&manifest.database.dump, &manifest.objects.index, &manifest.vectors.index, &manifest.settings]
            .map(Clone::clone)
            .into();
    for tree in [&manifest.objects, &manifest.vectors] {
        match tree::entries(pool, from, identity, tree).await {
            Ok(files) => blobs.extend(files.into_iter().map(|file| file.blob)),
            Err(error) if is_damage(&error) => verified.problems.push(chain(&error)),
            Err(error) => return Err(error),
        }
    }
    let opened = stream::iter(0..blobs.len()).map(|at| {
        let blob = &blobs[at];
        async move {
            let content = tree::open_blob(pool, from, identity, blob).await?;
            content.try_for_each(|_| std::future::ready(Ok(()))).await
        }
        .boxed()
    });
    let mut opened = opened.buffer_unordered(AT_ONCE);
    while let Some(content) = opened.next().await {
        match content {
            Ok(()) => verified.opened += 1,
            Err(error) if is_damage(&error) => verified.problems.push(chain(&error)),
            Err(error) => return Err(error),
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
