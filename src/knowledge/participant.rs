//! The vectors' part in a backup: each table at one version, which is read while later ones are written.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use async_trait::async_trait;
use futures::{TryStreamExt as _, stream::BoxStream};
use serde_json::Value;

use super::index::{IndexOptions, TableState, VectorIndex};
use crate::storage::{Captured, Counts, Participant, ParticipantError, Storage};

/// The name in manifests.
pub const VECTORS: &str = "vectors";

/// Version and rows by table.
type Tables = BTreeMap<String, TableState>;

/// The vector store as it takes part in a backup.
pub struct Vectors {
    index: VectorIndex,
    /// The files of `index`.
    files: Storage,
}

impl Vectors {
    pub fn new(index: VectorIndex, files: Storage) -> Self {
        Self { index, files }
    }
}

#[async_trait]
impl Participant for Vectors {
    fn name(&self) -> &'static str {
        VECTORS
    }

    async fn capture(&self, _scratch: &Path) -> Result<Captured, ParticipantError> {
        let mut tables = Tables::new();
        for table in self.index.list_tables().await.map_err(ParticipantError::room)? {
            let state = self.index.state(&table).await.map_err(ParticipantError::room)?;
            tables.insert(table, state);
        }
        // Listed after the versions were read: every file of theirs is there.
        let state = serde_json::to_value(&tables).map_err(ParticipantError::room)?;
        Ok(Captured { state, files: self.files.clone(), belongs: Box::new(move |key| belongs(key, &tables)) })
    }

    async fn verify(
        &self,
        state: &Value,
        mut keys: BoxStream<'_, Result<String, ParticipantError>>,
    ) -> Result<Vec<String>, ParticipantError> {
        let tables = tables(state)?;
        let mut lacking: BTreeSet<&str> = tables.keys().map(String::as_str).collect();
        while let Some(key) = keys.try_next().await? {
            if let Some((table, Some(version))) = table_and_version(&key)
                && tables.get(table).is_some_and(|state| state.version == version)
            {
                lacking.remove(table);
            }
        }
        let words = lacking
            .into_iter()
            .map(|table| format!("version {} of vector table {table} is not among the files", tables[table].version));
        Ok(words.collect())
    }

    async fn target(&self) -> Result<Storage, ParticipantError> {
        Ok(self.files.clone())
    }

    async fn drill(&self, folder: &Path, state: &Value) -> Result<Counts, ParticipantError> {
        let index = VectorIndex::new(&folder.display().to_string(), IndexOptions::default());
        let mut found = Tables::new();
        for table in index.list_tables().await.map_err(ParticipantError::room)? {
            found.insert(table.clone(), index.state(&table).await.map_err(ParticipantError::room)?);
            if !index.finds_itself(&table).await.map_err(ParticipantError::room)? {
                let words = format!("a search in vector table {table} does not find what is in it");
                return Err(ParticipantError::Differs(words));
            }
        }
        let expected = tables(state)?;
        if found != expected {
            return Err(ParticipantError::Differs(format!("vector tables {found:?} instead of {expected:?}")));
        }
        let rows = found.values().map(|state| state.rows).sum();
        Ok(Counts::from([("vector_tables".to_owned(), found.len() as u64), ("vectors".to_owned(), rows)]))
    }
}

fn tables(state: &Value) -> Result<Tables, ParticipantError> {
    serde_json::from_value(state.clone()).map_err(ParticipantError::room)
}

/// The table that a file of the store is of, and the version, where it is what names the files of one.
fn table_and_version(key: &str) -> Option<(&str, Option<u64>)> {
    let (folder, rest) = key.split_once('/')?;
    let table = folder.strip_suffix(".lance")?;
    let Some(name) = rest.strip_prefix("_versions/") else { return Some((table, None)) };
    // A hint at the newest version, which need not be ours, is of no version; it is found without.
    let number: u64 = name.strip_suffix(".manifest")?.parse().ok()?;
    // Newer names count down from the largest number, so that the newest comes first in a listing.
    Some((table, Some(if number > u64::MAX / 2 { u64::MAX - number } else { number })))
}

/// Whether a file of the store is one of the given versions of its tables.
pub(super) fn belongs(key: &str, tables: &Tables) -> bool {
    let Some((table, version)) = table_and_version(key) else { return false };
    tables.get(table).is_some_and(|state| version.is_none_or(|version| version <= state.version))
}
