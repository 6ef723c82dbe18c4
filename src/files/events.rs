//! The events of files. They name things by id: a key is a user's text.

use serde::Serialize;
use utoipa::ToSchema;

use super::{BucketId, VersionId};
use events::{Event, EventType};

pub const EVENTS: &[EventType] = &[
    EventType::of::<BucketCreated>(),
    EventType::of::<BucketDeleted>(),
    EventType::of::<ObjectCreated>(),
    EventType::of::<ObjectDeleted>(),
    EventType::of::<ObjectRestored>(),
    EventType::of::<ObjectQuarantined>(),
];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventFilesBucketCreated)]
pub struct BucketCreated {
    pub bucket_id: BucketId,
}

impl Event for BucketCreated {
    const TOPIC: &'static str = "files.bucket.created";
    const ABOUT: &'static str = "A bucket was made, or put back out of the trash.";
    fn key(&self) -> String {
        self.bucket_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventFilesBucketDeleted)]
pub struct BucketDeleted {
    pub bucket_id: BucketId,
}

impl Event for BucketDeleted {
    const TOPIC: &'static str = "files.bucket.deleted";
    const ABOUT: &'static str = "A bucket was deleted; what is left in it is in the trash.";
    fn key(&self) -> String {
        self.bucket_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventFilesObjectCreated)]
pub struct ObjectCreated {
    pub bucket_id: BucketId,
    pub version_id: VersionId,
    /// Bytes.
    pub size: u64,
    /// Whether the key had an object before.
    pub replaced: bool,
}

impl Event for ObjectCreated {
    const TOPIC: &'static str = "files.object.created";
    const ABOUT: &'static str = "An object was written, copied or put together from its parts.";
    fn key(&self) -> String {
        self.version_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventFilesObjectDeleted)]
pub struct ObjectDeleted {
    pub bucket_id: BucketId,
    /// What is in the trash or gone, or the delete marker.
    pub version_id: VersionId,
}

impl Event for ObjectDeleted {
    const TOPIC: &'static str = "files.object.deleted";
    const ABOUT: &'static str = "An object was deleted, by a person, a program or a lifecycle rule.";
    fn key(&self) -> String {
        self.version_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventFilesObjectRestored)]
pub struct ObjectRestored {
    pub bucket_id: BucketId,
    pub version_id: VersionId,
}

impl Event for ObjectRestored {
    const TOPIC: &'static str = "files.object.restored";
    const ABOUT: &'static str = "An object was put back out of the trash, or a former version became current again.";
    fn key(&self) -> String {
        self.version_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventFilesObjectQuarantined)]
pub struct ObjectQuarantined {
    pub bucket_id: BucketId,
    pub version_id: VersionId,
    /// The scanner's name for what it found.
    pub found: String,
}

impl Event for ObjectQuarantined {
    const TOPIC: &'static str = "files.object.quarantined";
    const ABOUT: &'static str = "The virus scanner found something in an object: it cannot be read any more.";
    fn key(&self) -> String {
        self.version_id.to_string()
    }
}
