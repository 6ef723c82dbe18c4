//! Backups that a destination has and the table does not know: of a run that ended between its manifest and its row, or of another
//! host with the same key. Unknown, they would neither be listed nor ever be removed.

use std::collections::{BTreeMap, HashMap};

use super::{Backups, run::fill};
use crate::{
    backup::{
        Backup, BackupError, BackupId, Destination,
        destination::DestinationError,
        manifest::{Manifest, ManifestError},
        model::{Copy, CopyStatus, Status},
        store,
    },
    platform::{error::chain, http::Slice},
};

impl Backups {
    /// Takes them into the table, as unverified. Returns the destinations that another installation uses, and what to do: retention and
    /// restores of both would meet there.
    pub(super) async fn adopt(&self, destinations: &[Destination]) -> Result<Vec<(String, String)>, BackupError> {
        let mut shared = BTreeMap::new();
        for destination in destinations {
            // One that does not answer fails later, by itself.
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
                            "backups of another installation ({other}) lie here: give this one a folder or a prefix of its own"
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
                    "found at {name}: the run that made it was not seen to end. Prove it: holdfast backup drill --backup {id}"
                ));
                store::finish(&mut tx, &backup).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

impl Copy {
    /// A copy whose manifest lies at a destination: that is written last, after everything was read back.
    fn found(destination: &str) -> Self {
        Self { destination: destination.to_owned(), status: CopyStatus::Verified, verified_at: None, error: None }
    }
}

impl Backup {
    /// The row of a backup that only its manifest tells of.
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
