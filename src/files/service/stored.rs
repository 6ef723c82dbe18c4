//! What an organisation has stored, and how the store is: for pages, the command line and the first page.

use super::{Files, permit};
use crate::{
    Bucket, BucketUsage, Caller, FilesError, Object, QuarantinedObject, StoredInBucket, Verb, access::may_make, store,
};
use platform::http::Slice;

/// Buckets that a page of usage shows.
const LARGEST: i64 = 100;
/// Objects in quarantine that are shown.
const SHOWN: i64 = 100;

/// What an organisation has stored, and what it may.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Those in the trash too.
    pub buckets: i64,
    pub usage: BucketUsage,
    /// Objects of other rooms too.
    pub damaged: i64,
    /// Quotas; `None`: no limit.
    pub most_bytes: Option<i64>,
    pub most_objects: Option<i64>,
}

impl Stored {
    /// How much of the quota is used, the fuller of both; `None` without one.
    pub fn percent(&self) -> Option<i64> {
        let percent = |used: i64, most: Option<i64>| {
            most.filter(|most| *most > 0).map(|most| i64::try_from(i128::from(used) * 100 / i128::from(most)))
        };
        let parts =
            [percent(self.usage.stored_bytes(), self.most_bytes), percent(self.usage.objects, self.most_objects)];
        parts.into_iter().flatten().map(|percent| percent.unwrap_or(i64::MAX)).max()
    }
}

impl Files {
    pub async fn stored(&self, who: &Caller) -> Result<Stored, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let limits = self.limits();
        let (bytes, objects) = store::usage::quota(&mut tx, who.org).await?;
        let stored = Stored {
            buckets: store::buckets::count(&mut tx, who.org).await?,
            usage: store::usage::of_org(&mut tx, who.org).await?,
            damaged: store::shown::count_damage(&mut tx, who.org).await?,
            most_bytes: bytes.or(limits.bytes),
            most_objects: objects.or(limits.objects),
        };
        drop(tx);
        Ok(stored)
    }

    /// The buckets that have most.
    pub async fn largest_buckets(&self, who: &Caller) -> Result<Vec<StoredInBucket>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::shown::largest(&mut tx, who.org, LARGEST).await?;
        drop(tx);
        Ok(found)
    }

    /// Current objects below a prefix whose key has this text, those first that were written last.
    pub async fn search(
        &self,
        who: &Caller,
        bucket: &Bucket,
        under: &str,
        text: &str,
        slice: &Slice,
    ) -> Result<Vec<Object>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::List, under).await?;
        let ids = store::shown::search(&mut tx, bucket.id, under, text, slice).await?;
        let mut found = store::objects::by_ids(&mut tx, &ids).await?;
        drop(tx);
        found.sort_unstable_by_key(|object| std::cmp::Reverse(object.id.0));
        Ok(found)
    }

    /// Objects in which the virus scanner found something. For administrators.
    pub async fn quarantine(&self, who: &Caller) -> Result<Vec<QuarantinedObject>, FilesError> {
        may_make(who)?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::shown::quarantined(&mut tx, who.org, SHOWN).await?;
        drop(tx);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuller_quota_counts() {
        let usage = BucketUsage { objects: 9, bytes: 30, trashed_bytes: 20, ..BucketUsage::default() };
        let stored = Stored { buckets: 1, usage, damaged: 0, most_bytes: None, most_objects: None };
        assert_eq!(stored.percent(), None);
        assert_eq!(Stored { most_bytes: Some(100), ..stored }.percent(), Some(50), "the trash counts");
        assert_eq!(Stored { most_bytes: Some(100), most_objects: Some(10), ..stored }.percent(), Some(90));
        assert_eq!(Stored { most_bytes: Some(0), ..stored }.percent(), None);
    }
}
