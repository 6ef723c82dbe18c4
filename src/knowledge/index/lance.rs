//! LanceDB behind one file: tables, writes, the two search arms, maintenance.
//!
//! A table holds `chunk_id`, `document_id` (UUIDs as text, which LanceDB can filter by), `terms` (what [`analyze`] made of the text) and
//! `vector` (unit length). Its full-text index is made with the table and splits `terms` at spaces. Rows that came after the last
//! [`VectorIndex::optimize`] are in no index yet, and still found: LanceDB scans them beside it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::types::Float32Type;
use arrow_array::{Array, FixedSizeListArray, Float32Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use lancedb::index::Index;
use lancedb::index::scalar::{FtsIndexBuilder, FullTextSearchQuery, MatchQuery};
use lancedb::index::vector::IvfPqIndexBuilder;
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::table::{CompactionOptions, OptimizeAction, OptimizeOptions};
use lancedb::{Connection, DistanceType, ObjectStoreRegistry, Session, Table};
use uuid::Uuid;

use super::{IndexError, analyze};

/// Handles of tables that are kept open; one is a few kilobytes, what it reads lies in the session's caches.
const OPEN_TABLES: u64 = 512;

/// Candidates that are compared with their full vectors, as a multiple of the limit, where a quantised index chose them.
const REFINE_FACTOR: u32 = 10;

/// The name of the table for a knowledge base and index generation (a generation ends when the embedding model changes).
pub fn table_name(knowledge_base: Uuid, generation: i64) -> String {
    format!("kb_{}_g{generation}", knowledge_base.simple())
}

/// How to open the vector store.
#[derive(Debug, Clone)]
pub struct IndexOptions {
    /// For `s3://` URIs: keys of `object_store` (`aws_access_key_id`, `aws_secret_access_key`, `aws_endpoint`, `aws_region`, `allow_http`).
    pub storage: HashMap<String, String>,
    /// A search sees what other processes have committed this long ago at the latest. Each check is one listing on S3.
    pub read_consistency: Duration,
    /// Bytes for opened indexes, shared by all tables.
    pub index_cache_bytes: usize,
    /// Bytes for file metadata, shared by all tables.
    pub metadata_cache_bytes: usize,
    /// Rows from which a table gets an approximate vector index; below it every vector is compared: exact, and 50 ms at 100 000 rows.
    pub vector_index_rows: usize,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            storage: HashMap::new(),
            read_consistency: Duration::from_secs(1),
            index_cache_bytes: 64 << 20,
            metadata_cache_bytes: 32 << 20,
            vector_index_rows: 50_000,
        }
    }
}

/// One passage to index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexRow {
    pub chunk_id: Uuid,
    pub document_id: Uuid,
    /// As it is; analysed here.
    pub text: String,
    /// Unit length.
    pub vector: Vec<f32>,
}

/// One passage that an arm found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub chunk_id: Uuid,
    pub document_id: Uuid,
    /// Vector arm: cosine similarity, -1 to 1. Text arm: BM25, 0 and up. Only comparable within one arm's answer.
    pub score: f32,
}

/// Which old versions of a table [`VectorIndex::optimize`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Those older than this: readers that began before may still be reading them.
    Keep(Duration),
    /// All, and the indexes are rebuilt without what was deleted: afterwards nothing of deleted documents is left in any file.
    /// Readers that run at this moment may fail once.
    Purge,
}

