//! Which objects this room expects in the store: its blobs.

use std::collections::HashSet;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{BlobId, Files, FilesError, blobs::place, store};
use platform::ids::OrgId;
use storage::{Damage, Expected, Inventory, InventoryError};

/// This room's folder.
pub(crate) const FOLDER: &str = "files";

/// Organisation and blob of a place.
pub(crate) fn parse(key: &str) -> Option<(OrgId, BlobId)> {
    let mut parts = key.split('/');
    let (org, _, blob) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?.parse().ok()?);
    let found = (org, blob);
    (parts.next().is_none() && place(org, blob) == key).then_some(found)
}

/// Organisation and blob behind which all places are that come after a text, which may be a part of a place. Places are in the order of these pairs.
fn behind(after: &str) -> (Uuid, Uuid) {
    if let Some((org, blob)) = parse(after) {
        return (org.0, blob.0);
    }
    let mut parts = after.split('/');
    let org = parts.next().unwrap_or_default();
    // The digits of an id begin with those of its folder.
    let rest = parts.next().map(|folder| parts.next().unwrap_or(folder));
    match org.parse::<Uuid>() {
        Ok(org) => (org, Uuid::from_u128(lowest(rest.unwrap_or_default()).saturating_sub(1))),
        Err(_) => (Uuid::from_u128(lowest(org).saturating_sub(1)), Uuid::max()),
    }
}

/// The lowest id that begins with these digits.
fn lowest(begin: &str) -> u128 {
    let digits: String = begin.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    u128::from_str_radix(&format!("{digits:0<32}"), 16).unwrap_or_default()
}

impl Files {
    async fn expected_blobs(&self, after: &str, most: usize) -> Result<Vec<Expected>, FilesError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut tx = self.inner.db.system().await?;
        let found = store::garbage::blobs_after(&mut tx, behind(after), most).await?;
        drop(tx);
        let expected = |blob: store::garbage::Stored| Expected {
            key: place(blob.org, blob.id),
            size: u64::try_from(blob.size).unwrap_or_default(),
            sha256: blob.sha256.try_into().ok(),
        };
        Ok(found.into_iter().map(expected).filter(|expected| expected.key.as_str() > after).collect())
    }

    async fn known_blobs(&self, keys: &[String]) -> Result<HashSet<String>, FilesError> {
        let ids: Vec<Uuid> = keys.iter().filter_map(|key| parse(key)).map(|(_, blob)| blob.0).collect();
        let mut tx = self.inner.db.system().await?;
        let found = store::garbage::known(&mut tx, &ids).await?;
        drop(tx);
        Ok(found.into_iter().map(|(org, blob)| place(org, blob)).collect())
    }

    async fn note_blob(&self, key: &str, damage: Option<Damage>) -> Result<(), FilesError> {
        let Some((_, blob)) = parse(key) else { return Ok(()) };
        let mut tx = self.inner.db.system().await?;
        store::garbage::set_damaged(&mut tx, blob, damage.map(|_| self.inner.clock.now())).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[async_trait]
impl Inventory for Files {
    fn room(&self) -> &'static str {
        FOLDER
    }

    async fn expected(&self, after: &str, most: usize) -> Result<Vec<Expected>, InventoryError> {
        self.expected_blobs(after, most).await.map_err(InventoryError::room)
    }

    async fn known(&self, keys: &[String]) -> Result<HashSet<String>, InventoryError> {
        self.known_blobs(keys).await.map_err(InventoryError::room)
    }

    async fn noted(&self, key: &str, damage: Option<Damage>) -> Result<(), InventoryError> {
        self.note_blob(key, damage).await.map_err(InventoryError::room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Uuid {
        text.parse().unwrap()
    }

    #[test]
    fn a_page_begins_behind_any_text() {
        let (org, blob) = (id("0192a000-0000-7000-8000-0000000000aa"), id("ab340000-0000-4000-8000-000000000001"));
        let key = place(OrgId(org), BlobId(blob));
        assert_eq!(key, format!("{org}/ab/{blob}"));
        assert_eq!(behind(&key), (org, blob));
        assert_eq!(parse(&format!("{org}/ac/{blob}")), None, "in another folder than its own");
        // A part of a place is before the place.
        for end in 1..key.len() {
            assert!(behind(&key[..end]) < (org, blob), "{}", &key[..end]);
        }
        assert!(behind(&format!("{org}/ac")) > (org, blob));
        assert!(behind("") < (org, blob));
    }
}
