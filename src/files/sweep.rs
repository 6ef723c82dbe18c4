//! Sweeps: the store is compared with the rows, a part at a time, so that every folder has its turn once a day. Files that no row names, and are old, are
//! deleted where they are this room's; those of others are counted, because their rooms delete them. Rows without a file are damage.

use std::collections::HashSet;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;

use crate::{
    Files, FilesError,
    inventory::{FOLDER, parse},
    metrics, store,
};
use platform::{crypto, ids::OrgId};
use storage::{Damage, Entry, Inventory, Storage, StorageError};

/// Younger files may be of an upload that goes on.
const OLD: TimeDelta = TimeDelta::hours(24);
/// After the database was brought back from a backup nothing is deleted for a while: the rows of younger files may come back with a newer backup.
const CAUTION: TimeDelta = TimeDelta::days(7);
/// By so much the note in the store may be younger than the database without that it was brought back: a backup copies the objects after its snapshot.
const SLACK: TimeDelta = TimeDelta::hours(6);
const SHARDS: i16 = 256;
/// Keys that are looked up at a time.
const PAGE: usize = 1000;

/// Beside the rooms' folders, and in no backup: when the last sweep was, and when the database was found to be older.
const LAST: &str = "doctor/swept";
const REWOUND: &str = "doctor/rewound";

/// What a sweep of a part found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub objects: i64,
    pub orphans: i64,
    pub orphan_bytes: i64,
    pub deleted: i64,
    /// Files that a process was writing when it died.
    pub unfinished: u64,
    /// Rows without a file.
    pub missing: i64,
}

impl Files {
    /// Sweeps the next part of each room.
    pub(crate) async fn sweep(&self) -> Result<Vec<(&'static str, Found)>, FilesError> {
        let may_delete = self.is_safe().await?;
        let mut all = Vec::new();
        for inventory in self.inventories() {
            let room = inventory.room();
            let mut tx = self.inner.db.system().await?;
            let last = store::scrub::last_shard(&mut tx, room).await?;
            drop(tx);
            let shard = last.map_or(0, |last| (last + 1) % SHARDS);
            let found = self.sweep_shard(&*inventory, shard, may_delete).await?;
            let now = self.inner.clock.now();
            let mut tx = self.inner.db.system().await?;
            let counts = (found.objects, found.orphans - found.deleted, found.orphan_bytes);
            store::scrub::save_shard(&mut tx, (room, shard), counts, now).await?;
            tx.commit().await?;
            all.push((room, found));
        }
        let now = self.inner.clock.now().to_rfc3339();
        self.inner.whole.put(LAST, Bytes::from(now)).await?;
        Ok(all)
    }

