//! Adopts backups that a destination has but the table does not: of a run that ended before writing its row, or of another host with the
//! same key. Otherwise they would neither be listed nor ever removed.

use std::collections::{BTreeMap, HashMap};

use super::{Backups, run::fill};
use crate::{
    Backup, BackupError, BackupId, Destination,
    destination::DestinationError,
    manifest::{Manifest, ManifestError},
    model::{Copy, CopyStatus, Status},
    store,
};
use platform::{error::chain, http::Slice};

impl Backups {
    /// Adds them to the table as unverified. Returns destinations that another installation uses, with a remedy, because retention and
    /// restores of the two would collide there.
    pub(super) async fn adopt(&self, destinations: &[Destination]) -> Result<Vec<(String, String)>, BackupError> {
        let mut shared = BTreeMap::new();
        for destination in destinations {
            // A destination that does not respond fails later by itself.
            let Ok(found) = destination.backups().await else { continue };
            let mut tx = self.inner.db.system().await?;
            let rows = store::backups(&mut tx, &Slice::first(100_000)).await?;
            tx.commit().await?;
            let by_id: HashMap<BackupId, &Backup> = rows.iter().map(|backup| (backup.id, backup)).collect();
            for id in found {
                let row = by_id.get(&id);
                let known = |copy: &Copy| copy.destination == destination.name && copy.status != CopyStatus::Failed;
                if row.is_some_and(|backup| backup.copies.iter().any(known)) {
                    continue;
                }
                match self.manifest(destination, id).await {
                    Ok(manifest) => self.take_in(destination, &manifest, row.copied()).await?,
                    Err(BackupError::Destination(DestinationError::Manifest {
                        source: ManifestError::OtherInstallation(other),
                        ..
                    })) => {
                        let words = format!(
                            "this place holds backups of another installation ({other}): use a separate folder or prefix for this one"
                        );
                        shared.insert(destination.name.clone(), words);
                    }
                    Err(error) => {
                        tracing::warn!(destination = destination.name, backup_id = %id, error = chain(&error), "a backup that is not in the table cannot be read");
                    }
                }
            }
        }
        Ok(shared.into_iter().collect())
    }

    async fn take_in(
        &self,
        destination: &Destination,
        manifest: &Manifest,
        row: Option<&Backup>,
    ) -> Result<(), BackupError> {
        let (name, id) = (destination.name.as_str(), manifest.id);
        tracing::warn!(destination = name, backup_id = %id, "a backup was found that is not in the table");
        let mut tx = self.inner.db.system().await?;
        match row.filter(|backup| backup.status != Status::Failed) {
            Some(backup) => store::set_copy(&mut tx, backup.id, &Copy::found(name)).await?,
            None => {
                let mut backup = Backup::of_manifest(manifest, name);
                backup.status = Status::Unverified;
                backup.error = Some(format!(
                    "found at {name}: the end of its run was not recorded. Test it: holdfast backup drill --backup {id}"
                ));
                store::finish(&mut tx, &backup).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

impl Copy {
    /// A copy with a manifest, which is written last, after everything was read back.
    fn found(destination: &str) -> Self {
        Self { destination: destination.to_owned(), status: CopyStatus::Verified, verified_at: None, error: None }
    }
}

impl Backup {
    /// The row of a backup known only from its manifest.
    pub(super) fn of_manifest(manifest: &Manifest, destination: &str) -> Self {
        let m = manifest;
        let mut backup = Self::begun(m.id, m.sequence, m.kind, m.taken_at);
        (backup.status, backup.finished_at) = (Status::Verified, Some(m.taken_at));
        "found".clone_into(&mut backup.step);
        backup.copies.push(Copy::found(destination));
        fill(&mut backup, m, 0);
        backup
    }
}
