//! Repairs: what is damaged is brought back from a backup, or by an upload of the same content. It counts as whole when it was read again.

use uuid::Uuid;

use crate::{BlobId, Files, FilesError, blobs::place, inventory::FOLDER, jobs::RepairOne, metrics, scrub::Seen, store};
use jobs::{Enqueue, Job as _, enqueue};
use platform::{error::chain, ids::OrgId};
use storage::{Damage, Expected, Inventory, Repair};

/// Objects of a room whose keys differ in the last character only.
const SIBLINGS: usize = 64;

/// What a repair did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repaired {
    /// It is whole, or nobody expects it any more.
    Whole,
    /// It was damaged, and is whole again.
    Repaired,
    /// It is damaged still.
    Damaged,
}

impl Files {
    /// Notes damage, tells the room, and has it repaired.
    pub(crate) async fn found_damage(
        &self,
        inventory: &dyn Inventory,
        key: &str,
        damage: Damage,
    ) -> Result<(), FilesError> {
        self.note_damage(inventory, key, damage).await?;
        let job = RepairOne { room: inventory.room().to_owned(), key: key.to_owned() };
        let options = Enqueue { unique_key: Some(format!("{}/{key}", inventory.room())), ..one_at_a_time() };
        let mut tx = self.inner.db.system().await?;
        enqueue(&mut tx, &self.inner.clock, None, &job, &options).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn note_damage(&self, inventory: &dyn Inventory, key: &str, damage: Damage) -> Result<(), FilesError> {
        inventory.noted(key, Some(damage)).await.map_err(FilesError::Inventory)?;
        // Keys begin with the organisation, where they are of one.
        let org = key.split('/').next().and_then(|org| org.parse::<Uuid>().ok());
        let (room, now) = (inventory.room(), self.inner.clock.now());
        let mut tx = self.inner.db.system().await?;
        let is_new = store::scrub::note_damage(&mut tx, (room, key), org, damage.as_str(), now).await?;
        tx.commit().await?;
        if is_new {
            metrics::object_damaged(room, key, damage);
        }
        Ok(())
    }

    /// Objects are whole: what was known to be damaged of them is so no more.
    pub(crate) async fn found_whole(&self, inventory: &dyn Inventory, keys: &[String]) -> Result<(), FilesError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut tx = self.inner.db.system().await?;
        let now = self.inner.clock.now();
        let repaired = store::scrub::note_repaired(&mut tx, inventory.room(), keys, now).await?;
        tx.commit().await?;
        for key in repaired {
            inventory.noted(&key, None).await.map_err(FilesError::Inventory)?;
        }
        Ok(())
    }

    /// Looks at one object; if it is damaged, brings it back, and looks again. `with`: what has copies, instead of what the settings give.
    pub(crate) async fn repair(
        &self,
        room: &str,
        key: &str,
        with: Option<&dyn Repair>,
    ) -> Result<Repaired, FilesError> {
        let all = self.inventories();
        let Some(inventory) = all.iter().find(|inventory| inventory.room() == room) else {
            return Ok(Repaired::Whole);
        };
        let Some(expected) = one_expected(&**inventory, key).await? else {
            let mut tx = self.inner.db.system().await?;
            store::scrub::forget_damage(&mut tx, (room, key)).await?;
            tx.commit().await?;
            return Ok(Repaired::Whole);
        };
        match self.look(&**inventory, &expected).await? {
            Seen::Unread(error) => return Err(error.into()),
            Seen::Unexpected => return Ok(Repaired::Whole),
            Seen::Whole { .. } => {
                self.settled(&**inventory, key).await?;
                return Ok(Repaired::Whole);
            }
            Seen::Damaged(damage) => self.note_damage(&**inventory, key, damage).await?,
        }
        let tried = match with.or(self.inner.repair.get().map(|repair| -> &dyn Repair { &**repair })) {
            None => "no backup can be read: its key is not on this host".to_owned(),
            Some(repair) => match repair.repair(inventory.room(), &expected).await {
                Ok(true) => match self.look(&**inventory, &expected).await? {
                    Seen::Whole { .. } => {
                        self.settled(&**inventory, key).await?;
                        self.count_repaired().await?;
                        metrics::repaired(room, key);
                        return Ok(Repaired::Repaired);
                    }
                    _ => "the bytes from the backup are damaged again after they were written".to_owned(),
                },
                Ok(false) => "no backup has this object".to_owned(),
                Err(error) => chain(&error),
            },
        };
        let mut tx = self.inner.db.system().await?;
        store::scrub::note_attempt(&mut tx, (room, key), &tried, self.inner.clock.now()).await?;
        tx.commit().await?;
        metrics::not_repaired(room, key, &tried);
        Ok(Repaired::Damaged)
    }

    /// The room is told that an object is whole, whether or not anybody knew that it was damaged.
    async fn settled(&self, inventory: &dyn Inventory, key: &str) -> Result<(), FilesError> {
        self.found_whole(inventory, &[key.to_owned()]).await?;
        inventory.noted(key, None).await.map_err(FilesError::Inventory)
    }

    async fn count_repaired(&self) -> Result<(), FilesError> {
        let mut tx = self.inner.db.system().await?;
        store::scrub::count_repaired(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tries to repair all that is damaged; returns how many objects were brought back, and how many are damaged still.
    pub async fn repair_all(&self, with: Option<&dyn Repair>) -> Result<(u64, u64), FilesError> {
        let (mut repaired, mut left) = (0, 0);
        for damaged in self.damage().await? {
            match self.repair(&damaged.room, &damaged.object, with).await? {
                Repaired::Damaged => left += 1,
                Repaired::Whole | Repaired::Repaired => repaired += 1,
            }
        }
        Ok((repaired, left))
    }

    /// Has a blob looked at that a reader found damaged.
    pub(crate) async fn look_at(&self, org: OrgId, blob: BlobId) -> Result<(), FilesError> {
        let key = place(org, blob);
        let mut tx = self.inner.db.tenant(org).await?;
        let options = Enqueue { unique_key: Some(key.clone()), ..one_at_a_time() };
        let job = RepairOne { room: FOLDER.to_owned(), key };
        enqueue(&mut tx, &self.inner.clock, Some(org), &job, &options).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Repairs read backups, which one does at a time.
pub(crate) fn one_at_a_time() -> Enqueue {
    Enqueue { concurrency_key: Some(RepairOne::KIND.to_owned()), ..Enqueue::default() }
}

/// What a room expects in one place.
async fn one_expected(inventory: &dyn Inventory, key: &str) -> Result<Option<Expected>, FilesError> {
    let mut before = key.to_owned();
    before.pop();
    let page = inventory.expected(&before, SIBLINGS).await.map_err(FilesError::Inventory)?;
    Ok(page.into_iter().find(|expected| expected.key == key))
}
