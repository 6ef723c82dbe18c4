//! Who may delete files: everybody, except while a backup is made.
//!
//! A backup copies files after it has taken its snapshot of the database, so what a row of the snapshot refers to must still be there.
//! Deleting therefore asks for a [`DeleteGuard`], whichever room deletes and in whichever process; a backup holds all of them off.

use std::time::Duration;

use super::StorageError;
use crate::platform::db::{Db, DbError, SessionLock, lock_key};

/// The advisory lock's name in the database. It stays what it was when the lock was the knowledge room's: during an upgrade the former
/// version deletes beside a backup of this one.
const LOCK: &str = "knowledge.deletes";

/// Hands out the right to delete files. Cheap to clone.
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

    /// The right to delete, over all processes, beside others who have it too. At once [`StorageError::Held`] while a backup is made or
    /// waits to begin: a job comes again later, a request leaves its deletion to a job. It has a connection of its own, so it is kept for
    /// the deletions alone, and not for what is read before.
    pub async fn permit(&self) -> Result<DeleteGuard, StorageError> {
        let lock = self.db.try_shared_session_lock(lock_key(LOCK)).await?.ok_or(StorageError::Held)?;
        Ok(DeleteGuard { lock: Some(lock) })
    }

    /// Keeps every file from being deleted until this is released or dropped. From now on nobody begins to delete; those who have begun
    /// are waited for, `patience` at most. `None` where they do not end.
    pub async fn hold(&self, patience: Duration) -> Result<Option<SessionLock>, DbError> {
        self.db.session_lock_within(lock_key(LOCK), patience).await
    }
}

/// The right to delete files, for as long as it lives. Only [`Deletions::permit`] makes one.
#[derive(Debug)]
pub struct DeleteGuard {
    lock: Option<SessionLock>,
}

impl DeleteGuard {
    /// Asked before each deletion: a lock that went with its connection (the database restarted) holds no backup off.
    pub async fn check(&mut self) -> Result<(), StorageError> {
        let Some(lock) = &mut self.lock else { return Ok(()) };
        if lock.is_held().await { Ok(()) } else { Err(StorageError::GuardLost) }
    }

    /// Of stores that no backup is made of.
    #[cfg(test)]
    pub fn of_nothing() -> Self {
        Self { lock: None }
    }
}
