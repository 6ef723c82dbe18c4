//! What happens to files, in the log. The metrics of the same events are counted where they are seen as a whole.

use crate::{FilesError, Object};
use platform::error::chain;

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
