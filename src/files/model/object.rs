//! Objects: what a reader gets for a key, and what a writer says of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use storage::{DigestKind, DigestSet};

use super::{BucketId, LockMode, VersionId};
use crate::{Claims, Key, Piece};
use platform::{ids::OrgId, text_enum};

pub type Metadata = BTreeMap<String, String>;
pub type Tags = BTreeMap<String, String>;

/// Hashes that clients sent and that were compared: `type` (`full` or `composite`), and base64 by the algorithm's name.
pub type Checksums = BTreeMap<String, String>;

/// Headers that are stored with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

text_enum! {
    /// What the virus scanner said.
    #[derive(Default)]
    pub enum ScanState {
        #[default]
        None = "none",
        Pending = "pending",
        Clean = "clean",
        Infected = "infected",
        /// It was not scanned, and why is noted.
        Unscanned = "unscanned",
    }
}

/// A lock of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    pub mode: LockMode,
    pub until: DateTime<Utc>,
}

/// Which version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionRef {
    Id(VersionId),
    /// S3's `null`: written while the bucket had no versions.
    Unversioned,
}

/// A version of an object.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a version, as its row has them")]
pub struct Object {
    pub id: VersionId,
    pub org: OrgId,
    pub bucket: BucketId,
    pub key: Key,
    pub current: bool,
    pub marker: bool,
    pub unversioned: bool,
    pub size: u64,
    pub pieces: Vec<Piece>,
    /// Without quotes.
    pub etag: String,
    /// Of the whole content, where it is known.
    pub sha256: Option<[u8; 32]>,
    pub checksums: Checksums,
    /// Sizes of S3's parts; empty: written in one piece.
    pub parts: Vec<i64>,
    pub content_type: String,
    /// What the content is, whatever was declared; empty: not recognised.
    pub sniffed: String,
    pub headers: Headers,
    pub metadata: Metadata,
    pub tags: Tags,
    pub lock: Option<Lock>,
    pub legal_hold: bool,
    pub scan: ScanState,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

impl Object {
    /// How the API and S3 name the version.
    pub fn version(&self) -> VersionRef {
        if self.unversioned { VersionRef::Unversioned } else { VersionRef::Id(self.id) }
    }
}

/// Etags of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtagList {
    /// `*`
    Any,
    /// Without quotes.
    These(Vec<String>),
}

impl EtagList {
    /// Whether it has this one; `None`: there is no object.
    pub fn has(&self, etag: Option<&str>) -> bool {
        match (self, etag) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::These(list), Some(etag)) => list.iter().any(|one| one == etag),
        }
    }
}

/// Conditions of a write or a delete. (Those of reads are headers: they are judged where a response is made.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    pub if_match: Option<EtagList>,
    pub if_none_match: Option<EtagList>,
}

impl Conditions {
    /// Whether a write over this content is permitted; `None`: the key has none.
    pub fn permit(&self, etag: Option<&str>) -> bool {
        self.if_match.as_ref().is_none_or(|list| list.has(etag))
            && self.if_none_match.as_ref().is_none_or(|list| !list.has(etag))
    }
}

/// Which etag a new object gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EtagKind {
    /// Out of the SHA-256, which is computed anyway.
    #[default]
    Content,
    /// MD5, which S3's clients compare.
    Md5,
}

/// Hashes that the content must have: compared before it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect(pub Vec<(DigestKind, Vec<u8>)>);

/// An object to write.
#[derive(Clone, Debug, Default)]
pub struct NewObject {
    /// Bytes, where the client says so: too many or too few are an error then.
    pub length: Option<u64>,
    pub content_type: Option<String>,
    pub headers: Headers,
    pub metadata: Metadata,
    pub tags: Tags,
    pub lock: Option<Lock>,
    pub legal_hold: bool,
    pub when: Conditions,
    /// Computed besides those of `expect`, and stored with the object: hashes that come behind the content.
    pub digests: DigestSet,
    pub expect: Expect,
    pub etag: EtagKind,
    /// Of the token that permits it: its limits hold.
    pub claims: Option<Claims>,
}

/// An object to write with the content of another.
#[derive(Clone, Debug, Default)]
pub struct CopyObject {
    /// `None`: those of the source.
    pub replace: Option<Box<NewObject>>,
    pub when: Conditions,
}

/// What is to be changed of a version, whose content stays; `None`: stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ObjectChange {
    pub content_type: Option<String>,
    pub headers: Option<Headers>,
    pub metadata: Option<Metadata>,
}

/// An object was written.
#[derive(Clone, Debug)]
pub struct Written {
    pub object: Object,
    /// Whether the key had no current object before.
    pub created: bool,
}

/// What deleting did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The delete marker that was written.
    pub marker: Option<VersionId>,
    /// The version that is gone. Both `None`: there was nothing, which is no error.
    pub version: Option<VersionRef>,
    pub was_marker: bool,
}

/// Which current objects to list.
#[derive(Clone, Debug, Default)]
pub struct ListObjects {
    pub prefix: String,
    /// Empty: none.
    pub delimiter: String,
    /// The first key that may come.
    pub start: String,
    /// Entries of the page.
    pub most: i64,
}

/// An entry of a list.
#[derive(Clone, Debug)]
pub enum ListEntry {
    Object(Box<Object>),
    /// Everything that begins so, up to the delimiter.
    Prefix(String),
}

/// A page of a list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub entries: Vec<ListEntry>,
    /// Where the next page starts; `None`: there is none. Said even where entries of this page were deleted while it was read.
    pub next: Option<String>,
}

/// Which versions to list.
#[derive(Clone, Debug, Default)]
pub struct ListVersions {
    pub prefix: String,
    pub delimiter: String,
    pub start: String,
    /// Behind this version of the key `start`.
    pub behind: Option<VersionRef>,
    pub most: i64,
}

#[derive(Clone, Debug)]
pub enum VersionEntry {
    Version { object: Box<Object>, latest: bool },
    Prefix(String),
}

#[derive(Clone, Debug, Default)]
pub struct ListedVersions {
    pub entries: Vec<VersionEntry>,
    /// Where the next page begins: `start` and `behind` of its query.
    pub next: Option<(String, Option<VersionRef>)>,
}

/// A version in the trash.
#[derive(Clone, Debug)]
pub struct TrashEntry {
    pub object: Object,
    pub trashed_at: DateTime<Utc>,
    pub trashed_by: String,
    /// When the trash lets go of it.
    pub purge_at: DateTime<Utc>,
}
