//! Garbage: blobs that lost a reference are looked at after a while, and deleted where they have none left. References are rows, not counters: a counter
//! that is wrong deletes data.
//!
//! Whoever refers to a blob takes its row first; the collector takes it alone, and passes over what others hold. So nothing waits here, and a blob is
//! never deleted that somebody has just referred to.

use chrono::TimeDelta;

use crate::{Files, FilesError, blobs::place, store};

/// For so long a blob without references is left alone: what is uploaded again finds it, and who reads it comes to an end.
const REST: TimeDelta = TimeDelta::hours(1);
/// Notes that are looked at in one transaction, and blobs that are deleted with one permission.
const AT_ONCE: i64 = 500;
/// Rows that a purge deletes in one transaction.
const PURGED: i64 = 1000;
/// For so long the answer to a repeated completion is kept.
const ANSWERED: TimeDelta = TimeDelta::days(1);

/// What a purge deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purged {
    pub versions: u64,
    pub uploads: u64,
    pub buckets: u64,
}

impl Files {
    /// Deletes blobs to which nothing refers; returns how many. Fails with `Held` while a backup runs.
    pub(crate) async fn collect(&self) -> Result<u64, FilesError> {
        while self.settle_some().await? {}
        let mut deleted = 0;
        loop {
            let some = self.delete_gone().await?;
            deleted += some;
            if some == 0 {
                return Ok(deleted);
            }
        }
    }

    /// Decides about some blobs. False: there are none left to decide about.
    async fn settle_some(&self) -> Result<bool, FilesError> {
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.system().await?;
        let noted = store::garbage::noted(&mut tx, now - REST, AT_ONCE).await?;
        let mut decided = false;
        for (blob, notes) in noted {
            if store::garbage::take(&mut tx, blob).await? {
                store::garbage::settle(&mut tx, blob, &notes, now).await?;
                decided = true;
            }
        }
        tx.commit().await?;
        Ok(decided)
    }

    async fn delete_gone(&self) -> Result<u64, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let gone = store::garbage::gone(&mut tx, AT_ONCE).await?;
        drop(tx);
        if gone.is_empty() {
            return Ok(0);
        }
        let blobs = &self.inner.blobs;
        let mut guard = blobs.deletions.permit().await?;
        for (org, blob) in &gone {
            // One that is missing is no error: a process may have died between this and the next transaction.
            blobs.storage.delete(&place(*org, *blob), &mut guard).await?;
        }
        drop(guard);
        let ids: Vec<_> = gone.iter().map(|(_, blob)| blob.0).collect();
        let mut tx = self.inner.db.system().await?;
        store::garbage::forget(&mut tx, &ids).await?;
        tx.commit().await?;
        Ok(ids.len() as u64)
    }

    /// Deletes what the trash lets go of, uploads that expired or ended a day ago, used tokens, and buckets in the trash that are empty.
    pub(crate) async fn purge_due(&self) -> Result<Purged, FilesError> {
        let now = self.inner.clock.now();
        let mut purged = Purged::default();
        loop {
            let mut tx = self.inner.db.system().await?;
            let versions = store::trash::purge(&mut tx, now, PURGED).await?;
            let uploads = store::uploads::purge(&mut tx, now, now - ANSWERED, PURGED).await?;
            let spent = store::garbage::forget_spent(&mut tx, now, PURGED).await?;
            let buckets = store::buckets::drop_empty(&mut tx, PURGED).await?;
            tx.commit().await?;
            purged.versions += versions;
            purged.uploads += uploads;
            purged.buckets += buckets;
            if versions + uploads + spent + buckets == 0 {
                return Ok(purged);
            }
        }
    }
}
