//! Permission to delete files: granted to everybody, except while a backup runs.
//!
//! A backup copies files after it has taken its snapshot of the database, so all files that a row of the snapshot refers to must still
//! exist. Every deletion, in any room and process, therefore needs a [`DeleteGuard`], which a running backup withholds.

use std::time::Duration;

use super::StorageError;
use platform::db::{Db, DbError, SessionLock};

/// Name of the advisory lock in the database. Unchanged since the lock belonged to the knowledge room, because during an upgrade the former
/// version deletes beside a backup of this one.
const LOCK: &str = "knowledge.deletes";

/// Grants the permission to delete files. Cheap to clone.
#[derive(Clone)]
pub struct Deletions {
    db: Db,
}

impl std::fmt::Debug for Deletions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deletions").finish_non_exhaustive()
    }
}

impl Deletions {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Shared permission to delete, across all processes. Fails at once with [`StorageError::Held`] while a backup runs or waits to start:
    /// a job retries later, a request leaves the deletion to a job. It occupies a connection, so hold it only for the deletions, not for
    /// the reads before.
    pub async fn permit(&self) -> Result<DeleteGuard, StorageError> {
        if platform::mutant(26) {
            return Ok(DeleteGuard { lock: None });
        }
        let lock = self.db.try_shared_session_lock(LOCK).await?.ok_or(StorageError::Held)?;
        Ok(DeleteGuard { lock: Some(lock) })
    }

    /// Keeps every file from being deleted until this is released or dropped. From now on nobody begins to delete; those who have begun
    /// are waited for, `patience` at most. `None` where they do not end.
    pub async fn hold(&self, patience: Duration) -> Result<Option<SessionLock>, DbError> {
        self.db.session_lock_within(LOCK, patience).await
    }
}

/// The right to delete files, for as long as it lives. [`Deletions::permit`] makes one.
#[derive(Debug)]
pub struct DeleteGuard {
    lock: Option<SessionLock>,
}

impl DeleteGuard {
    /// Called before each deletion: a lock lost with its connection (the database restarted) no longer blocks a backup.
    pub async fn check(&mut self) -> Result<(), StorageError> {
        let Some(lock) = &mut self.lock else { return Ok(()) };
        if platform::mutant(27) || lock.is_held().await { Ok(()) } else { Err(StorageError::GuardLost) }
    }

    /// For unit tests, of any room: their stores are not backed up. `tests/it/architecture` refuses it elsewhere.
    #[doc(hidden)]
    pub fn of_nothing() -> Self {
        Self { lock: None }
    }
}
