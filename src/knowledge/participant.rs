//! Backup participant for the vector store: each table at one version, readable while newer versions are written.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use async_trait::async_trait;
use futures::{TryStreamExt as _, stream::BoxStream};
use serde_json::Value;

use super::index::{IndexOptions, TableState, VectorIndex};
use storage::{Captured, Counts, Participant, ParticipantError, Storage};

/// The participant's name in manifests.
pub const VECTORS: &str = "vectors";

/// Version and row count by table.
type Tables = BTreeMap<String, TableState>;

/// The vector store as a backup participant.
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
        // Files are listed after the versions were read, so every file of those versions exists.
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
            if !index.finds_its_rows(&table).await.map_err(ParticipantError::room)? {
                let words = format!("a search in vector table {table} does not find its own rows");
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

/// The table that a file belongs to, and the version if the file is that version's manifest.
fn table_and_version(key: &str) -> Option<(&str, Option<u64>)> {
    let (folder, rest) = key.split_once('/')?;
    let table = folder.strip_suffix(".lance")?;
    let Some(name) = rest.strip_prefix("_versions/") else { return Some((table, None)) };
    // The latest-version hint belongs to no version and may be newer than ours; tables open without it.
    let number: u64 = name.strip_suffix(".manifest")?.parse().ok()?;
    // Newer manifests are named by `u64::MAX - version`, so that the newest is listed first.
    Some((table, Some(if number > u64::MAX / 2 { u64::MAX - number } else { number })))
}

/// Whether a file belongs to one of the captured table versions.
pub(super) fn belongs(key: &str, tables: &Tables) -> bool {
    let Some((table, version)) = table_and_version(key) else { return false };
    tables.get(table).is_some_and(|state| version.is_none_or(|version| version <= state.version))
}
