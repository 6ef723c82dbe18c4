//! Objects as the API shows them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Checksums, FilesError, Headers, Lock, LockMode, Metadata, Object, ScanState, Tags, VersionEntry, VersionRef,
};
use platform::crypto;

/// A version as it is named in the API: its id, or `null` for what was written while the bucket had no versions.
pub(crate) fn version_id(version: VersionRef) -> String {
    match version {
        VersionRef::Id(id) => id.to_string(),
        VersionRef::Unversioned => "null".to_owned(),
    }
}

pub(crate) fn parse_version(text: &str) -> Result<VersionRef, FilesError> {
    match text {
        "null" => Ok(VersionRef::Unversioned),
        id => id.parse().map(VersionRef::Id).map_err(|_| FilesError::VersionNotFound),
    }
}

/// An object.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectInfo {
    pub key: String,
    pub version_id: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// 64 hexadecimal digits; null where it is not known of the whole.
    pub sha256: Option<String>,
    pub content_type: String,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

impl From<Object> for ObjectInfo {
    fn from(object: Object) -> Self {
        Self {
            key: object.key.to_string(),
            version_id: version_id(object.version()),
            size: object.size,
            etag: object.etag,
            sha256: object.sha256.map(|hash| crypto::hex(&hash)),
            content_type: object.content_type,
            created_by: object.created_by,
            created_at: object.created_at,
        }
    }
}

/// All that is known of an object.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectFacts {
    #[serde(flatten)]
    pub object: ObjectInfo,
    /// What the content is, whatever was declared; empty: not recognised.
    pub sniffed: String,
    /// Told again to whoever reads it.
    pub headers: ObjectHeaders,
    pub metadata: Metadata,
    pub tags: Tags,
    /// Hashes that were sent with it and compared, base64.
    pub checksums: Checksums,
    pub lock: Option<ObjectLock>,
    pub legal_hold: bool,
    /// What the virus scanner said.
    pub scan: ScanState,
}

impl From<Object> for ObjectFacts {
    fn from(mut object: Object) -> Self {
        Self {
            sniffed: std::mem::take(&mut object.sniffed),
            headers: std::mem::take(&mut object.headers).into(),
            metadata: std::mem::take(&mut object.metadata),
            tags: std::mem::take(&mut object.tags),
            checksums: std::mem::take(&mut object.checksums),
            lock: object.lock.map(ObjectLock::from),
            legal_hold: object.legal_hold,
            scan: object.scan,
            object: object.into(),
        }
    }
}

/// Headers that are stored with an object.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ObjectHeaders {
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub expires: Option<String>,
}

impl From<Headers> for ObjectHeaders {
    fn from(headers: Headers) -> Self {
        let Headers { cache_control, content_disposition, content_encoding, content_language, expires } = headers;
        Self { cache_control, content_disposition, content_encoding, content_language, expires }
    }
}

impl TryFrom<ObjectHeaders> for Headers {
    type Error = FilesError;

    /// Err for what cannot be sent as a header.
    fn try_from(headers: ObjectHeaders) -> Result<Self, FilesError> {
        let ObjectHeaders { cache_control, content_disposition, content_encoding, content_language, expires } = headers;
        let values = [
            ("cache_control", &cache_control),
            ("content_disposition", &content_disposition),
            ("content_encoding", &content_encoding),
            ("content_language", &content_language),
            ("expires", &expires),
        ];
        for (name, value) in values {
            if value.as_ref().is_some_and(|value| axum::http::HeaderValue::try_from(value).is_err()) {
                let text = "this cannot be sent as a header: it contains a control character";
                return Err(FilesError::invalid(&format!("/headers/{name}"), "invalid", text));
            }
        }
        Ok(Self { cache_control, content_disposition, content_encoding, content_language, expires })
    }
}

/// A lock of a version.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectLock {
    pub mode: LockMode,
    pub until: DateTime<Utc>,
}

impl From<Lock> for ObjectLock {
    fn from(Lock { mode, until }: Lock) -> Self {
        Self { mode, until }
    }
}

impl From<ObjectLock> for Lock {
    fn from(ObjectLock { mode, until }: ObjectLock) -> Self {
        Self { mode, until }
    }
}

/// An entry of a list of versions: a version, a delete marker, or everything below a prefix.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionInfo {
    /// The key, or the prefix.
    pub key: String,
    /// null: this is a prefix.
    pub version: Option<ObjectInfo>,
    /// This version says that the object was deleted.
    pub is_marker: bool,
    /// No later one has taken its place.
    pub is_latest: bool,
}

impl From<VersionEntry> for VersionInfo {
    fn from(entry: VersionEntry) -> Self {
        match entry {
            VersionEntry::Prefix(key) => Self { key, version: None, is_marker: false, is_latest: false },
            VersionEntry::Version { object, latest } => Self {
                key: object.key.to_string(),
                is_marker: object.marker,
                is_latest: latest,
                version: Some((*object).into()),
            },
        }
    }
}