/// What [`VectorIndex::optimize`] did. One step's failure does not keep the others from running: a failing compaction must not stop
/// old versions from being pruned, or the disk fills (lance issue 7653).
#[derive(Debug, Default)]
pub struct OptimizeReport {
    pub fragments_removed: usize,
    pub fragments_added: usize,
    pub versions_removed: u64,
    pub bytes_removed: u64,
    /// Step (`compact`, `index`, `vector_index`, `prune`) and what went wrong.
    pub failures: Vec<(&'static str, IndexError)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableStats {
    pub rows: usize,
    /// Rows that no full-text index covers yet; searched by a scan.
    pub unindexed_rows: usize,
    pub fragments: usize,
    pub versions: usize,
    /// Data and index files of the newest version.
    pub bytes: usize,
}

/// The vector store: a local folder or an S3 prefix full of tables. Cheap to clone.
#[derive(Clone)]
pub struct VectorIndex {
    connection: Connection,
    tables: moka::future::Cache<String, Table>,
    approximate_from_rows: usize,
}

impl VectorIndex {
    /// Opens a local path (made if absent) or `s3://bucket/prefix`.
    pub async fn open(uri: &str, options: IndexOptions) -> Result<Self, IndexError> {
        let session = Session::new(
            options.index_cache_bytes,
            options.metadata_cache_bytes,
            Arc::new(ObjectStoreRegistry::default()),
        );
        let connection = lancedb::connect(uri)
            .storage_options(options.storage)
            .read_consistency_interval(options.read_consistency)
            .session(Arc::new(session))
            .execute()
            .await?;
        let tables = moka::future::Cache::builder().max_capacity(OPEN_TABLES).build();
        Ok(Self { connection, tables, approximate_from_rows: options.vector_index_rows })
    }

    /// Makes the table and its full-text index where they are absent. Fails when the table is there with other dimensions.
    pub async fn ensure_table(&self, name: &str, dims: usize) -> Result<(), IndexError> {
        let table = match self.table(name).await {
            Ok(table) => table,
            Err(IndexError::NoSuchTable(_)) => {
                self.connection.create_empty_table(name, schema(dims)?).execute().await?
            }
            Err(error) => return Err(error),
        };
        let expected = dimensions(&table).await?;
        if expected != dims {
            return Err(IndexError::Dimensions { expected, got: dims });
        }
        // Its own step: a process that died between the two is repaired by the next call.
        if full_text_index(&table).await?.is_none() {
            table.create_index(&["terms"], Index::FTS(full_text_options())).execute().await?;
        }
        Ok(())
    }

    /// Inserts rows, replacing those with the same chunk id: doing it twice is doing it once. Best in batches of 1000 rows: each call
    /// makes a version and a file.
    pub async fn upsert(&self, name: &str, rows: Vec<IndexRow>) -> Result<(), IndexError> {
        if rows.is_empty() {
            return Ok(());
        }
        let table = self.table(name).await?;
        let dims = dimensions(&table).await?;
        let batch = record_batch(rows, dims)?;
        let reader = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
        let mut merge = table.merge_insert(&["chunk_id"]);
        merge.when_matched_update_all(None).when_not_matched_insert_all();
        merge.execute(Box::new(reader)).await?;
        Ok(())
    }

    /// Removes all passages of these documents. Absent ones are no error.
    pub async fn delete_documents(&self, name: &str, documents: &[Uuid]) -> Result<(), IndexError> {
        if documents.is_empty() {
            return Ok(());
        }
        // UUIDs of our own making: nothing to escape.
        let list = documents.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
        self.table(name).await?.delete(format!("document_id IN ({list})").as_str()).await?;
        Ok(())
    }

    /// The nearest passages by cosine similarity, best first.
    pub async fn vector_search(&self, name: &str, vector: &[f32], limit: usize) -> Result<Vec<Hit>, IndexError> {
        let table = self.table(name).await?;
        let expected = dimensions(&table).await?;
        if vector.len() != expected {
            return Err(IndexError::Dimensions { expected, got: vector.len() });
        }
        let query = table
            .query()
            .limit(limit)
            .select(Select::columns(&["chunk_id", "document_id", "_distance"]))
            .nearest_to(vector)?
            .distance_type(DistanceType::Cosine)
            .refine_factor(REFINE_FACTOR);
        let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
        // Cosine distance is 1 - similarity.
        hits(name, &batches, "_distance", |distance| 1.0 - distance)
    }

