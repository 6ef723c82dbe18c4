//! Table maintenance: compaction, indexes, removal of old versions, statistics.

use std::time::Duration;

use lancedb::index::Index;
use lancedb::index::vector::IvfPqIndexBuilder;
use lancedb::table::{OptimizeAction, OptimizeOptions};
use lancedb::{DistanceType, Table};

use arrow_array::{Array, FixedSizeListArray, Float32Array, RecordBatch, StringArray};
use futures::TryStreamExt as _;
use lancedb::query::{ExecutableQuery as _, QueryBase as _};
use serde::{Deserialize, Serialize};

use storage::DeleteGuard;

use super::{IndexError, VectorIndex, dimensions, full_text_index, full_text_options, tidy::compaction, uuids};

/// Which old versions of a table [`VectorIndex::prune`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Versions older than this; younger ones may still be in use by readers.
    Keep(Duration),
    /// All, after rebuilding the indexes without deleted rows: no file holds anything of deleted documents afterwards.
    /// Concurrent readers retry once.
    Purge,
}

/// The steps of [`VectorIndex::optimize`] and finally [`VectorIndex::prune`], in this order.
pub const MAINTENANCE_STEPS: [&str; 4] = ["compact", "vector_index", "index", "prune"];

/// The result of [`VectorIndex::optimize`] and [`VectorIndex::prune`]. A failed step does not stop the others: a
/// failing compaction must not prevent pruning, or the disk fills up (lance issue 7653).
#[derive(Debug, Default)]
pub struct OptimizeReport {
    pub fragments_removed: usize,
    pub fragments_added: usize,
    pub versions_removed: u64,
    pub bytes_removed: u64,
    /// Failed steps (of [`MAINTENANCE_STEPS`]) with their errors.
    pub failures: Vec<(&'static str, IndexError)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableStats {
    pub rows: usize,
    /// Rows not covered by the full-text index yet; searched by a scan.
    pub unindexed_rows: usize,
    pub fragments: usize,
    pub versions: usize,
    /// Data and index files of the newest version.
    pub bytes: usize,
}

/// A table at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    pub version: u64,
    pub rows: u64,
}

impl VectorIndex {
    /// The table's newest version and its row count.
    pub async fn state(&self, name: &str) -> Result<TableState, IndexError> {
        let state = || async {
            let table = self.table(name).await?;
            table.checkout_latest().await?;
            Ok(TableState { version: table.version().await?, rows: table.count_rows(None).await? as u64 })
        };
        self.read(name, state).await
    }

