//! A damaged object is brought back from the newest backup that has it as it was. The copy is encrypted for a key that is normally on no host: it is
//! read with `backup.key_file`, or with a key that an operator names.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures::TryStreamExt as _;

use super::{
    BackupError, BackupId, Backups, Restore, destination::Destination, keys::KeyFile, manifest::Blob, spool::Spool,
};
use platform::error::chain;
use storage::{Expected, Repair, RepairError};

/// Backups of a destination that are looked at, from the newest on.
const NEWEST: usize = 5;

/// Brings objects back.
#[derive(Clone, Debug)]
pub struct Repairer {
    backups: Backups,
    key_file: Option<PathBuf>,
}

impl Backups {
    /// What brings damaged objects back. `key_file`: instead of that of the settings.
    pub fn repairer(&self, key_file: Option<PathBuf>) -> Repairer {
        Repairer { backups: self.clone(), key_file }
    }
}

#[async_trait]
impl Repair for Repairer {
    async fn repair(&self, room: &'static str, expected: &Expected) -> Result<bool, RepairError> {
        self.bring_back(room, expected).await.map_err(RepairError::room)
    }
}

impl Repairer {
    /// False: no backup has it with these bytes. Err: none could be read that might.
    async fn bring_back(&self, room: &str, expected: &Expected) -> Result<bool, BackupError> {
        let inner = &self.backups.inner;
        let keys = self.backups.key_file(self.key_file.as_deref())?;
        // Its folder has one user at a time.
        let Some(lock) = inner.db.try_session_lock("backup.repair").await? else { return Err(BackupError::Busy) };
        let work_dir = inner.config.work_dir(&inner.data_dir).join("repair");
        let key = format!("{room}/{}", expected.key);
        let mut failed = None;
        for name in inner.config.destinations.keys() {
            match self.bring_back_from(name, &keys, (&key, expected), &work_dir).await {
                Ok(true) => {
                    lock.release().await;
                    return Ok(true);
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(destination = name, error = chain(&error), "an object cannot be read from a backup");
                    failed = Some(error);
                }
            }
        }
        lock.release().await;
        failed.map_or(Ok(false), Err)
    }

    async fn bring_back_from(
        &self,
        destination: &str,
        keys: &KeyFile,
        (key, expected): (&str, &Expected),
        work_dir: &Path,
    ) -> Result<bool, BackupError> {
        let from = self.backups.open_destination(destination).await?;
        for id in newest(&from).await? {
            let backup = match Restore::open(from.clone(), keys, Some(id)).await {
                Ok(backup) => backup,
                Err(error) => {
                    tracing::warn!(destination, backup = %id, error = chain(&error), "a backup cannot be read: an older one is tried");
                    continue;
                }
            };
            let Some(blob) = backup.find_object(key, work_dir).await? else { continue };
            let is_same = blob.size == expected.size && expected.sha256.is_none_or(|sha256| blob.sha256.0 == sha256);
            if !is_same {
                continue;
            }
            let data = Box::pin(backup.reader().open(&blob).await?);
            self.backups.inner.objects.put_stream(key, data, blob.size).await?;
            return Ok(true);
        }
        Ok(false)
    }
}

/// Ids are in the order of time.
async fn newest(from: &Destination) -> Result<Vec<BackupId>, BackupError> {
    let mut all = from.backups().await?;
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.truncate(NEWEST);
    Ok(all)
}

impl Restore {
    /// What the backup has in a place of the object store. The list of its files is spooled below `work_dir`.
    async fn find_object(&self, key: &str, work_dir: &Path) -> Result<Option<Blob>, BackupError> {
        let spool = Spool::make(work_dir)?;
        let mut files = std::pin::pin!(self.reader().files(&self.manifest.objects, &spool).await?);
        while let Some(file) = files.try_next().await? {
            if file.key == key {
                return Ok(Some(file.blob));
            }
        }
        Ok(None)
    }
}
