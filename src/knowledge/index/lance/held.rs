//! In-memory cache of the vectors of tables without a vector index.
//!
//! An exact comparison of ten thousand vectors takes 1 ms, but LanceDB takes 10 ms to read and copy them from its files
//! on every search. An entry holds one version of a table and is reloaded when a newer version is searched.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Array, FixedSizeListArray, Float32Array};
use futures::StreamExt as _;
use lancedb::Table;
use lancedb::query::{ExecutableQuery as _, QueryBase as _, Select};
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use uuid::Uuid;

use super::{Hit, IndexError, rows::uuids};

/// Evicted this long after the last search.
const IDLE: Duration = Duration::from_mins(10);
/// Numbers multiplied in parallel, matching SIMD width.
const LANES: usize = 16;

/// One version of a table.
pub(super) struct Held {
    version: u64,
    /// Chunk and document of each vector.
    ids: Vec<(Uuid, Uuid)>,
    /// All vectors, concatenated.
    vectors: Vec<f32>,
    dims: usize,
}

/// Recently searched tables, within a budget of bytes. Cheap to clone.
#[derive(Clone)]
pub(super) struct HeldTables {
    tables: Cache<String, Arc<Held>>,
    budget: u64,
}

impl HeldTables {
    pub fn new(budget: usize) -> Self {
        let tables = Cache::builder()
            .max_capacity(budget as u64)
            .weigher(|_, held: &Arc<Held>| u32::try_from(held.bytes()).unwrap_or(u32::MAX))
            // LRU, not by frequency: the table that is searched now matters most.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE)
            .build();
        Self { tables, budget: budget as u64 }
    }

    pub async fn bytes(&self) -> u64 {
        // moka updates its sums lazily.
        self.tables.run_pending_tasks().await;
        self.tables.weighted_size()
    }

    pub async fn forget(&self, name: &str) {
        self.tables.invalidate(name).await;
    }

    /// The current version of the table; `None` if it would take more than half of the budget.
    pub async fn of(
        &self,
        name: &str,
        table: &Table,
        rows: usize,
        dims: usize,
    ) -> Result<Option<Arc<Held>>, IndexError> {
        if size(rows, dims) as u64 > self.budget / 2 {
            return Ok(None);
        }
        let version = table.version().await?;
        if let Some(held) = self.tables.get(name).await.filter(|held| held.version == version) {
            return Ok(Some(held));
        }
        // One search loads the table; concurrent ones wait for it.
        let read = self.tables.entry_by_ref(name).and_try_compute_with(async |found| {
            if found.is_some_and(|found| found.value().version == version) {
                return Ok::<_, IndexError>(Op::Nop);
            }
            Ok(Op::Put(Arc::new(Held::read(name, table, version, dims).await?)))
        });
        Ok(match read.await? {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Some(entry.into_value())
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => None,
        })
    }
}

fn size(rows: usize, dims: usize) -> usize {
    rows * (dims * size_of::<f32>() + size_of::<(Uuid, Uuid)>())
}

impl Held {
    async fn read(name: &str, table: &Table, version: u64, dims: usize) -> Result<Self, IndexError> {
        let columns = Select::columns(&["chunk_id", "document_id", "vector"]);
        let mut batches = table.query().select(columns).execute().await?;
        let schema = || IndexError::Schema(name.to_owned());
        let mut held = Self { version, ids: Vec::new(), vectors: Vec::new(), dims };
        while let Some(batch) = batches.next().await.transpose()? {
            let (chunks, documents) = (uuids(name, &batch, "chunk_id")?, uuids(name, &batch, "document_id")?);
            let vectors = batch.column_by_name("vector").and_then(|c| c.as_any().downcast_ref::<FixedSizeListArray>());
            for (ids, vector) in chunks.into_iter().zip(documents).zip(vectors.ok_or_else(schema)?.iter()) {
                let vector = vector.ok_or_else(schema)?;
                let vector = vector.as_any().downcast_ref::<Float32Array>().ok_or_else(schema)?.values();
                // A zero vector marks a chunk without a vector, which is near nothing.
                if vector.iter().any(|number| *number != 0.0) {
                    held.ids.push(ids);
                    held.vectors.extend_from_slice(vector);
                }
            }
        }
        Ok(held)
    }

    fn bytes(&self) -> usize {
        size(self.ids.len(), self.dims)
    }

    /// Like [`super::VectorIndex::vector_search`]; the order of equally near hits is arbitrary.
    pub fn nearest(&self, vector: &[f32], limit: usize) -> Vec<Hit> {
        let mut scored: Vec<(f32, usize)> =
            self.vectors.chunks_exact(self.dims).enumerate().map(|(at, other)| (dot(vector, other), at)).collect();
        let nearer = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0);
        if limit < scored.len() {
            scored.select_nth_unstable_by(limit, nearer);
            scored.truncate(limit);
        }
        scored.sort_unstable_by(nearer);
        let hit = |(score, at): (f32, usize)| {
            let (chunk_id, document_id) = self.ids[at];
            Hit { chunk_id, document_id, score }
        };
        scored.into_iter().map(hit).collect()
    }
}

/// The cosine similarity of two unit vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}
