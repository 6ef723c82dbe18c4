//! Scrubs: everything stored is read and compared with what its room expects. Nothing is ever deleted here.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::time::Instant;

use crate::{DamagedObject, Files, FilesError, Scrub, Swept, jobs::ScrubAll, metrics, store};
use jobs::{Enqueue, JobId, enqueue};
use platform::ids::new_uuid;
use storage::{Damage, DigestSet, Digests, Expected, Inventory, Repair, StorageError};

/// Objects that are read at a time.
const AT_ONCE: usize = 4;
/// Objects after which it is written down how far the scrub is.
const PAGE: usize = 64;
/// For so long requests may hold it up before each page.
const GIVE_WAY: Duration = Duration::from_secs(2);
/// Rows of a list for operators.
const SHOWN: i64 = 1000;

/// What became of looking at an object.
pub(crate) enum Seen {
    Whole {
        bytes: u64,
    },
    Damaged(Damage),
    /// Nobody expects it any more.
    Unexpected,
    /// The store failed: it says nothing about the object.
    Unread(StorageError),
}

impl Files {
    /// Whose objects are scrubbed and swept. The first call counts.
    pub fn inspects(&self, inventories: Vec<Arc<dyn Inventory>>) {
        let _ = self.inner.inventories.set(inventories);
    }

    /// What has copies of damaged objects. The first call counts.
    pub fn repairs_by(&self, repair: Arc<dyn Repair>) {
        let _ = self.inner.repair.set(repair);
    }

    /// This room's objects.
    pub fn inventory(&self) -> Arc<dyn Inventory> {
        Arc::new(self.clone())
    }

    /// In the order of their rooms' folders.
    pub(crate) fn inventories(&self) -> Vec<Arc<dyn Inventory>> {
        let mut all = self.inner.inventories.get().cloned().unwrap_or_default();
        all.sort_by_key(|inventory| inventory.room());
        all
    }

    /// Goes on with the scrub, or begins one, for so long or until `cancel` says to stop. True: it has ended.
    pub(crate) async fn scrub_for(
        &self,
        time: Duration,
        is_cancelled: impl Fn() -> bool + Send + Sync,
    ) -> Result<bool, FilesError> {
        // One at a time: the weekly one may come while another goes on.
        let Some(lock) = self.inner.db.try_session_lock("files.scrub").await? else { return Ok(true) };
        let begin = Instant::now();
        let mut scrub = self.current_scrub().await?;
        let mut pace = Pace { begin, bytes: 0, per_second: self.inner.config.scrub_mib_per_second << 20 };
        for inventory in self.inventories() {
            if inventory.room() < scrub.room.as_str() {
                continue;
            }
            if inventory.room() != scrub.room {
                inventory.room().clone_into(&mut scrub.room);
                scrub.after.clear();
            }
            while self.scrub_page(&*inventory, &mut scrub, &mut pace).await? {
                if begin.elapsed() > time || is_cancelled() {
                    lock.release().await;
                    return Ok(false);
                }
            }
        }
        scrub.ended_at = Some(self.inner.clock.now());
        self.save_scrub(&scrub).await?;
        metrics::scrubbed(&scrub);
        lock.release().await;
        Ok(true)
    }

    async fn current_scrub(&self) -> Result<Scrub, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let newest = store::scrub::scrubs(&mut tx, 1).await?.pop();
        if let Some(unfinished) = newest.filter(|scrub| scrub.ended_at.is_none()) {
            return Ok(unfinished);
        }
        let (id, now) = (new_uuid(&self.inner.clock), self.inner.clock.now());
        store::scrub::begin(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(Scrub {
            id,
            started_at: now,
            ended_at: None,
            room: String::new(),
            after: String::new(),
            objects: 0,
            bytes: 0,
            damaged: 0,
            repaired: 0,
            unread: 0,
        })
    }

