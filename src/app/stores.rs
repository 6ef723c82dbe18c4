//! Objects and index, opened as configured: by the application, and by a restore that runs without one.

use std::path::Path;

use super::Config;
use crate::{
    knowledge::{self, index::VectorIndex},
    platform::lifecycle::Lifecycle,
    storage::{Metrics, Storage, StorageError},
};

/// Where everything lies that is not in the database.
#[derive(Clone)]
pub struct Stores {
    pub objects: Storage,
    pub index: VectorIndex,
    /// The files of `index`.
    pub index_files: Storage,
}

impl Stores {
    /// Makes local folders that are absent. Does not connect.
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
        Ok(Self { objects, index, index_files })
    }
}