    /// Whether files may be deleted: not for a while after the database became older than the store.
    async fn is_safe(&self) -> Result<bool, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let swept = store::scrub::last_swept(&mut tx).await?;
        drop(tx);
        let storage = &self.inner.whole;
        let now = self.inner.clock.now();
        if let Some(last) = noted(storage, LAST).await?
            && swept.is_none_or(|swept| last > swept + SLACK)
            && noted(storage, REWOUND).await?.is_none_or(|rewound| rewound < last)
        {
            metrics::rewound();
            storage.put(REWOUND, Bytes::from(now.to_rfc3339())).await?;
            return Ok(false);
        }
        Ok(noted(storage, REWOUND).await?.is_none_or(|rewound| now > rewound + CAUTION))
    }

    async fn sweep_shard(&self, inventory: &dyn Inventory, shard: i16, may_delete: bool) -> Result<Found, FilesError> {
        let mut found = Found::default();
        let room = inventory.room();
        for folder in self.folders_of(room, shard).await? {
            let mut there = HashSet::new();
            let mut pages = self.inner.whole.list(&format!("{room}/{folder}")).try_chunks(PAGE);
            while let Some(page) = pages.try_next().await.map_err(|error| error.1)? {
                let page: Vec<Entry> = page.into_iter().filter_map(|entry| below(room, entry)).collect();
                self.sweep_page(inventory, &page, may_delete, &mut found).await?;
                if room == FOLDER {
                    there.extend(page.into_iter().map(|entry| entry.key));
                }
            }
            if room == FOLDER {
                found.unfinished += self.drop_unfinished(&folder).await?;
                found.missing += self.missing(inventory, &folder, &there).await?;
            }
        }
        Ok(found)
    }

    /// Folders of a part: of this room, those of one of the 256 places in each organisation; of others, some organisations.
    async fn folders_of(&self, room: &str, shard: i16) -> Result<Vec<String>, FilesError> {
        let folders = self.inner.whole.folders(room).await?;
        if room == FOLDER {
            let orgs = folders.into_iter().filter(|folder| folder.parse::<OrgId>().is_ok());
            return Ok(orgs.map(|org| format!("{org}/{shard:02x}")).collect());
        }
        let is_ours = |folder: &String| i16::from(crypto::sha256(folder)[0]) == shard;
        Ok(folders.into_iter().filter(is_ours).collect())
    }

    async fn sweep_page(
        &self,
        inventory: &dyn Inventory,
        page: &[Entry],
        may_delete: bool,
        found: &mut Found,
    ) -> Result<(), FilesError> {
        found.objects += i64::try_from(page.len()).unwrap_or(i64::MAX);
        let before = self.inner.clock.now() - OLD;
        let old: Vec<&Entry> = page.iter().filter(|entry| entry.modified < before).collect();
        let keys: Vec<String> = old.iter().map(|entry| entry.key.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let known = inventory.known(&keys).await.map_err(FilesError::Inventory)?;
        let orphans: Vec<&Entry> = old.into_iter().filter(|entry| !known.contains(&entry.key)).collect();
        let is_ours = inventory.room() == FOLDER && may_delete;
        let delete: Vec<&str> =
            orphans.iter().map(|orphan| orphan.key.as_str()).filter(|key| is_ours && parse(key).is_some()).collect();
        for orphan in &orphans {
            found.orphans += 1;
            if !delete.contains(&orphan.key.as_str()) {
                found.orphan_bytes += i64::try_from(orphan.size).unwrap_or(i64::MAX);
            }
        }
        if delete.is_empty() {
            return Ok(());
        }
        let blobs = &self.inner.blobs;
        let mut guard = blobs.deletions.permit().await?;
        for key in &delete {
            blobs.storage.delete(key, &mut guard).await?;
            metrics::orphan_deleted(key);
            found.deleted += 1;
        }
        Ok(())
    }

    async fn drop_unfinished(&self, folder: &str) -> Result<u64, FilesError> {
        let blobs = &self.inner.blobs;
        let mut guard = blobs.deletions.permit().await?;
        Ok(blobs.storage.drop_unfinished(folder, self.inner.clock.now() - OLD, &mut guard).await?)
    }

    /// Rows of a folder whose file was not listed, and is not there.
    async fn missing(
        &self,
        inventory: &dyn Inventory,
        folder: &str,
        there: &HashSet<String>,
    ) -> Result<i64, FilesError> {
        let (mut after, mut missing) = (format!("{folder}/"), 0);
        loop {
            let page = inventory.expected(&after, PAGE).await.map_err(FilesError::Inventory)?;
            let Some(last) = page.last() else { return Ok(missing) };
            after.clone_from(&last.key);
            for expected in &page {
                if !expected.key.starts_with(&format!("{folder}/")) {
                    return Ok(missing);
                }
                if there.contains(&expected.key) || self.inner.blobs.storage.exists(&expected.key).await? {
                    continue;
                }
                if self.is_expected(inventory, &expected.key).await? {
                    self.found_damage(inventory, &expected.key, Damage::Missing).await?;
                    missing += 1;
                }
            }
        }
    }
}

/// An entry of the whole store as its room sees it.
fn below(room: &str, entry: Entry) -> Option<Entry> {
    let key = entry.key.strip_prefix(room)?.strip_prefix('/')?.to_owned();
    Some(Entry { key, ..entry })
}

/// A time in the store; `None`: there is none that can be read.
async fn noted(storage: &Storage, key: &str) -> Result<Option<DateTime<Utc>>, StorageError> {
    match storage.get_bytes(key).await {
        Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok())),
        Err(StorageError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
