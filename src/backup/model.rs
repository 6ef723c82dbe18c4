//! Types of backups.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use platform::{id_type, text_enum};

id_type!(BackupId, "A backup.");
id_type!(DrillId, "A restore drill.");

text_enum! {
    /// Why a backup was made.
    pub enum Kind {
        Scheduled = "scheduled",
        Manual = "manual",
        /// Before another version migrated the database.
        BeforeMigration = "before_migration",
    }
}

text_enum! {
    /// Status of a backup.
    pub enum Status {
        Running = "running",
        /// Every intended destination has a complete copy.
        Verified = "verified",
        /// A copy exists but needs attention: a destination failed, or the size is suspicious.
        Unverified = "unverified",
        /// No copy can be restored.
        Failed = "failed",
    }
}

text_enum! {
    /// Status of a backup's copy at one destination.
    pub enum CopyStatus {
        /// Written and read back, and no error found since.
        Verified = "verified",
        /// A check found it incomplete or altered.
        Damaged = "damaged",
        /// Writing failed.
        Failed = "failed",
        /// Removed by retention.
        Pruned = "pruned",
    }
}

text_enum! {
    /// Status of a drill.
    pub enum DrillStatus {
        Running = "running",
        Passed = "passed",
        Failed = "failed",
        /// Not tested: too little disk space for the work folder.
        NoRoom = "no_room",
    }
}

/// A backup in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Backup {
    pub id: BackupId,
    /// Incremented by each run of this installation.
    pub sequence: i64,
    pub kind: Kind,
    pub status: Status,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Current step, or the last one.
    pub step: String,
    /// Size of the dump before compression, bytes.
    pub database_bytes: i64,
    /// Rows of all tables.
    pub rows: i64,
    pub objects: i64,
    /// Files of participants: of the vector store and others.
    pub vector_files: i64,
    /// Bytes that a restore reads, as stored at a destination.
    pub total_bytes: i64,
    /// Bytes that this run added to each destination.
    pub added_bytes: i64,
    /// Excluded from retention.
    pub held: bool,
    /// Why it is not verified.
    pub error: Option<String>,
    pub copies: Vec<Copy>,
}

impl Backup {
    /// Whether its start is in the future: then one of the clocks is wrong and its age is unknown.
    pub fn is_ahead(&self, now: DateTime<Utc>) -> bool {
        self.started_at > now + TimeDelta::hours(1)
    }

    /// Whether a destination has a complete copy.
    pub fn is_whole_at(&self, destination: &str) -> bool {
        self.copies.iter().any(|copy| copy.destination == destination && copy.status == CopyStatus::Verified)
    }

    /// A backup that has just started.
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

/// A backup's copy at one destination.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Copy {
    pub destination: String,
    pub status: CopyStatus,
    /// When every byte of it was last read and found correct; null while it relies on files of earlier backups that were not read again.
    pub verified_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// A restore drill.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Drill {
    pub id: DrillId,
    pub backup_id: BackupId,
    pub destination: String,
    pub status: DrillStatus,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Duration from the first byte read to the last check.
    pub seconds: Option<f64>,
    /// Figures compared, by kind.
    pub report: DrillReport,
    pub error: Option<String>,
}

/// Figures that a drill compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DrillReport {
    pub tables: u64,
    pub rows: u64,
    pub constraints: u64,
    pub policies: u64,
    /// Objects decrypted and hashed.
    pub objects: u64,
    /// Files of the embedding model that were decrypted and hashed.
    pub model_files: u64,
    /// Vector tables opened, counted and searched.
    pub vector_tables: u64,
    pub vectors: u64,
    /// Participants, with the kinds and numbers of things tested; includes the two above.
    pub participants: BTreeMap<String, BTreeMap<String, u64>>,
    /// Major version of the scratch server.
    pub server: String,
}

/// State of a destination.
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
