//! Real restores, on a host that may have nothing but this program and the key.

mod database;
mod files;
mod plan;

use std::collections::BTreeSet;

pub use database::Found;
pub use plan::Plan;

use crate::{
    BackupError, BackupId, Destination,
    destination::DestinationError,
    keys::KeyFile,
    manifest::{Manifest, ManifestError},
    model::Kind,
    reader::Reader,
};
use platform::{error::chain, pools::CpuPool};

/// A backup that was found and can be decrypted.
#[derive(Debug)]
pub struct Restore {
    reader: Reader,
    pub manifest: Manifest,
}

impl Restore {
    /// Finds a backup (without `id` the newest of this key) and checks that the key decrypts it. Drill, `verify`, `keys check` and `doctor`
    /// use this function, so they accept exactly what a restore accepts.
    pub async fn open(from: Destination, keys: &KeyFile, id: Option<BackupId>) -> Result<Self, BackupError> {
        let trusted = keys.trusted();
        let manifest = match id {
            Some(id) => from.manifest(id, trusted).await?,
            None => newest(&from, keys).await?,
        };
        let restore = Self::of(from, manifest, keys, CpuPool::background(8))?;
        // The smallest part that the key must decrypt.
        restore.settings().await?;
        Ok(restore)
    }

    /// Opens the backup that [`Self::open`] chooses if none is named. Fails if that is not the `expected` one.
    pub(super) async fn open_newest(
        from: Destination,
        keys: &KeyFile,
        expected: BackupId,
    ) -> Result<Self, BackupError> {
        let destination = from.name.clone();
        // A problem of another backup is reported as such.
        let found = match Self::open(from, keys, None).await {
            Ok(found) if found.manifest.id == expected => return Ok(found),
            Ok(found) => found.manifest.id.to_string(),
            Err(error) => chain(&error),
        };
        Err(BackupError::NotTaken { destination, expected, found })
    }

    /// The newest backup at a destination that was made before a migration and contains only migrations in `known`.
    pub async fn before_migration(
        from: Destination,
        keys: &KeyFile,
        known: &BTreeSet<i64>,
    ) -> Result<Option<Self>, BackupError> {
        let mut newest: Option<Manifest> = None;
        for id in from.backups().await? {
            // Never roll back to an untrusted one.
            let Ok(manifest) = from.manifest(id, keys.trusted()).await else { continue };
            let fits = manifest.kind == Kind::BeforeMigration && manifest.database.schema.is_known(known);
            if fits && newest.as_ref().is_none_or(|other| other.sequence < manifest.sequence) {
                newest = Some(manifest);
            }
        }
        newest.map(|manifest| Self::of(from, manifest, keys, CpuPool::background(8))).transpose()
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// As [`Self::open`], from a manifest that was read already.
    pub(super) fn of(
        from: Destination,
        manifest: Manifest,
        keys: &KeyFile,
        pool: CpuPool,
    ) -> Result<Self, BackupError> {
        let identity = keys.for_recipients(&manifest.recipients)?.clone();
        Ok(Self { reader: Reader { from, identity, pool }, manifest })
    }
}

/// The backup with the highest sequence number for this key; clocks can be wrong, and ids follow them. An unreadable manifest that looks
/// newer is an error, because otherwise an attacker could make us restore an older backup.
async fn newest(from: &Destination, keys: &KeyFile) -> Result<Manifest, BackupError> {
    let (mut newest, mut unreadable): (Option<Manifest>, Vec<(BackupId, BackupError)>) = (None, Vec::new());
    let (mut ours, mut others) = (BTreeSet::new(), BTreeSet::new());
    for id in from.backups().await? {
        match from.manifest(id, keys.trusted()).await {
            // A key that names no installation tells backups apart by whether it decrypts them.
            Ok(manifest) if keys.for_recipients(&manifest.recipients).is_err() => {
                others.insert(manifest.installation);
            }
            Ok(manifest) => {
                ours.insert(manifest.installation);
                if newest.as_ref().is_none_or(|other| other.sequence < manifest.sequence) {
                    newest = Some(manifest);
                }
            }
            Err(DestinationError::Manifest { source: ManifestError::OtherInstallation(other), .. }) => {
                others.insert(other);
            }
            Err(error) => unreadable.push((id, error.into())),
        }
    }
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        let (destination, installations) = (from.name.clone(), others.join(", "));
        tracing::warn!(destination, installations, "backups of other installations are here too and were skipped");
        if newest.is_none() && unreadable.is_empty() {
            return Err(BackupError::OnlyOthers { destination, installations });
        }
    }
    if ours.len() > 1 {
        let installations = ours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(BackupError::Ambiguous { destination: from.name.clone(), installations });
    }
    let younger = unreadable.into_iter().find(|(id, _)| newest.as_ref().is_none_or(|manifest| manifest.id < *id));
    match younger {
        Some((id, error)) => Err(BackupError::NewestUnreadable {
            destination: from.name.clone(),
            id,
            readable: newest.map(|manifest| manifest.id),
            source: Box::new(error),
        }),
        None => newest.ok_or_else(|| BackupError::NothingThere { place: from.url.clone() }),
    }
}