    /// Checks that the table finds a chunk by its own vector, and some chunk by its words; true for an empty table.
    pub async fn finds_its_rows(&self, name: &str) -> Result<bool, IndexError> {
        let table = self.table(name).await?;
        let batches: Vec<RecordBatch> = table.query().limit(1).execute().await?.try_collect().await?;
        let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(true) };
        let vector = batch
            .column_by_name("vector")
            .and_then(|column| column.as_any().downcast_ref::<FixedSizeListArray>())
            .map(|vectors| vectors.value(0));
        let vector = vector.as_ref().and_then(|vector| vector.as_any().downcast_ref::<Float32Array>());
        let terms = batch.column_by_name("terms").and_then(|column| column.as_any().downcast_ref::<StringArray>());
        let (Some(vector), Some(terms)) = (vector, terms) else { return Err(IndexError::Schema(name.to_string())) };
        let id = uuids(name, batch, "chunk_id")?[0];
        let nearest = self.vector_search(name, vector.values(), 10).await?;
        // Chunks may have identical text, so an equally near hit is enough. A chunk without a vector cannot be found by
        // it.
        let wordy = vector.values().iter().all(|number| *number == 0.0);
        let near = wordy || nearest.iter().any(|hit| hit.chunk_id == id || hit.score > 0.999);
        let word = terms.value(0).split(' ').next().unwrap_or_default().to_owned();
        Ok(near && (word.is_empty() || !self.terms_search(name, &word, 1).await?.is_empty()))
    }

    /// Merges small files, updates the indexes, and creates or renews the vector index of a large table; before a
    /// purge, deleted rows are left out. Only adds files; [`Self::prune`] removes them. Only for the table's writer.
    pub async fn optimize(&self, name: &str, retention: Retention) -> Result<OptimizeReport, IndexError> {
        let table = self.table(name).await?;
        let purge = retention == Retention::Purge;
        let mut report = OptimizeReport::default();
        let options = compaction(if purge { 0.0 } else { 0.1 });
        match table.optimize(OptimizeAction::Compact { options, remap_options: None }).await {
            Ok(stats) => {
                let compaction = stats.compaction.unwrap_or_default();
                report.fragments_removed = compaction.fragments_removed;
                report.fragments_added = compaction.fragments_added;
            }
            Err(error) => report.failures.push(("compact", error.into())),
        }
        if let Err(error) = self.renew_vector_index(&table).await {
            report.failures.push(("vector_index", error));
        }
        let indexing = if purge {
            table.create_index(&["terms"], Index::FTS(full_text_options())).replace(true).execute().await
        } else {
            table.optimize(OptimizeAction::Index(OptimizeOptions::merge(usize::MAX))).await.map(drop)
        };
        if let Err(error) = indexing {
            report.failures.push(("index", error.into()));
        }
        Ok(report)
    }

    /// Removes old versions of a table and their exclusive files; adds its results to `report`. Only for the table's
    /// writer.
    pub async fn prune(
        &self,
        name: &str,
        retention: Retention,
        report: &mut OptimizeReport,
        guard: &mut DeleteGuard,
    ) -> Result<(), IndexError> {
        let table = self.table(name).await?;
        guard.check().await?;
        let older_than = match retention {
            Retention::Keep(age) => chrono::Duration::from_std(age).unwrap_or(chrono::Duration::MAX),
            Retention::Purge => chrono::Duration::zero(),
        };
        // The only writer can safely remove files of unfinished writes.
        let prune = OptimizeAction::Prune {
            older_than: Some(older_than),
            delete_unverified: Some(retention == Retention::Purge),
            error_if_tagged_old_versions: None,
        };
        match table.optimize(prune).await {
            Ok(stats) => {
                let prune = stats.prune.unwrap_or_default();
                report.versions_removed = prune.old_versions;
                report.bytes_removed = prune.bytes_removed;
            }
            Err(error) => report.failures.push(("prune", error.into())),
        }
        Ok(())
    }

    /// `IVF_PQ` with the rules of the LanceDB guide: one partition per 4096 rows, one sub-vector per 8 dimensions.
    /// Centroids stay as trained, so it is retrained when the rows have doubled; the index name records the row count
    /// at training.
    async fn renew_vector_index(&self, table: &Table) -> Result<(), IndexError> {
        let rows = table.count_rows(None).await?;
        if !self.wants_vector_index(table, rows).await? {
            return Ok(());
        }
        let trained = vector_index(table).await?;
        let dims = dimensions(table).await?;
        // A table without vectors needs no vector index.
        if dims == 1 {
            return Ok(());
        }
        let index = IvfPqIndexBuilder::default()
            .distance_type(DistanceType::Cosine)
            .num_partitions(u32::try_from(rows / 4096).unwrap_or(u32::MAX).max(1))
            .num_sub_vectors(u32::try_from(dims / 8).unwrap_or(1).max(1));
        table.create_index(&["vector"], Index::IvfPq(index)).name(format!("vector_{rows}")).execute().await?;
        if let Some(old) = trained {
            table.drop_index(&old).await?;
        }
        Ok(())
    }

    /// Whether the table needs a vector index and has none, or has outgrown it.
    pub(super) async fn wants_vector_index(&self, table: &Table, rows: usize) -> Result<bool, IndexError> {
        if rows < self.store.options.vector_index_rows {
            return Ok(false);
        }
        let trained = vector_index(table).await?;
        let trained_rows = trained.as_deref().and_then(|name| name.strip_prefix("vector_")?.parse::<usize>().ok());
        Ok(trained_rows.is_none_or(|trained_rows| rows >= trained_rows * 2))
    }

    pub async fn stats(&self, name: &str) -> Result<TableStats, IndexError> {
        self.read(name, || self.count(name)).await
    }

    async fn count(&self, name: &str) -> Result<TableStats, IndexError> {
        let table = self.table(name).await?;
        let stats = table.stats().await?;
        let covered = match full_text_index(&table).await? {
            Some(index) => table.index_stats(&index).await?.map_or(0, |index| index.num_indexed_rows),
            None => 0,
        };
        Ok(TableStats {
            rows: stats.num_rows,
            unindexed_rows: stats.num_rows.saturating_sub(covered),
            fragments: stats.fragment_stats.num_fragments,
            versions: table.list_versions().await?.len(),
            bytes: stats.total_bytes,
        })
    }
}

async fn vector_index(table: &Table) -> Result<Option<String>, IndexError> {
    Ok(table.list_indices().await?.into_iter().find(|index| index.columns == ["vector"]).map(|index| index.name))
}
