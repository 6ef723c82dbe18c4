//! The LanceDB wrapper: tables, writes, the two search arms, maintenance.
//!
//! A table has the columns `chunk_id` and `document_id` (UUIDs as text, which LanceDB can filter by), `terms` (the
//! output of [`analyze`]) and `vector` (unit length). Its full-text index is created with the table and splits `terms`
//! at spaces. Rows written since the last [`VectorIndex::tidy`] or [`VectorIndex::optimize`] are not indexed yet but
//! still found: LanceDB scans them.

mod held;
mod rows;
mod tidy;
mod upkeep;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Array, FixedSizeListArray, Float32Array, RecordBatch, RecordBatchIterator};
use arrow_schema::{DataType, Field};
use futures::{StreamExt, TryStreamExt};
use lancedb::index::Index;
use lancedb::index::scalar::{FtsIndexBuilder, FullTextSearchQuery, MatchQuery};
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{Connection, DistanceType, ObjectStoreRegistry, Session, Table};
use tokio::sync::OnceCell;
use uuid::Uuid;

pub use tidy::Tidied;
pub use upkeep::{MAINTENANCE_STEPS, OptimizeReport, Retention, TableState, TableStats};

use storage::DeleteGuard;

use super::{IndexError, analyze};
use held::HeldTables;
use rows::{hits, record_batch, schema, uuids};

/// Open table handles to keep; each takes a few kilobytes, cached data is in the session's caches.
const OPEN_TABLES: u64 = 512;

/// With a quantised index, this multiple of the limit is re-ranked by full vectors.
const REFINE_FACTOR: u32 = 10;

/// The table name for a knowledge base and index generation (a new embedding model starts a new generation).
pub fn table_name(knowledge_base: Uuid, generation: i64) -> String {
    format!("kb_{}_g{generation}", knowledge_base.simple())
}

#[derive(Debug, Clone)]
pub struct IndexOptions {
    /// For `s3://` URIs: keys of `object_store` (`aws_access_key_id`, `aws_secret_access_key`, `aws_endpoint`,
    /// `aws_region`, `allow_http`).
    pub storage: HashMap<String, String>,
    /// Maximum age of what a search sees of other processes' commits. Each check is one listing on S3.
    pub read_consistency: Duration,
    /// Cache for opened indexes, bytes, shared by all tables.
    pub index_cache_bytes: usize,
    /// Cache for file metadata, bytes, shared by all tables.
    pub metadata_cache_bytes: usize,
    /// Rows from which a table gets an approximate vector index; below, every vector is compared: exact, and 50 ms at
    /// 100 000 rows.
    pub vector_index_rows: usize,
    /// Cache for the vectors of tables without a vector index, bytes.
    pub held_vector_bytes: usize,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            storage: HashMap::new(),
            read_consistency: Duration::from_secs(1),
            index_cache_bytes: 64 << 20,
            metadata_cache_bytes: 32 << 20,
            vector_index_rows: 50_000,
            held_vector_bytes: 64 << 20,
        }
    }
}

/// A chunk to index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexRow {
    pub chunk_id: Uuid,
    pub document_id: Uuid,
    /// The raw text; it is analysed here.
    pub text: String,
    /// Unit length.
    pub vector: Vec<f32>,
}

/// A chunk found by an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub chunk_id: Uuid,
    pub document_id: Uuid,
    /// Vector arm: cosine similarity, -1 to 1. Text arm: BM25, 0 and up. Only comparable within one arm.
    pub score: f32,
}

/// The vector store: a local folder or an S3 prefix with tables. Cheap to clone.
#[derive(Clone)]
pub struct VectorIndex {
    store: Arc<Store>,
    tables: moka::future::Cache<String, Table>,
    held: HeldTables,
}

/// The store's address and its lazily opened connection: connecting reads from S3, which may be down at start.
struct Store {
    uri: String,
    options: IndexOptions,
    connection: OnceCell<Connection>,
}

impl VectorIndex {
    /// `uri`: a local path (created if absent) or `s3://bucket/prefix`. Does not connect.
    pub fn new(uri: &str, options: IndexOptions) -> Self {
        let tables = moka::future::Cache::builder().max_capacity(OPEN_TABLES).build();
        let held = HeldTables::new(options.held_vector_bytes);
        let store = Store { uri: uri.to_owned(), options, connection: OnceCell::new() };
        Self { store: Arc::new(store), tables, held }
    }

