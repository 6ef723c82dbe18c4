//! Lists of objects.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Files, permit};
use crate::{Bucket, Caller, FilesError, ListEntry, ListObjects, Listed, Operation, Verb, after, store};

impl Files {
    /// A page of current objects in the order of keys; what has the delimiter behind the prefix is one entry.
    pub async fn list(&self, who: &Caller, bucket: &Bucket, query: &ListObjects) -> Result<Listed, FilesError> {
        self.inner.metrics.seen(Operation::List, self.listed(who, bucket, query)).await
    }

    async fn listed(&self, who: &Caller, bucket: &Bucket, query: &ListObjects) -> Result<Listed, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::List, &query.prefix).await?;
        let mut found = store::objects::list(&mut tx, bucket.id, query).await?;
        let limit = usize::try_from(query.most).unwrap_or_default();
        let more = found.len() > limit;
        found.truncate(limit);
        let ids: Vec<_> = found.iter().filter_map(|(id, _)| *id).collect();
        let objects = store::objects::by_ids(&mut tx, &ids).await?;
        drop(tx);
        let next = found.last().filter(|_| more).and_then(|(id, key)| behind(id.is_some(), key));
        let mut objects: HashMap<_, _> = objects.into_iter().map(|object| (object.id.0, object)).collect();
        let entry = |(id, key): (Option<Uuid>, String)| match id {
            None => Some(ListEntry::Prefix(key)),
            // One that was deleted between the two statements is left out.
            Some(id) => objects.remove(&id).map(|object| ListEntry::Object(Box::new(object))),
        };
        Ok(Listed { entries: found.into_iter().filter_map(entry).collect(), next })
    }
}

/// The first key that may come after this entry. No key has U+0000, so after a key comes itself with U+0001.
fn behind(is_object: bool, key: &str) -> Option<String> {
    if is_object { Some(format!("{key}\u{1}")) } else { after(key) }
}
