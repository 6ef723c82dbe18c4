//! Which objects this room expects in the store: the originals of documents.

use std::collections::HashSet;

use async_trait::async_trait;
use uuid::Uuid;

use super::{DocumentId, Knowledge, KnowledgeBaseId, KnowledgeError, OBJECTS, model::original_key, store};
use platform::ids::OrgId;
use storage::{Damage, Expected, Inventory, InventoryError};

/// Bases that are looked up at a time.
const BASES: i64 = 100;

/// Organisation, base and document of a key, or of the beginning of one.
fn parse(key: &str) -> Option<(Uuid, Uuid, Uuid)> {
    let mut parts = key.split('/');
    let org = parts.next()?.parse().ok()?;
    let base = parts.nth(1)?.parse().ok()?;
    let document = parts.nth(1)?.parse().ok()?;
    Some((org, base, document))
}

/// Behind which document a page begins: those come whose key is above `after`.
fn behind(after: &str) -> (Uuid, Uuid, Uuid) {
    let Some((org, base, document)) = parse(after) else { return (Uuid::nil(), Uuid::nil(), Uuid::nil()) };
    let is_before = after < original_key(OrgId(org), KnowledgeBaseId(base), DocumentId(document)).as_str();
    // The document itself comes, too.
    let document = if is_before { Uuid::from_u128(document.as_u128().saturating_sub(1)) } else { document };
    (org, base, document)
}

impl Knowledge {
    async fn expected_originals(&self, after: &str, most: usize) -> Result<Vec<Expected>, KnowledgeError> {
        let (org, base, document) = behind(after);
        let mut found = Vec::new();
        let mut tx = self.inner.db.system().await?;
        let mut from = (org, base);
        while found.len() < most {
            let bases = store::system::bases_from(&mut tx, from, BASES).await?;
            for (of_org, of_base) in &bases {
                let after = if (of_org.0, of_base.0) == (org, base) { document } else { Uuid::nil() };
                let left = i64::try_from(most - found.len()).unwrap_or(i64::MAX);
                let originals = store::system::originals(&mut tx, (*of_org, *of_base), after, left).await?;
                found.extend(originals.into_iter().map(|original| Expected {
                    key: original_key(*of_org, *of_base, original.id),
                    size: u64::try_from(original.size).unwrap_or_default(),
                    sha256: original.sha256.try_into().ok(),
                }));
                if found.len() >= most {
                    break;
                }
            }
            match bases.last() {
                // Behind the last one.
                Some((of_org, of_base)) if bases.len() == usize::try_from(BASES).unwrap_or_default() => {
                    from = (of_org.0, Uuid::from_u128(of_base.0.as_u128().saturating_add(1)));
                }
                _ => break,
            }
        }
        drop(tx);
        Ok(found.into_iter().filter(|expected| expected.key.as_str() > after).collect())
    }

    async fn known_originals(&self, keys: &[String]) -> Result<HashSet<String>, KnowledgeError> {
        let ids: Vec<Uuid> = keys.iter().filter_map(|key| parse(key)).map(|(_, _, document)| document).collect();
        let mut tx = self.inner.db.system().await?;
        let existing: HashSet<Uuid> = store::system::existing_documents(&mut tx, &ids).await?.into_iter().collect();
        drop(tx);
        let is_known = |key: &&String| parse(key).is_some_and(|(_, _, document)| existing.contains(&document));
        Ok(keys.iter().filter(is_known).cloned().collect())
    }
}

#[async_trait]
impl Inventory for Knowledge {
    fn room(&self) -> &'static str {
        OBJECTS
    }

    async fn expected(&self, after: &str, most: usize) -> Result<Vec<Expected>, InventoryError> {
        self.expected_originals(after, most).await.map_err(InventoryError::room)
    }

    async fn known(&self, keys: &[String]) -> Result<HashSet<String>, InventoryError> {
        self.known_originals(keys).await.map_err(InventoryError::room)
    }

    /// Passages and vectors were made of the original before: they stay, and searches go on.
    async fn noted(&self, _key: &str, _damage: Option<Damage>) -> Result<(), InventoryError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_behind_a_key_or_a_part_of_one() {
        let id = |n: u128| Uuid::from_u128(n);
        let key = original_key(OrgId(id(1)), KnowledgeBaseId(id(2)), DocumentId(id(3)));
        assert_eq!(behind(&key), (id(1), id(2), id(3)));
        assert_eq!(behind(&key[..key.len() - 1]), (id(1), id(2), id(2)), "the document itself comes");
        assert_eq!(behind(""), (id(0), id(0), id(0)));
    }
}
