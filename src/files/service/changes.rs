//! What others are told of changes, in the transaction that makes them: events for programs, and caches in front of a bucket.

use super::Files;
use crate::{
    Bucket, FilesError, Key, Object, VersionId,
    events::{ObjectCreated, ObjectDeleted, ObjectRestored},
};
use platform::db::Tx;

impl Files {
    /// An object was written, copied or put together. `replaced`: its key had one before.
    pub(super) async fn tell_created(
        &self,
        tx: &mut Tx,
        bucket: &Bucket,
        object: &Object,
        replaced: bool,
    ) -> Result<(), FilesError> {
        let event = ObjectCreated { bucket_id: bucket.id, version_id: object.id, size: object.size, replaced };
        events::publish(tx, &self.inner.clock, Some(bucket.org), &event).await?;
        self.tell_of_change(tx, bucket, Some(object.key.as_str())).await
    }

    /// An object was deleted. `id`: of what is gone or in the trash, or of the marker.
    pub(super) async fn tell_deleted(
        &self,
        tx: &mut Tx,
        bucket: &Bucket,
        key: &Key,
        id: VersionId,
    ) -> Result<(), FilesError> {
        let event = ObjectDeleted { bucket_id: bucket.id, version_id: id };
        events::publish(tx, &self.inner.clock, Some(bucket.org), &event).await?;
        self.tell_of_change(tx, bucket, Some(key.as_str())).await
    }

    /// A version is current again.
    pub(super) async fn tell_restored(&self, tx: &mut Tx, bucket: &Bucket, object: &Object) -> Result<(), FilesError> {
        let event = ObjectRestored { bucket_id: bucket.id, version_id: object.id };
        events::publish(tx, &self.inner.clock, Some(bucket.org), &event).await?;
        self.tell_of_change(tx, bucket, Some(object.key.as_str())).await
    }
}
