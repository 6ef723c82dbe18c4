//! What a backup is to those who make, list and look at it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id_type;

id_type!(BackupId, "A backup.");
id_type!(DrillId, "A restore drill.");

/// Declares an enum that is stored and shown as text.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As stored and as shown in the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.as_str() == s).ok_or_else(|| format!(concat!("{:?} is no ", stringify!($name)), s))
            }
        }
    };
}

text_enum! {
    /// Why a backup was made.
    Kind {
        Scheduled = "scheduled",
        Manual = "manual",
        /// Before the database's tables were changed by another version.
        BeforeMigration = "before_migration",
    }
}

text_enum! {
    /// What a backup is worth.
    Status {
        Running = "running",
        /// Every destination it was meant for has a whole copy.
        Verified = "verified",
        /// There is a copy, but something about it must be looked at: a destination failed, or the size is odd.
        Unverified = "unverified",
        /// There is no copy to restore from.
        Failed = "failed",
    }
}

text_enum! {
    /// The state of a backup at one destination.
    CopyStatus {
        /// What was written was read back, and nothing of it has been found wrong since.
        Verified = "verified",
        /// A check found it incomplete or changed.
        Damaged = "damaged",
        /// It was not written.
        Failed = "failed",
        /// Retention removed it.
        Pruned = "pruned",
    }
}

text_enum! {
    /// How a drill ended.
    DrillStatus {
        Running = "running",
        Passed = "passed",
        Failed = "failed",
        /// It could not be tried: the work folder's disk has too little room.
        NoRoom = "no_room",
    }
}

/// A backup in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Backup {
    pub id: BackupId,
    /// Grows by one with each run of this installation.
    pub sequence: i64,
    pub kind: Kind,
    pub status: Status,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// What it is doing, or where it ended.
    pub step: String,
    /// Bytes of the dump before compression.
    pub database_bytes: i64,
    /// Rows of all tables.
    pub rows: i64,
    pub objects: i64,
    /// Files beside database and objects: of the vector store, and of what else takes part.
    pub vector_files: i64,
    /// Bytes that a restore reads, as they lie at a destination.
    pub total_bytes: i64,
    /// Bytes that this run added to each destination.
    pub added_bytes: i64,
    /// Retention leaves it alone.
    pub held: bool,
    /// Why it is not verified.
    pub error: Option<String>,
    pub copies: Vec<Copy>,
}

impl Backup {
    /// Whether it is dated ahead of the clock: one of the two is wrong, and how old it is nobody can tell.
    pub fn is_ahead(&self, now: DateTime<Utc>) -> bool {
        self.started_at > now + TimeDelta::hours(1)
    }

    /// Whether it lies whole at a destination.
    pub fn is_whole_at(&self, destination: &str) -> bool {
        self.copies.iter().any(|copy| copy.destination == destination && copy.status == CopyStatus::Verified)
    }

    /// One of which nothing is known yet but that it was begun.
    pub fn begun(id: BackupId, sequence: i64, kind: Kind, started_at: DateTime<Utc>) -> Self {
        Self {
            id,
            sequence,
            kind,
            status: Status::Running,
            started_at,
            finished_at: None,
            step: String::new(),
            database_bytes: 0,
            rows: 0,
            objects: 0,
            vector_files: 0,
            total_bytes: 0,
            added_bytes: 0,
            held: false,
            error: None,
            copies: Vec::new(),
        }
    }
}

/// A backup at one destination.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Copy {
    pub destination: String,
    pub status: CopyStatus,
    /// When every byte of it was last read and found right; null while it stands on files of earlier backups that were not read again.
    pub verified_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// A restore that was tried.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Drill {
    pub id: DrillId,
    pub backup_id: BackupId,
    pub destination: String,
    pub status: DrillStatus,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// From the first byte read to the last check.
    pub seconds: Option<f64>,
    /// What was compared, and how many of it.
    pub report: DrillReport,
    pub error: Option<String>,
}

/// What a drill compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DrillReport {
    pub tables: u64,
    pub rows: u64,
    pub constraints: u64,
    pub policies: u64,
    /// Objects that were opened and hashed.
    pub objects: u64,
    /// Files of the embedding model that were opened and hashed.
    pub model_files: u64,
    /// Vector tables that were opened, counted and searched.
    pub vector_tables: u64,
    pub vectors: u64,
    /// What took part beside database and objects, what was tried of it and how many; the two above among it.
    pub participants: BTreeMap<String, BTreeMap<String, u64>>,
    /// Major version of the scratch server.
    pub server: String,
}

/// How a destination is doing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DestinationStatus {
    pub name: String,
    /// Folder or bucket.
    pub url: String,
    /// Backups that can be restored from here.
    pub backups: i64,
    pub last_verified_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}