    async fn save_scrub(&self, scrub: &Scrub) -> Result<(), FilesError> {
        let mut tx = self.inner.db.system().await?;
        store::scrub::save(&mut tx, scrub).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Looks at the next objects of a room. False: there are none left.
    async fn scrub_page(
        &self,
        inventory: &dyn Inventory,
        scrub: &mut Scrub,
        pace: &mut Pace,
    ) -> Result<bool, FilesError> {
        let page = inventory.expected(&scrub.after, PAGE).await.map_err(FilesError::Inventory)?;
        let Some(last) = page.last() else { return Ok(false) };
        let after = last.key.clone();
        self.inner.traffic.quiet(GIVE_WAY).await;
        let looked = stream::iter(page).map(|expected| {
            async move {
                let seen = self.look(inventory, &expected).await?;
                Ok::<_, FilesError>((expected, seen))
            }
            .boxed()
        });
        let mut looked = std::pin::pin!(looked.buffered(AT_ONCE));
        let mut whole = Vec::new();
        while let Some(next) = looked.next().await {
            let (expected, seen) = next?;
            scrub.objects += 1;
            match seen {
                Seen::Whole { bytes } => {
                    scrub.bytes = scrub.bytes.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
                    whole.push(expected.key);
                    pace.read(bytes).await;
                }
                Seen::Damaged(damage) => {
                    scrub.damaged += 1;
                    self.found_damage(inventory, &expected.key, damage).await?;
                }
                Seen::Unexpected => {}
                Seen::Unread(error) => {
                    scrub.unread += 1;
                    metrics::unread(inventory.room(), &expected.key, &error);
                }
            }
        }
        self.found_whole(inventory, &whole).await?;
        scrub.after = after;
        self.save_scrub(scrub).await?;
        Ok(true)
    }

    /// Reads an object and compares it.
    pub(crate) async fn look(&self, inventory: &dyn Inventory, expected: &Expected) -> Result<Seen, FilesError> {
        let seen = match self.compare(inventory.room(), expected).await {
            Ok(None) => Seen::Whole { bytes: expected.size },
            Ok(Some(damage)) => Seen::Damaged(damage),
            Err(error) => Seen::Unread(error),
        };
        // One that was deleted while it was read is no damage.
        match seen {
            Seen::Damaged(_) if !self.is_expected(inventory, &expected.key).await? => Ok(Seen::Unexpected),
            seen => Ok(seen),
        }
    }

    /// `None`: it is what its room expects.
    async fn compare(&self, room: &str, expected: &Expected) -> Result<Option<Damage>, StorageError> {
        let key = format!("{room}/{}", expected.key);
        match self.inner.whole.size_of(&key).await? {
            None => return Ok(Some(Damage::Missing)),
            Some(found) if found != expected.size => return Ok(Some(Damage::Size { found })),
            Some(_) => {}
        }
        let Some(sha256) = expected.sha256 else { return Ok(None) };
        let mut digests = Digests::new(&DigestSet::default());
        let mut content = self.inner.whole.read(&key, 0..expected.size);
        while let Some(bytes) = content.next().await {
            match bytes {
                Ok(bytes) => digests = digests.take(&self.inner.background, vec![bytes]).await?,
                Err(StorageError::NotFound) => return Ok(Some(Damage::Missing)),
                Err(StorageError::Damaged) => return Ok(Some(Damage::Content)),
                Err(error) => return Err(error),
            }
        }
        Ok(if digests.finish().sha256 == sha256 { None } else { Some(Damage::Content) })
    }

    /// Whether a room still expects an object.
    pub(crate) async fn is_expected(&self, inventory: &dyn Inventory, key: &str) -> Result<bool, FilesError> {
        let known = inventory.known(&[key.to_owned()]).await.map_err(FilesError::Inventory)?;
        Ok(known.contains(key))
    }

    /// Objects that are damaged now, of all rooms and organisations: for operators.
    pub async fn damage(&self) -> Result<Vec<DamagedObject>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let found = store::scrub::damaged(&mut tx, SHOWN).await?;
        drop(tx);
        Ok(found)
    }

    /// The newest scrubs.
    pub async fn scrubs(&self, most: i64) -> Result<Vec<Scrub>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let found = store::scrub::scrubs(&mut tx, most).await?;
        drop(tx);
        Ok(found)
    }

    /// What the last sweeps found, by room.
    pub async fn sweeps(&self) -> Result<Vec<Swept>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let found = store::scrub::swept(&mut tx).await?;
        drop(tx);
        Ok(found)
    }

    /// Begins a scrub in the background, unless one goes on.
    pub async fn scrub_now(&self) -> Result<JobId, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let options = Enqueue { unique_key: Some("now".to_owned()), ..Enqueue::default() };
        let id = enqueue(&mut tx, &self.inner.clock, None, &ScrubAll {}, &options).await?;
        tx.commit().await?;
        Ok(id)
    }
}

/// Keeps reading below a rate.
struct Pace {
    begin: Instant,
    bytes: u64,
    per_second: u64,
}

impl Pace {
    async fn read(&mut self, bytes: u64) {
        self.bytes += bytes;
        let due = Duration::from_secs_f64(self.bytes as f64 / self.per_second.max(1) as f64);
        tokio::time::sleep_until(self.begin + due).await;
    }
}
