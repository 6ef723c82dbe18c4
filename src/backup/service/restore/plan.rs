//! What a restore would bring back, for the person who starts it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Restore;
use crate::{BackupId, manifest::Part};

/// A participant in a restore plan.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PlannedPart {
    pub files: u64,
    pub bytes: u64,
}

/// What a restore would bring back.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub backup: BackupId,
    pub sequence: i64,
    pub taken_at: DateTime<Utc>,
    pub installation: Uuid,
    pub holdfast: String,
    pub server_version: String,
    pub tables: usize,
    pub rows: u64,
    pub database_bytes: u64,
    pub objects: u64,
    pub object_bytes: u64,
    /// Files and bytes of participants, by name.
    pub participants: BTreeMap<String, PlannedPart>,
    /// Bytes of the embedding model; 0 if not included.
    pub model_bytes: u64,
    /// Bytes read from the destination.
    pub total_bytes: u64,
}

impl Restore {
    pub fn plan(&self) -> Plan {
        let m = &self.manifest;
        Plan {
            backup: m.id,
            sequence: m.sequence,
            taken_at: m.taken_at,
            installation: m.installation,
            holdfast: m.holdfast.clone(),
            server_version: m.database.server_version.clone(),
            tables: m.database.schema.rows.len(),
            rows: m.database.schema.rows.values().sum(),
            database_bytes: m.database.dump.size,
            objects: m.objects.files,
            object_bytes: m.objects.bytes,
            participants: m
                .participants
                .iter()
                .map(|(name, Part { tree, .. })| (name.clone(), PlannedPart { files: tree.files, bytes: tree.bytes }))
                .collect(),
            model_bytes: m.model.as_ref().map_or(0, |model| model.bytes),
            total_bytes: m.total_bytes,
        }
    }
}
