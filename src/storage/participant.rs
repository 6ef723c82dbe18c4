//! What takes part in a backup beside the database and the objects: files that a room keeps in a place of its own.
//!
//! The trait stands here, and not in the backup's room, because the rooms that implement it may not import that one, and because it speaks
//! of nothing but files of a store. A backup seals, copies and restores the files; what they mean, the room says.

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;

use super::{Storage, StorageError};

/// What was compared, and how many of it.
pub type Counts = BTreeMap<String, u64>;

/// What a room puts into a backup.
pub struct Captured {
    /// What the files must show when they come back: the room's own words, kept in the signed manifest.
    pub state: Value,
    /// Where the files lie now.
    pub files: Storage,
    /// Whether a file there belongs to `state`.
    pub belongs: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

#[derive(Debug, thiserror::Error)]
pub enum ParticipantError {
    /// What came back is not what was kept.
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
    /// Stands in manifests, and after `holdfast restore --only`: never renamed. Small letters, digits and `_`.
    fn name(&self) -> &'static str;

    /// What to keep, at an instant after the database's snapshot. No file is deleted until all of it is copied: see
    /// [`super::Deletions::hold`]. What has to be written for it goes into `scratch`, an empty folder that is gone afterwards.
    async fn capture(&self, scratch: &Path) -> Result<Captured, ParticipantError>;

    /// What is wrong with a backup that has these files, by their keys: their contents were read already and are what they were.
    async fn verify(
        &self,
        state: &Value,
        keys: BoxStream<'_, Result<String, ParticipantError>>,
    ) -> Result<Vec<String>, ParticipantError>;

    /// Where the files go when they are restored for good: nothing lies there.
    async fn target(&self) -> Result<Storage, ParticipantError>;

    /// They are there: what else is to be done.
    async fn restored(&self, _state: &Value) -> Result<(), ParticipantError> {
        Ok(())
    }

    /// They were restored on trial, into `folder`: works with them as one would, and compares them with `state`.
    async fn drill(&self, folder: &Path, state: &Value) -> Result<Counts, ParticipantError>;
}
