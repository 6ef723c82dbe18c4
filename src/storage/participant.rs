//! Participants in a backup: rooms with files outside the database and the object store.
//!
//! The trait is here rather than in the backup room, because the rooms that implement it may not import that one, and because it is only
//! about files of a store. A backup seals, copies and restores the files; only the room knows what they mean.

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;

use super::{Storage, StorageError};

/// Numbers of compared things, by kind.
pub type Counts = BTreeMap<String, u64>;

/// What a room contributes to a backup.
pub struct Captured {
    /// Expected state of the restored files, in the room's own format; kept in the signed manifest.
    pub state: Value,
    /// The files' current place.
    pub files: Storage,
    /// Whether a file there belongs to `state`.
    pub belongs: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

#[derive(Debug, thiserror::Error)]
pub enum ParticipantError {
    /// The restored files differ from the captured ones.
    #[error("{0}")]
    Differs(String),
    #[error("the files could not be read or written")]
    Storage(#[from] StorageError),
    #[error("the room failed")]
    Room(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ParticipantError {
    pub fn room(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Room(Box::new(error))
    }
}

/// A room that takes part in backups.
#[async_trait]
pub trait Participant: Send + Sync {
    /// Name in manifests and in `holdfast restore --only`; never changes. Lower-case letters, digits and `_`.
    fn name(&self) -> &'static str;

    /// The files to keep, at a time after the database snapshot. No file is deleted until all are copied: see [`super::Deletions::hold`].
    /// `scratch` is an empty folder for files written for this purpose; it is removed afterwards.
    async fn capture(&self, scratch: &Path) -> Result<Captured, ParticipantError>;

    /// Problems of a backup with these files (keys); their contents have been read and are intact.
    async fn verify(
        &self,
        state: &Value,
        keys: BoxStream<'_, Result<String, ParticipantError>>,
    ) -> Result<Vec<String>, ParticipantError>;

    /// Place for the files in a real restore; empty at that time.
    async fn target(&self) -> Result<Storage, ParticipantError>;

    /// Called when the files are in place.
    async fn restored(&self, _state: &Value) -> Result<(), ParticipantError> {
        Ok(())
    }

    /// Called when the files were restored on trial into `folder`: uses them as in production, and compares them with `state`.
    async fn drill(&self, folder: &Path, state: &Value) -> Result<Counts, ParticipantError>;
}