    async fn connection(&self) -> Result<&Connection, IndexError> {
        let Store { uri, options, connection } = self.store.as_ref();
        let connect = || async {
            let session = Session::new(
                options.index_cache_bytes,
                options.metadata_cache_bytes,
                Arc::new(ObjectStoreRegistry::default()),
            );
            let connecting = lancedb::connect(uri)
                .storage_options(options.storage.clone())
                .read_consistency_interval(options.read_consistency)
                .session(Arc::new(session));
            Ok(connecting.execute().await?)
        };
        connection.get_or_try_init(connect).await
    }

    /// Creates the table and its full-text index if absent. Fails if the table exists with other dimensions.
    pub async fn ensure_table(&self, name: &str, dims: usize) -> Result<(), IndexError> {
        let made = self.make_table(name, dims).await;
        self.explained(name, made).await
    }

    async fn make_table(&self, name: &str, dims: usize) -> Result<(), IndexError> {
        let table = match self.table(name).await {
            Err(IndexError::NoSuchTable(_)) => {
                self.connection().await?.create_empty_table(name, schema(dims)?).execute().await?
            }
            table => table?,
        };
        let expected = dimensions(&table).await?;
        if expected != dims {
            return Err(IndexError::Dimensions { expected, got: dims });
        }
        // A separate step, so that the next call repairs the result of a crash between the two.
        if full_text_index(&table).await?.is_none() {
            table.create_index(&["terms"], Index::FTS(full_text_options())).execute().await?;
        }
        Ok(())
    }

    pub async fn dimensions(&self, name: &str) -> Result<usize, IndexError> {
        self.read(name, || async { dimensions(&self.table(name).await?).await }).await
    }

    /// Inserts rows, replacing those with the same chunk id; idempotent. Best in batches of 1000 rows: each call
    /// creates a version and a file.
    pub async fn upsert(&self, name: &str, rows: Vec<IndexRow>) -> Result<(), IndexError> {
        let written = self.write_rows(name, rows).await;
        self.explained(name, written).await
    }

