//! Retention: which copies to remove, and which blobs are no longer referenced.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;

use super::{Backups, run::has_shrunk, verify::is_foreign};
use crate::{
    Backup, BackupError, BackupId, Destination,
    catalogue::{Catalogue, CatalogueError},
    manifest::{BlobName, Manifest},
    model::{Copy, CopyStatus, Status},
    retention::{self, Candidate},
    store,
};
use platform::{error::chain, http::Slice};
use storage::Entry;

/// Minimum age of an unreferenced blob before it is removed: a running backup may have written it.
const ORPHAN_AGE: TimeDelta = TimeDelta::hours(24);

/// Catalogue set of referenced blobs.
const NEEDED: u32 = 0;
/// Names added to the catalogue together.
const PIECE: usize = 1024;

/// Result of a clean-up at one destination.
#[derive(Clone, Debug, Default, serde::Serialize, utoipa::ToSchema)]
pub struct Pruned {
    pub destination: String,
    pub backups: Vec<BackupId>,
    /// Blobs removed.
    pub blobs: u64,
    pub bytes: u64,
    /// Why it was aborted there.
    pub error: Option<String>,
    /// A backup there cannot be read, so its blobs are unknown: nothing is removed until a person has looked.
    pub damaged: bool,
}

impl Backups {
    /// Applies retention at every destination. `dry_run`: only reports.
    pub async fn prune(&self, dry_run: bool) -> Result<Vec<Pruned>, BackupError> {
        let lock = self.lock().await?;
        let mut done = Vec::new();
        for name in self.inner.config.destinations.keys() {
            let pruned = async {
                let from = self.open_destination(name).await?;
                self.prune_at(&from, dry_run).await
            };
            done.push(pruned.await.unwrap_or_else(|error| Pruned {
                destination: name.clone(),
                error: Some(chain(&error)),
                damaged: error.is_damage() && !is_foreign(&error),
                ..Pruned::default()
            }));
        }
        lock.release().await;
        Ok(done)
    }

    async fn prune_at(&self, from: &Destination, dry_run: bool) -> Result<Pruned, BackupError> {
        let backups = self.list(&Slice::first(10_000)).await?;
        let whole = backups.iter().enumerate().filter_map(|(at, backup)| {
            let copy = backup.copies.iter().find(|copy| copy.destination == from.name)?;
            (copy.status == CopyStatus::Verified).then(|| Candidate {
                id: backup.id,
                sequence: backup.sequence,
                taken_at: backup.started_at,
                bytes: u64::try_from(backup.total_bytes).unwrap_or_default(),
                held: backup.held,
                verified: is_sound(backup, &backups[at + 1..]),
            })
        });
        let zone = self.inner.config.time_zone.parse().unwrap_or(chrono_tz::UTC);
        let goes = retention::plan(&whole.collect::<Vec<_>>(), &retention::Rules::of(&self.inner.config), zone);
        let mut pruned = Pruned { destination: from.name.clone(), backups: goes.clone(), ..Pruned::default() };
        // Before anything is removed: the lists need space, and removing manifests without blobs frees none.
        let spool = self.spool()?;
        let catalogue = spool.catalogue(&self.inner.pool)?;
        let goes: HashSet<BackupId> = goes.into_iter().collect();
        let mut stays = from.backups().await?;
        stays.retain(|id| !goes.contains(id));
        for id in &stays {
            // An unreadable manifest may refer to any blob: then nothing is removed.
            let manifest = match self.manifest(from, *id).await {
                Err(_) if platform::mutant(31) => continue,
                manifest => manifest?,
            };
            let list = spool.file();
            list.fill(from.read_blob_list(&manifest).await?).await?;
            let mut names = std::pin::pin!(list.lines("the list of blobs").await?.try_chunks(PIECE));
            while let Some(names) = names.try_next().await.map_err(|error| error.1)? {
                catalogue.apart(move |all| all.add_blobs(NEEDED, &names)).await?;
            }
        }
        if !dry_run {
            for id in &goes {
                // The manifest first: without it, the rest is no backup.
                from.delete(&Manifest::key(*id)).await?;
                from.delete(&Manifest::blobs_key(*id)).await?;
                self.note_pruned(*id, from).await?;
            }
            // A person removed the backups that were beyond repair: the destination is trusted again.
            let damaged = |copy: &Copy| copy.destination == from.name && copy.status == CopyStatus::Damaged;
            for backup in backups.iter().filter(|b| b.copies.iter().any(damaged) && !stays.contains(&b.id)) {
                self.note_pruned(backup.id, from).await?;
            }
        }
        let before = self.inner.clock.now() - ORPHAN_AGE;
        let mut found = std::pin::pin!(from.blobs());
        while let Some(entries) = found.try_next().await? {
            let orphans = catalogue.apart(move |all| orphans(all, entries, before)).await?;
            for entry in orphans {
                if !dry_run {
                    from.delete(&entry.key).await?;
                }
                pruned.blobs += 1;
                pruned.bytes += entry.size;
            }
        }
        // Left by runs that were killed before writing their manifest.
        let mut found = std::pin::pin!(from.backup_files());
        while let Some(entries) = found.try_next().await? {
            for entry in entries.iter().filter(|entry| entry.modified <= before) {
                let of = Manifest::id_of_blobs_key(&entry.key);
                if !dry_run && of.is_some_and(|id| !stays.contains(&id)) {
                    from.delete(&entry.key).await?;
                }
            }
        }
        Ok(pruned)
    }

    async fn note_pruned(&self, id: BackupId, from: &Destination) -> Result<(), BackupError> {
        let mut tx = self.inner.db.system().await?;
        store::set_copy_status(&mut tx, id, &from.name, CopyStatus::Pruned).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Whether this copy's content is beyond doubt. If only another destination failed or its copy was damaged, this one counts fully, so that
/// a month without the other destination leaves a month of backups here.
fn is_sound(backup: &Backup, earlier: &[Backup]) -> bool {
    let elsewhere = |copy: &Copy| matches!(copy.status, CopyStatus::Failed | CopyStatus::Damaged);
    let last = earlier.iter().find(|backup| backup.status == Status::Verified).map(|backup| backup.database_bytes);
    match backup.status {
        Status::Verified => true,
        Status::Unverified => backup.copies.iter().any(elsewhere) && !last.is_some_and(|last| has_shrunk(backup, last)),
        Status::Running | Status::Failed => false,
    }
}

/// Files that no manifest refers to and that are too old to belong to a running backup.
fn orphans(all: &Catalogue, entries: Vec<Entry>, before: DateTime<Utc>) -> Result<Vec<Entry>, CatalogueError> {
    let mut orphans = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.modified <= before) {
        let gone = match BlobName::of_key(&entry.key) {
            Some(name) => !all.has_blob(NEEDED, &name)?,
            // Other files are not ours, except incompletely written ones.
            None => BlobName::is_partial(&entry.key),
        };
        if gone {
            orphans.push(entry);
        }
    }
    Ok(orphans)
}
