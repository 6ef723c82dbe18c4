//! What scrubs and sweeps found.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A scrub: everything stored is read and compared with its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Scrub {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Where it is: a room's folder, and the key that it has come to.
    pub room: String,
    pub after: String,
    pub objects: i64,
    pub bytes: i64,
    pub damaged: i64,
    pub repaired: i64,
    /// Objects that could not be read, because the store failed.
    pub unread: i64,
}

/// An object that is damaged and not repaired yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DamagedObject {
    /// A room's folder, and the key in it.
    pub room: String,
    pub object: String,
    pub org_id: Option<Uuid>,
    /// `missing`, `size` or `content`.
    pub kind: String,
    pub found_at: DateTime<Utc>,
    /// When its repair was tried, and why it did not help.
    pub tried_at: Option<DateTime<Utc>>,
    pub note: String,
}

/// What the last sweeps of a room's folder found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Swept {
    pub room: String,
    /// When the shard was swept that waits longest.
    pub oldest: DateTime<Utc>,
    pub shards: i64,
    pub objects: i64,
    /// Files that no row names and that are older than a day.
    pub orphans: i64,
    pub orphan_bytes: i64,
}
