//! Lists of objects.

use std::collections::HashMap;

use super::{Files, permit};
use crate::{Bucket, Caller, FilesError, ListEntry, ListObjects, Listed, Verb, after, store};

impl Files {
    /// A page of current objects in the order of keys; what has the delimiter behind the prefix is one entry.
    pub async fn list(&self, who: &Caller, bucket: &Bucket, query: &ListObjects) -> Result<Listed, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::List, &query.prefix).await?;
        let found = store::objects::list(&mut tx, bucket.id, query).await?;
        let ids: Vec<_> = found.iter().filter_map(|(id, _)| *id).collect();
        let objects = store::objects::by_ids(&mut tx, &ids).await?;
        drop(tx);
        let mut objects: HashMap<_, _> = objects.into_iter().map(|object| (object.id.0, object)).collect();
        let entry = |(id, key): (Option<uuid::Uuid>, String)| match id {
            None => {
                let next = after(&key).unwrap_or_default();
                Some((ListEntry::Prefix(key), next))
            }
            // One that was deleted between the two statements is left out.
            Some(id) => objects.remove(&id).map(|object| (ListEntry::Object(Box::new(object)), format!("{key}\u{1}"))),
        };
        Ok(Listed { entries: found.into_iter().filter_map(entry).collect() })
    }
}
