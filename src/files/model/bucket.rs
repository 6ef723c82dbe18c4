//! Buckets.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{BucketId, LifecycleRule};
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
    /// Told of changes; null: nobody.
    pub purge_url: Option<String>,
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

/// What is to be changed of a bucket; `None`, or left out: stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null is not the same as left out")]
pub struct BucketChange {
    pub public: Option<bool>,
    /// `off` only where it is so; what has versions can be `suspended`.
    pub versioning: Option<Versioning>,
    /// `true` only: it cannot be turned off again. Needs `versioning` `on`.
    pub object_lock: Option<bool>,
    /// Lock of new versions that name none; null: none.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<DefaultLock>)]
    pub lock: Option<Option<DefaultLock>>,
    pub trash_days: Option<i32>,
    /// null: the setting of the installation.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    pub max_object_bytes: Option<Option<i64>>,
    /// null: none.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    pub quota_bytes: Option<Option<i64>>,
    pub allowed_types: Option<Vec<String>>,
    pub cache_control: Option<String>,
    pub image_options: Option<ImageRights>,
    /// Options by name.
    pub image_presets: Option<Value>,
    pub scan: Option<ScanMode>,
    /// As the S3 API keeps it.
    pub cors: Option<Value>,
    pub lifecycle: Option<Vec<LifecycleRule>>,
    pub tags: Option<BTreeMap<String, String>>,
    /// null: nobody is told.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub purge_url: Option<Option<String>>,
}

/// For a field that may be left out, or be null: `Some(None)` is null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// How new versions are locked that do not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultLock {
    pub mode: LockMode,
    /// 1 to 36500.
    pub days: i32,
}

/// A bucket that was deleted while its trash had content.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrashedBucket {
    pub id: BucketId,
    /// Another may have this name by now.
    pub name: String,
    pub trashed_at: DateTime<Utc>,
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

/// What an organisation stores, and may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrgUsage {
    pub used: BucketUsage,
    /// Of all that is stored, with versions and trash; null: no limit.
    pub most_bytes: Option<i64>,
    /// Of current objects; null: no limit.
    pub most_objects: Option<i64>,
}
