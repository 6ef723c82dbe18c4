//! Quotas: bytes with versions and trash, and current objects.

use super::Files;
use crate::{Bucket, FilesError, store};
use platform::db::Tx;

impl Files {
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
        let config = &self.inner.config;
        let (own_bytes, own_objects) = store::usage::quota(tx, bucket.org).await?;
        let limit_of = |own: Option<i64>, default: i64| own.or((default > 0).then_some(default));
        let (bytes, objects) = (limit_of(own_bytes, config.org_bytes), limit_of(own_objects, config.org_objects));
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