    async fn write_rows(&self, name: &str, rows: Vec<IndexRow>) -> Result<(), IndexError> {
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

    /// Removes all chunks of these documents; absent documents are ignored.
    pub async fn delete_documents(&self, name: &str, documents: &[Uuid]) -> Result<(), IndexError> {
        if documents.is_empty() {
            return Ok(());
        }
        // UUIDs need no escaping.
        let list = documents.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
        let filter = format!("document_id IN ({list})");
        let deleted = async { Ok(self.table(name).await?.delete(filter.as_str()).await.map(drop)?) };
        self.explained(name, deleted.await).await
    }

    /// The nearest chunks by cosine similarity, best first.
    pub async fn vector_search(&self, name: &str, vector: &[f32], limit: usize) -> Result<Vec<Hit>, IndexError> {
        self.read(name, || self.nearest(name, vector, limit)).await
    }

    async fn nearest(&self, name: &str, vector: &[f32], limit: usize) -> Result<Vec<Hit>, IndexError> {
        let table = self.table(name).await?;
        let expected = dimensions(&table).await?;
        if vector.len() != expected {
            return Err(IndexError::Dimensions { expected, got: vector.len() });
        }
        let rows = table.count_rows(None).await?;
        if rows < self.store.options.vector_index_rows
            && let Some(held) = self.held.of(name, &table, rows, expected).await?
        {
            return Ok(held.nearest(vector, limit));
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

    /// The chunks with the best BM25 score for the query's words, best first. Any text is a valid query.
    pub async fn text_search(&self, name: &str, query: &str, limit: usize) -> Result<Vec<Hit>, IndexError> {
        self.read(name, || self.matching(name, query, limit)).await
    }

    async fn matching(&self, name: &str, query: &str, limit: usize) -> Result<Vec<Hit>, IndexError> {
        let terms = analyze(query);
        if terms.is_empty() { Ok(Vec::new()) } else { self.terms_search(name, &terms, limit).await }
    }

    /// Like [`Self::text_search`], for terms that [`analyze`] has already produced.
    async fn terms_search(&self, name: &str, terms: &str, limit: usize) -> Result<Vec<Hit>, IndexError> {
        let matching = MatchQuery::new(terms.to_owned()).with_column(Some("terms".into())).with_fuzziness(Some(0));
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

    /// All (chunk, document) ids of the table, unordered, for comparison with PostgreSQL.
    pub async fn chunk_ids(&self, name: &str) -> Result<Vec<(Uuid, Uuid)>, IndexError> {
        self.read(name, || self.read_ids(name)).await
    }

    async fn read_ids(&self, name: &str) -> Result<Vec<(Uuid, Uuid)>, IndexError> {
        let query = self.table(name).await?.query().select(Select::columns(&["chunk_id", "document_id"]));
        let mut batches = query.execute().await?;
        let mut ids = Vec::new();
        while let Some(batch) = batches.next().await.transpose()? {
            let (chunks, documents) = (uuids(name, &batch, "chunk_id")?, uuids(name, &batch, "document_id")?);
            ids.extend(chunks.into_iter().zip(documents));
        }
        Ok(ids)
    }

    /// Document and vector of these chunks, as stored in the table.
    pub async fn rows(&self, name: &str, chunks: &[Uuid]) -> Result<HashMap<Uuid, (Uuid, Vec<f32>)>, IndexError> {
        self.read(name, || self.read_rows(name, chunks)).await
    }

    async fn read_rows(&self, name: &str, chunks: &[Uuid]) -> Result<HashMap<Uuid, (Uuid, Vec<f32>)>, IndexError> {
        if chunks.is_empty() {
            return Ok(HashMap::new());
        }
        // UUIDs need no escaping.
        let list = chunks.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
        let query = self.table(name).await?.query().only_if(format!("chunk_id IN ({list})"));
        let columns = Select::columns(&["chunk_id", "document_id", "vector"]);
        let mut batches = query.select(columns).execute().await?;
        let mut rows = HashMap::new();
        while let Some(batch) = batches.next().await.transpose()? {
            let (chunks, documents) = (uuids(name, &batch, "chunk_id")?, uuids(name, &batch, "document_id")?);
            let vectors = batch.column_by_name("vector").and_then(|c| c.as_any().downcast_ref::<FixedSizeListArray>());
            let vectors = vectors.ok_or_else(|| IndexError::Schema(name.to_owned()))?;
            for (at, (chunk, document)) in chunks.into_iter().zip(documents).enumerate() {
                let vector = vectors.value(at);
                let vector = vector.as_any().downcast_ref::<Float32Array>();
                let vector = vector.ok_or_else(|| IndexError::Schema(name.to_owned()))?;
                rows.insert(chunk, (document, vector.values().to_vec()));
            }
        }
        Ok(rows)
    }

    /// Bytes of vectors currently cached in memory.
    pub async fn held_bytes(&self) -> u64 {
        self.held.bytes().await
    }

    /// Names of all tables in the store.
    pub async fn list_tables(&self) -> Result<Vec<String>, IndexError> {
        Ok(self.connection().await?.table_names().execute().await?)
    }

    /// Removes a table with all its files; an absent table is ignored.
    pub async fn drop_table(&self, name: &str, guard: &mut DeleteGuard) -> Result<(), IndexError> {
        guard.check().await?;
        self.tables.invalidate(name).await;
        self.held.forget(name).await;
        match self.connection().await?.drop_table(name, &[]).await.map_err(IndexError::from) {
            Err(IndexError::NoSuchTable(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Runs a read, and retries once on the current table version if a file was missing: a purge may have removed the
    /// files of the version that the open handle knew, or the table was recreated under its name.
    async fn read<T, F: Future<Output = Result<T, IndexError>>>(
        &self,
        name: &str,
        reading: impl Fn() -> F,
    ) -> Result<T, IndexError> {
        match self.explained(name, reading().await).await {
            Err(IndexError::Damaged(error)) => {
                tracing::info!(table = name, %error, "retried the read with the newest version");
                reading().await
            }
            result => result,
        }
    }

    /// Finds the cause of a store failure: an open table does not notice that its files were removed. Drops the handle
    /// and reopens the table; if it exists the failure stands, else it becomes [`IndexError::NoSuchTable`].
    async fn explained<T>(&self, name: &str, result: Result<T, IndexError>) -> Result<T, IndexError> {
        if matches!(result, Err(IndexError::Store(_) | IndexError::Damaged(_))) {
            self.tables.invalidate(name).await;
            if let Err(IndexError::NoSuchTable(name)) = self.table(name).await {
                return Err(IndexError::NoSuchTable(name));
            }
        }
        result
    }

    async fn table(&self, name: &str) -> Result<Table, IndexError> {
        if let Some(table) = self.tables.get(name).await {
            return Ok(table);
        }
        let table = self.connection().await?.open_table(name).execute().await?;
        self.tables.insert(name.to_string(), table.clone()).await;
        Ok(table)
    }
}

/// Terms are already analysed, so LanceDB only splits at spaces. No positions: there are no phrase queries, and
/// optimize has failed with them (lance issue 7653).
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
