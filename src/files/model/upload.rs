//! Unfinished objects and their parts.

use chrono::{DateTime, Utc};
use storage::{DigestKind, DigestSet};

use super::{BucketId, Conditions, Headers, Lock, Metadata, Tags, UploadId, VersionId};
use crate::{Claims, Key};
use platform::{ids::OrgId, text_enum};

text_enum! {
    /// By which protocol an upload was begun.
    pub enum UploadKind {
        S3 = "s3",
        Tus = "tus",
        /// To be joined with others.
        TusPartial = "tus_partial",
    }
}

/// An upload.
#[derive(Clone, Debug)]
pub struct Upload {
    pub id: UploadId,
    pub org: OrgId,
    pub bucket: BucketId,
    pub key: Key,
    pub kind: UploadKind,
    /// Bytes; `None`: not known yet.
    pub length: Option<u64>,
    pub received: u64,
    /// Whether an object that is there may be replaced.
    pub replace: bool,
    pub content_type: String,
    pub headers: Headers,
    pub metadata: Metadata,
    pub tags: Tags,
    pub lock: Option<Lock>,
    pub legal_hold: bool,
    /// Computed of each part, and of the whole object when it is complete.
    pub checksum: Option<DigestKind>,
    /// The checksum is of all bytes; otherwise it is one of the parts' checksums.
    pub full_checksum: bool,
    pub claims: Option<Claims>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When it was completed or given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it became.
    pub object: Option<VersionId>,
}

/// An upload to begin.
#[derive(Clone, Debug)]
pub struct NewUpload {
    pub kind: UploadKind,
    pub length: Option<u64>,
    /// Whether an object that is there may be replaced.
    pub replace: bool,
    pub content_type: Option<String>,
    pub headers: Headers,
    pub metadata: Metadata,
    pub tags: Tags,
    pub lock: Option<Lock>,
    pub legal_hold: bool,
    pub checksum: Option<DigestKind>,
    /// The checksum is to be of all bytes; otherwise it is one of the parts' checksums. CRCs only.
    pub full_checksum: bool,
    /// Judged when it begins, and never again: [`crate::Files::complete`] has its own.
    pub when: Conditions,
    pub claims: Option<Claims>,
}

impl NewUpload {
    /// One of unknown length and without any description, that replaces what is there.
    pub fn of(kind: UploadKind) -> Self {
        Self {
            kind,
            length: None,
            replace: true,
            content_type: None,
            headers: Headers::default(),
            metadata: Metadata::new(),
            tags: Tags::new(),
            lock: None,
            legal_hold: false,
            checksum: None,
            full_checksum: false,
            when: Conditions::default(),
            claims: None,
        }
    }
}

/// What a client says of a part.
#[derive(Clone, Debug, Default)]
pub struct PartWant {
    pub length: Option<u64>,
    pub expect: super::Expect,
    /// Computed besides those of `expect`, and stored with the part: hashes that come behind the content.
    pub digests: DigestSet,
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub struct UploadPart {
    pub number: i32,
    pub size: u64,
    pub etag: String,
    pub checksums: super::Checksums,
    pub created_at: DateTime<Utc>,
}

/// Which uploads to list.
#[derive(Clone, Debug, Default)]
pub struct ListUploads {
    pub prefix: String,
    /// Behind this key and upload.
    pub after: Option<(String, UploadId)>,
    pub most: i64,
}
