//! Rules that delete or move objects by their age.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BucketId;

/// A rule. Days count from when an object was written, and end at the next midnight (UTC). What it does not know is refused, not passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LifecycleRule {
    /// Unique in the bucket, 1 to 255 characters.
    pub id: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Only objects whose key begins so.
    #[serde(default)]
    pub prefix: String,
    /// Only objects that have all of these tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Only objects of more bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub larger_than: Option<i64>,
    /// Only objects of fewer bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smaller_than: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire: Option<Expire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent: Option<Noncurrent>,
    /// Gives up uploads that were begun so many days ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_uploads_days: Option<i32>,
    #[serde(default, rename = "move", skip_serializing_if = "Option::is_none")]
    pub move_to: Option<MoveTo>,
}

fn yes() -> bool {
    true
}

/// When current objects are deleted, as a person would: into the trash, or behind a marker where the bucket has versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expire {
    /// After so many days.
    Days(i32),
    /// All that were written before, from this day on.
    Date(NaiveDate),
    /// Delete markers under which no version is left.
    Markers(bool),
}

/// When versions are deleted that others took the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Noncurrent {
    /// After so many days.
    pub days: i32,
    /// So many of the newest stay, however old they are.
    #[serde(default)]
    pub keep: i32,
}

/// Where current objects go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveTo {
    /// After so many days.
    pub days: i32,
    /// A bucket of the same organisation, where each keeps its key.
    pub bucket: BucketId,
}

/// What the rules of a bucket did when they were last carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LifecycleRun {
    pub ran_at: DateTime<Utc>,
    /// Objects and versions that were deleted, and delete markers.
    pub expired: i64,
    pub moved: i64,
    /// Uploads that were given up.
    pub aborted: i64,
    /// Why it did not do all of it; empty: it did.
    pub problem: String,
}
