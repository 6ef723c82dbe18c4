//! What happens to files, in the log. The metrics of the same events are counted where they are seen as a whole.

use crate::{BlobId, FilesError, LifecycleRun, Object, Scrub};
use platform::error::chain;
use storage::{Damage, StorageError};

/// An object was committed.
pub(crate) fn written(object: &Object) {
    tracing::debug!(bucket = %object.bucket, version = %object.id, bytes = object.size, "files.object_written");
}

/// An object was deleted, into the trash or for good.
pub(crate) fn deleted(object: &Object) {
    tracing::debug!(bucket = %object.bucket, version = %object.id, bytes = object.size, "files.object_deleted");
}

/// The bytes of an object are not what was written.
pub(crate) fn damaged(object: &Object) {
    tracing::error!(bucket = %object.bucket, version = %object.id, bytes = object.size, "files.damaged");
}

/// Stored bytes that no row names could not be deleted now: the sweep finds them.
pub(crate) fn left_to_the_sweep(error: &FilesError) {
    tracing::info!(error = chain(error), "files.orphan_left");
}

/// Bytes that came again could not be written over damaged ones: the scrub tries to repair them otherwise.
pub(crate) fn not_mended(blob: BlobId, error: &FilesError) {
    tracing::warn!(%blob, error = chain(error), "files.not_mended");
}

/// A blob that seems damaged could not be given to the job that looks at it: the scrub finds it.
pub(crate) fn not_looked_at(blob: BlobId, error: &FilesError) {
    tracing::warn!(%blob, error = chain(error), "files.not_looked_at");
}

/// An object of any room was found to be damaged, and that was not known.
pub(crate) fn object_damaged(room: &str, key: &str, damage: Damage) {
    tracing::error!(room, key, kind = damage.as_str(), "files.object_damaged");
}

/// It was brought back.
pub(crate) fn repaired(room: &str, key: &str) {
    tracing::warn!(room, key, "files.object_repaired");
}

/// It could not be brought back.
pub(crate) fn not_repaired(room: &str, key: &str, why: &str) {
    tracing::error!(room, key, why, "files.object_not_repaired");
}

/// The store failed while an object was scrubbed: it says nothing about the object.
pub(crate) fn unread(room: &str, key: &str, error: &StorageError) {
    tracing::warn!(room, key, error = chain(error), "files.object_unread");
}

/// A scrub has come to its end.
pub(crate) fn scrubbed(scrub: &Scrub) {
    let Scrub { objects, bytes, damaged, unread, .. } = *scrub;
    tracing::info!(objects, bytes, damaged, unread, "files.scrubbed");
}

/// A file that no row names was deleted.
pub(crate) fn orphan_deleted(key: &str) {
    tracing::info!(key, "files.orphan_deleted");
}

/// The database is older than the store: it was brought back from a backup. Sweeps delete nothing for a week.
pub(crate) fn rewound() {
    tracing::warn!("files.database_rewound");
}

/// The rules of a bucket were carried out.
pub(crate) fn lifecycle_ran(bucket: crate::BucketId, run: &LifecycleRun) {
    let LifecycleRun { expired, moved, aborted, problem, .. } = run;
    tracing::info!(%bucket, expired, moved, aborted, problem, "files.lifecycle_ran");
}
