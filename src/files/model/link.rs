//! Links that people share.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{BucketId, FileLinkId, VersionId};

/// A link to an object, or to all objects of a folder.
#[derive(Clone, Debug)]
pub struct FileLink {
    pub id: FileLinkId,
    pub bucket: BucketId,
    pub key: String,
    pub folder: bool,
    /// `None`: what is current when it is asked for.
    pub version: Option<VersionId>,
    pub has_password: bool,
    pub expires_at: Option<DateTime<Utc>>,
    pub most: Option<i32>,
    pub used: i32,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// A link to make.
#[derive(Clone, Debug)]
pub struct NewFileLink {
    pub bucket: BucketId,
    pub key: String,
    pub folder: bool,
    pub version: Option<VersionId>,
    pub password: Option<SecretString>,
    pub expires_at: Option<DateTime<Utc>>,
    pub most: Option<i32>,
}
