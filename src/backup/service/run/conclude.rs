//! The end of a run: its row, its copies, its event.

use sqlx::Connection as _;

use super::Backups;
use crate::{
    BackupError,
    events::{BackupFailed, BackupFinished},
    manifest::Manifest,
    model::{Backup, Copy, CopyStatus, Status},
    store,
    writer::Writer,
};
use platform::{db::Tx, error::chain};

/// A dump below this share of the last one needs a person's attention.
const SHRUNK: f64 = 0.5;
/// SQLSTATE: there is no such table or sequence.
const UNDEFINED_TABLE: &str = "42P01";

impl Backups {
    /// Records the end of a run.
    pub(super) async fn conclude(
        &self,
        mut backup: Backup,
        step: &str,
        result: Result<(Manifest, Writer), BackupError>,
        unopened: &[(String, String)],
    ) -> Result<Backup, BackupError> {
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.system().await?;
        let last_size = store::last_size(&mut tx).await?;
        (backup.status, backup.finished_at) = (Status::Failed, Some(now));
        step.clone_into(&mut backup.step);
        let mut copies: Vec<(String, Option<String>)> =
            unopened.iter().map(|(name, error)| (name.clone(), Some(error.clone()))).collect();
        match result {
            Ok((manifest, writer)) => {
                copies.extend(writer.outcomes());
                fill(&mut backup, &manifest, writer.added_bytes());
                let failed: Vec<&str> =
                    copies.iter().filter(|(_, e)| e.is_some()).map(|(name, _)| name.as_str()).collect();
                let shrunk = last_size.filter(|last| has_shrunk(&backup, *last));
                backup.error = match (failed.is_empty(), shrunk) {
                    (true, None) => None,
                    (false, _) => Some(format!("no copy at {}", failed.join(", "))),
                    (true, Some(last)) => Some(format!(
                        "the dump has {} bytes, the last verified one had {last}: if that is expected, confirm it with `holdfast backup drill`",
                        backup.database_bytes
                    )),
                };
                backup.status = if backup.error.is_none() { Status::Verified } else { Status::Unverified };
                "done".clone_into(&mut backup.step);
            }
            Err(error) => backup.error = Some(chain(&error)),
        }
        let whole = backup.status != Status::Failed;
        // Blobs that existed before were not read now.
        let verified_at = (backup.added_bytes == backup.total_bytes).then_some(now);
        backup.copies = copies
            .into_iter()
            .map(|(destination, error)| match error {
                None if whole => Copy { destination, status: CopyStatus::Verified, verified_at, error: None },
                error => Copy { destination, status: CopyStatus::Failed, verified_at: None, error },
            })
            .collect();
        store::finish(&mut tx, &backup).await?;
        self.publish_end(&mut tx, &backup).await?;
        tx.commit().await?;
        Ok(backup)
    }

    /// Publishes the end of a run. Does nothing if the database has no events yet, as in a backup before an upgrade.
    async fn publish_end(&self, tx: &mut Tx, backup: &Backup) -> Result<(), BackupError> {
        let (clock, backup_id) = (&self.inner.clock, backup.id);
        let mut inner = tx.begin().await?;
        let published = if backup.status == Status::Failed {
            events::publish(&mut inner, clock, None, &BackupFailed { backup_id }).await
        } else {
            let event = BackupFinished { backup_id, status: backup.status.as_str(), bytes: backup.total_bytes };
            events::publish(&mut inner, clock, None, &event).await
        };
        match published {
            Ok(_) => inner.commit().await?,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => {
                inner.rollback().await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Whether its dump is suspiciously smaller than the last one (`last`, bytes).
pub(crate) fn has_shrunk(backup: &Backup, last: i64) -> bool {
    (backup.database_bytes as f64) < last as f64 * SHRUNK
}

/// Copies the figures of a manifest into a backup.
pub(crate) fn fill(backup: &mut Backup, manifest: &Manifest, added_bytes: u64) {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    backup.database_bytes = number(manifest.database.dump.size);
    backup.rows = number(manifest.database.schema.rows.values().sum());
    backup.objects = number(manifest.objects.files);
    backup.vector_files = number(manifest.participants.values().map(|part| part.tree.files).sum());
    backup.total_bytes = number(manifest.total_bytes);
    backup.added_bytes = number(added_bytes);
}
