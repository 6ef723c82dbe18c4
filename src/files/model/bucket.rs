//! Buckets.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::BucketId;
use platform::{ids::OrgId, text_enum};

text_enum! {
    /// Whether a bucket keeps what is overwritten or deleted as versions.
    #[derive(Default)]
    pub enum Versioning {
        #[default]
        Off = "off",
        On = "on",
        Suspended = "suspended",
    }
}

text_enum! {
    /// How strictly a version is locked.
    pub enum LockMode {
        /// Admins may end it.
        Governance = "governance",
        /// Nobody may end it.
        Compliance = "compliance",
    }
}

text_enum! {
    /// Which options of images those may choose who read without signing in.
    #[derive(Default)]
    pub enum ImageRights {
        /// Those that the bucket names.
        #[default]
        Presets = "presets",
        /// Those that are signed, too.
        Signed = "signed",
        Any = "any",
        Off = "off",
    }
}

text_enum! {
    /// When objects are scanned for viruses, where there is a scanner.
    #[derive(Default)]
    pub enum ScanMode {
        /// As the installation is set.
        #[default]
        Default = "default",
        Off = "off",
        /// They can be read before the scan.
        After = "after",
        /// They cannot.
        Before = "before",
    }
}

/// A bucket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bucket {
    pub id: BucketId,
    #[serde(skip)]
    pub org: OrgId,
    #[schema(example = "team-files")]
    pub name: String,
    /// Anybody may read an object whose key they know.
    pub public: bool,
    pub versioning: Versioning,
    /// Versions may be locked; cannot be turned off again.
    pub object_lock: bool,
    /// Lock of new versions that name none.
    pub lock_mode: Option<LockMode>,
    pub lock_days: Option<i32>,
    /// How long what was deleted can be brought back.
    pub trash_days: i32,
    /// null: the setting of the installation.
    pub max_object_bytes: Option<i64>,
    pub quota_bytes: Option<i64>,
    /// Media types as they are found in the content, `image/*` too; empty: any.
    pub allowed_types: Vec<String>,
    /// `Cache-Control` of objects that have none; empty: `no-cache`, or a minute for public ones.
    pub cache_control: String,
    pub image_options: ImageRights,
    #[serde(skip)]
    pub image_presets: Value,
    pub scan: ScanMode,
    #[serde(skip)]
    pub cors: Value,
    #[serde(skip)]
    pub lifecycle: Value,
    pub tags: BTreeMap<String, String>,
    /// Counts changes: the bucket's `ETag`.
    pub revision: i64,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A bucket to make.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBucket {
    /// 3 to 63 lower-case letters, digits, dots and hyphens; a letter or digit at both ends.
    #[schema(example = "team-files", min_length = 3, max_length = 63)]
    pub name: String,
    #[serde(default)]
    pub public: bool,
    #[serde(default)]
    pub versioning: Versioning,
    /// Needs `versioning` `on`.
    #[serde(default)]
    pub object_lock: bool,
    /// Absent: the setting of the installation.
    #[serde(default)]
    pub trash_days: Option<i32>,
}

/// Lock of new versions that name none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultLock {
    None,
    Days(LockMode, i32),
}

/// What is to be changed of a bucket; `None`: stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BucketChange {
    pub public: Option<bool>,
    pub versioning: Option<Versioning>,
    pub trash_days: Option<i32>,
    pub max_object_bytes: Option<i64>,
    pub quota_bytes: Option<i64>,
    pub allowed_types: Option<Vec<String>>,
    pub cache_control: Option<String>,
    pub image_options: Option<ImageRights>,
    pub scan: Option<ScanMode>,
    pub tags: Option<BTreeMap<String, String>>,
    /// Whole list of CORS rules; it has a route of its own, as the next one.
    #[serde(skip)]
    pub cors: Option<Value>,
    /// Whole list of lifecycle rules.
    #[serde(skip)]
    pub lifecycle: Option<Value>,
    /// `Some(true)`: versions can be locked from now on; needs versions, and cannot be turned off again.
    #[serde(skip)]
    pub object_lock: Option<bool>,
    #[serde(skip)]
    pub default_lock: Option<DefaultLock>,
}

/// What a bucket has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct BucketUsage {
    /// Current ones.
    pub objects: i64,
    pub bytes: i64,
    /// Others, delete markers too.
    pub versions: i64,
    pub version_bytes: i64,
    pub trashed: i64,
    pub trashed_bytes: i64,
}

impl BucketUsage {
    /// What counts for quotas: all that is stored, also what can still be brought back.
    pub fn stored_bytes(&self) -> i64 {
        self.bytes + self.version_bytes + self.trashed_bytes
    }
}
