//! The events of backups.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::BackupId;
use events::{Event, EventType};

pub const EVENTS: &[EventType] = &[EventType::of::<BackupFinished>(), EventType::of::<BackupFailed>()];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventBackupFinished)]
pub struct BackupFinished {
    pub backup_id: BackupId,
    /// `verified`, or `unverified` where a destination lacks it or it is much smaller than the one before.
    pub status: &'static str,
    /// What a restore of it reads.
    pub bytes: i64,
}

impl Event for BackupFinished {
    const TOPIC: &'static str = "backup.backup.finished";
    const ABOUT: &'static str = "A backup was made.";
    fn key(&self) -> String {
        self.backup_id.to_string()
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventBackupFailed)]
pub struct BackupFailed {
    pub backup_id: BackupId,
}

impl Event for BackupFailed {
    const TOPIC: &'static str = "backup.backup.failed";
    const ABOUT: &'static str = "A backup could not be made; its page says why.";
    fn key(&self) -> String {
        self.backup_id.to_string()
    }
}
