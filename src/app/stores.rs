//! Object store and vector index, opened as configured: by the application, and by a restore that runs without one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Config;
use platform::lifecycle::Lifecycle;
use storage::{Metrics, Participant, Storage, StorageError};
use vectors::VectorIndex;

/// The stores of all data outside the database.
#[derive(Clone)]
pub struct Stores {
    pub objects: Storage,
    pub index: VectorIndex,
    /// The files of `index`.
    pub index_files: Storage,
    /// Participants of a backup besides the database and the objects; see [`participants`].
    pub participants: Vec<Arc<dyn Participant>>,
}

/// The names of [`Stores::participants`], and the folder of this host that a restore of each replaces; known before anything is opened.
pub fn participants(config: &Config, data_dir: &Path) -> Vec<(&'static str, Option<PathBuf>)> {
    let vectors = config.knowledge.is_local().then(|| knowledge::Config::local_folder(data_dir));
    vec![(knowledge::VECTORS, vectors)]
}

impl Stores {
    /// Creates missing local folders. Does not connect.
    pub fn open(
        config: &Config,
        data_dir: &Path,
        lifecycle: &Lifecycle,
        metrics: &Metrics,
    ) -> Result<Self, StorageError> {
        let index_files = Storage::open_at(
            &config.knowledge.index_url,
            knowledge::Config::local_folder(data_dir),
            &config.storage,
            lifecycle.clone(),
            metrics.clone(),
        )?;
        let index =
            VectorIndex::new(&config.knowledge.index_uri(data_dir), config.knowledge.index_options(&config.storage));
        let objects = Storage::open(&config.storage, data_dir, lifecycle.clone(), metrics.clone())?;
        let vectors = knowledge::Vectors::new(index.clone(), index_files.clone());
        Ok(Self { objects, index, index_files, participants: vec![Arc::new(vectors)] })
    }
}
