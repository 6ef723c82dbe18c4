//! Quotas: bytes with versions and trash, and current objects.

use std::collections::HashMap;

use super::Files;
use crate::{Bucket, BucketId, BucketUsage, Caller, FilesError, OrgUsage, store};
use platform::{db::Tx, ids::OrgId};

impl Files {
    /// What an organisation stores, and may.
    pub async fn usage(&self, who: &Caller) -> Result<OrgUsage, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let used = store::usage::of_org(&mut tx, who.org).await?;
        let (most_bytes, most_objects) = self.quota(&mut tx, who.org).await?;
        drop(tx);
        Ok(OrgUsage { used, most_bytes, most_objects })
    }

    /// What buckets have, by their ids; those without anything are left out.
    pub async fn bucket_usages(
        &self,
        who: &Caller,
        buckets: &[BucketId],
    ) -> Result<HashMap<BucketId, BucketUsage>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::usage::of_buckets(&mut tx, buckets).await?;
        drop(tx);
        Ok(found)
    }

    /// Gives an organisation another quota than the settings do; `None`: that of the settings. Whoever calls this has made sure that an operator asks.
    pub async fn set_quota(
        &self,
        org: OrgId,
        bytes: Option<i64>,
        objects: Option<i64>,
        by: &str,
    ) -> Result<(), FilesError> {
        if bytes.is_some_and(i64::is_negative) || objects.is_some_and(i64::is_negative) {
            return Err(FilesError::invalid("/quota", "out_of_range", "0 at least"));
        }
        let mut tx = self.inner.db.tenant(org).await?;
        store::usage::set_quota(&mut tx, org, (bytes, objects), by, self.inner.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Bytes and objects that an organisation may have; `None`: no limit.
    async fn quota(&self, tx: &mut Tx, org: OrgId) -> Result<(Option<i64>, Option<i64>), FilesError> {
        let config = &self.inner.config;
        let (bytes, objects) = store::usage::quota(tx, org).await?;
        let or = |own: Option<i64>, default: i64| own.or((default > 0).then_some(default));
        Ok((or(bytes, config.org_bytes), or(objects, config.org_objects)))
    }

    /// Err if so many more bytes, or one more object, are too much for the bucket or its organisation. Two uploads at once may exceed it by one each.
    pub(super) async fn has_room(
        &self,
        tx: &mut Tx,
        bucket: &Bucket,
        bytes: u64,
        is_new: bool,
    ) -> Result<(), FilesError> {
        let more = i64::try_from(bytes).unwrap_or(i64::MAX);
        if let Some(limit) = bucket.quota_bytes {
            let usage = store::usage::of_bucket(tx, bucket.id).await?;
            if usage.stored_bytes().saturating_add(more) > limit {
                return Err(FilesError::Quota { what: "bytes", limit, trash: usage.trashed_bytes });
            }
        }
        let (bytes, objects) = self.quota(tx, bucket.org).await?;
        if bytes.is_none() && objects.is_none() {
            return Ok(());
        }
        let usage = store::usage::of_org(tx, bucket.org).await?;
        if let Some(limit) = bytes.filter(|limit| usage.stored_bytes().saturating_add(more) > *limit) {
            return Err(FilesError::Quota { what: "bytes", limit, trash: usage.trashed_bytes });
        }
        match objects.filter(|limit| is_new && usage.objects >= *limit) {
            Some(limit) => Err(FilesError::Quota { what: "objects", limit, trash: usage.trashed }),
            None => Ok(()),
        }
    }
}