    /// The passages with the best BM25 score for a person's words, best first. Any text is a valid query.
    pub async fn text_search(&self, name: &str, query: &str, limit: usize) -> Result<Vec<Hit>, IndexError> {
        let terms = analyze(query);
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        let matching = MatchQuery::new(terms).with_column(Some("terms".into())).with_fuzziness(Some(0));
        let query = self
            .table(name)
            .await?
            .query()
            .full_text_search(FullTextSearchQuery::new_query(matching.into()))
            .select(Select::columns(&["chunk_id", "document_id", "_score"]))
            .limit(limit);
        let batches: Vec<RecordBatch> = query.execute().await?.try_collect().await?;
        hits(name, &batches, "_score", |score| score)
    }

    /// Merges small files, brings the indexes up to date, makes or renews the vector index of a large table, removes old versions.
    /// Only by the table's writer.
    pub async fn optimize(&self, name: &str, retention: Retention) -> Result<OptimizeReport, IndexError> {
        let table = self.table(name).await?;
        let purge = retention == Retention::Purge;
        let mut report = OptimizeReport::default();
        let compaction = CompactionOptions {
            materialize_deletions_threshold: if purge { 0.0 } else { 0.1 },
            ..CompactionOptions::default()
        };
        match table.optimize(OptimizeAction::Compact { options: compaction, remap_options: None }).await {
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
            table.optimize(OptimizeAction::Index(OptimizeOptions::default())).await.map(drop)
        };
        if let Err(error) = indexing {
            report.failures.push(("index", error.into()));
        }
        let older_than = match retention {
            Retention::Keep(age) => chrono::Duration::from_std(age).unwrap_or(chrono::Duration::MAX),
            Retention::Purge => chrono::Duration::zero(),
        };
        // Files of unfinished writes are safe to remove for the only writer there is.
        let prune = OptimizeAction::Prune {
            older_than: Some(older_than),
            delete_unverified: Some(purge),
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
        Ok(report)
    }

    /// `IVF_PQ` with the rules of the LanceDB guide: a partition for 4096 rows, a sub-vector for 8 dimensions. Its centroids stay where
    /// training put them, so it is trained anew when the rows have doubled; the index name remembers the rows of its training.
    async fn renew_vector_index(&self, table: &Table) -> Result<(), IndexError> {
        let rows = table.count_rows(None).await?;
        if rows < self.approximate_from_rows {
            return Ok(());
        }
        let trained =
            table.list_indices().await?.into_iter().find(|index| index.columns == ["vector"]).map(|index| index.name);
        let trained_rows = trained.as_deref().and_then(|name| name.strip_prefix("vector_")?.parse::<usize>().ok());
        if trained_rows.is_some_and(|trained_rows| rows < trained_rows * 2) {
            return Ok(());
        }
        let dims = dimensions(table).await?;
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

    pub async fn stats(&self, name: &str) -> Result<TableStats, IndexError> {
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

    /// All ids of the table, to compare with PostgreSQL: (chunk, document), in no order.
    pub async fn chunk_ids(&self, name: &str) -> Result<Vec<(Uuid, Uuid)>, IndexError> {
        let query = self.table(name).await?.query().select(Select::columns(&["chunk_id", "document_id"]));
        let mut batches = query.execute().await?;
        let mut ids = Vec::new();
        while let Some(batch) = batches.next().await.transpose()? {
            let (chunks, documents) = (uuids(name, &batch, "chunk_id")?, uuids(name, &batch, "document_id")?);
            ids.extend(chunks.into_iter().zip(documents));
        }
        Ok(ids)
    }

    /// Names of all tables in the store.
    pub async fn list_tables(&self) -> Result<Vec<String>, IndexError> {
        Ok(self.connection.table_names().execute().await?)
    }

    /// Removes a table with all its files. An absent one is no error.
    pub async fn drop_table(&self, name: &str) -> Result<(), IndexError> {
        self.tables.invalidate(name).await;
        match self.connection.drop_table(name, &[]).await.map_err(IndexError::from) {
            Err(IndexError::NoSuchTable(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn table(&self, name: &str) -> Result<Table, IndexError> {
        if let Some(table) = self.tables.get(name).await {
            return Ok(table);
        }
        let table = self.connection.open_table(name).execute().await?;
        self.tables.insert(name.to_string(), table.clone()).await;
        Ok(table)
    }
}

/// The analysis is done: LanceDB only splits at spaces. No positions: nobody asks for phrases, and optimize has failed with them
/// (lance issue 7653).
fn full_text_options() -> FtsIndexBuilder {
    FtsIndexBuilder::default()
        .base_tokenizer("whitespace".into())
        .with_position(false)
        .stem(false)
        .remove_stop_words(false)
        .lower_case(false)
        .ascii_folding(false)
        .max_token_length(None)
}

fn schema(dims: usize) -> Result<SchemaRef, IndexError> {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let dims = i32::try_from(dims).map_err(|_| IndexError::Dimensions { expected: i32::MAX as usize, got: dims })?;
    Ok(Arc::new(Schema::new(vec![
        Field::new("chunk_id", DataType::Utf8, false),
        Field::new("document_id", DataType::Utf8, false),
        Field::new("terms", DataType::Utf8, false),
        Field::new("vector", DataType::FixedSizeList(item, dims), false),
    ])))
}

async fn dimensions(table: &Table) -> Result<usize, IndexError> {
    let schema = table.schema().await?;
    match schema.field_with_name("vector").map(Field::data_type) {
        Ok(DataType::FixedSizeList(_, dims)) => Ok(usize::try_from(*dims).unwrap_or_default()),
        _ => Err(IndexError::Schema(table.name().to_string())),
    }
}

async fn full_text_index(table: &Table) -> Result<Option<String>, IndexError> {
    Ok(table.list_indices().await?.into_iter().find(|index| index.columns == ["terms"]).map(|index| index.name))
}

fn record_batch(rows: Vec<IndexRow>, dims: usize) -> Result<RecordBatch, IndexError> {
    if let Some(row) = rows.iter().find(|row| row.vector.len() != dims) {
        return Err(IndexError::Dimensions { expected: dims, got: row.vector.len() });
    }
    // A merge with the same key twice in its input keeps both: the last one is meant.
    let rows: HashMap<Uuid, IndexRow> = rows.into_iter().map(|row| (row.chunk_id, row)).collect();
    let column = |value: fn(&IndexRow) -> String| StringArray::from_iter_values(rows.values().map(value));
    let schema = schema(dims)?;
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        rows.values().map(|row| Some(row.vector.iter().copied().map(Some))),
        i32::try_from(dims).unwrap_or(i32::MAX),
    );
    Ok(RecordBatch::try_new(
        schema,
        vec![
            Arc::new(column(|row| row.chunk_id.to_string())),
            Arc::new(column(|row| row.document_id.to_string())),
            Arc::new(column(|row| analyze(&row.text))),
            Arc::new(vectors),
        ],
    )?)
}

fn hits(table: &str, batches: &[RecordBatch], score: &str, scale: fn(f32) -> f32) -> Result<Vec<Hit>, IndexError> {
    let mut hits = Vec::new();
    for batch in batches {
        let scores = batch
            .column_by_name(score)
            .and_then(|column| column.as_any().downcast_ref::<Float32Array>())
            .ok_or_else(|| IndexError::Schema(table.to_string()))?;
        let (chunks, documents) = (uuids(table, batch, "chunk_id")?, uuids(table, batch, "document_id")?);
        for ((chunk_id, document_id), score) in chunks.into_iter().zip(documents).zip(scores.values()) {
            hits.push(Hit { chunk_id, document_id, score: scale(*score) });
        }
    }
    Ok(hits)
}

fn uuids(table: &str, batch: &RecordBatch, column: &str) -> Result<Vec<Uuid>, IndexError> {
    let schema = || IndexError::Schema(table.to_string());
    let column = batch
        .column_by_name(column)
        .and_then(|column| column.as_any().downcast_ref::<StringArray>())
        .ok_or_else(schema)?;
    (0..column.len()).map(|row| Uuid::parse_str(column.value(row)).map_err(|_| schema())).collect()
}
