//! [`Knowledge`]: the rules for bases, documents and searches.

mod bases;
mod demo;
mod documents;
mod reading;
mod search;
mod strength;
mod upload;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::sync::Semaphore;

pub use search::MAX_QUERY_CHARS;
pub use upload::{Rejected, Upload};

use super::{
    Config, KnowledgeBaseId, KnowledgeError, Metrics, Users,
    extract::ocr::Programs,
    index::{IndexError, TableStats, VectorIndex},
    metrics::Counted,
    store,
};
use jobs::{By, Loops};
use llm::Llm;
use platform::{
    clock::Clock,
    db::{Db, SessionLock},
    lifecycle::Lifecycle,
    pools::{CpuPool, Traffic},
};
use storage::{DeleteGuard, Deletions, Storage, StorageError};

/// Prometheus usually asks as often.
const GAUGES_EVERY: Duration = Duration::from_secs(15);
/// The index is measured on every 20th refresh of the gauges: every five minutes.
const INDEX_EVERY: u32 = 20;

#[derive(Clone)]
pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    /// Our folder of the object store: see [`super::OBJECTS`].
    pub storage: Storage,
    pub deletions: Deletions,
    pub index: VectorIndex,
    /// The files of `index`.
    pub index_files: Storage,
    pub llm: Llm,
    pub cpu: CpuPool,
    pub traffic: Traffic,
    pub metrics: Metrics,
    /// The binary with the subcommand `extract-child`: `/proc/self/exe`, which stays valid when an upgrade replaces the
    /// file.
    pub extractor: PathBuf,
}

/// The knowledge service. Cheap to clone.
#[derive(Clone)]
pub struct Knowledge {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub storage: Storage,
    pub deletions: Deletions,
    pub index: VectorIndex,
    pub index_files: Storage,
    pub llm: Llm,
    /// For work that an upload waits for.
    pub cpu: CpuPool,
    /// For document processing, which may take minutes and must not delay uploads.
    pub background: CpuPool,
    pub traffic: Traffic,
    pub metrics: Metrics,
    pub extractor: PathBuf,
    /// Limits concurrent child processes: each may use `extract_memory_mib`.
    pub extractions: Semaphore,
    /// Who uses the bases: a room above this one knows.
    pub users: OnceLock<Arc<dyn Users>>,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knowledge").finish_non_exhaustive()
    }
}

impl Knowledge {
    pub fn new(config: Config, deps: Deps) -> Self {
        let Deps { db, clock, storage, deletions, index, index_files, llm, cpu, traffic, metrics, extractor } = deps;
        let background = CpuPool::background(std::thread::available_parallelism().map_or(2, usize::from));
        let extractions = Semaphore::new(config.extract_processes.max(1));
        let inner = Inner {
            config,
            db,
            clock,
            storage,
            deletions,
            index,
            index_files,
            llm,
            cpu,
            background,
            traffic,
            metrics,
            extractor,
            extractions,
            users: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Largest file accepted, bytes.
    pub fn max_upload_bytes(&self) -> u64 {
        self.inner.config.max_upload_bytes
    }

    pub fn max_upload_files(&self) -> usize {
        self.inner.config.max_upload_files
    }

    /// Installed OCR languages; `None` if the OCR programs are missing.
    pub async fn ocr_languages(&self) -> Option<Vec<String>> {
        let programs = Programs::find(&self.inner.config.ocr_folder);
        if !programs.missing().is_empty() {
            return None;
        }
        // `osd` is not a language: it detects page orientation.
        Some(programs.languages().await.into_iter().filter(|language| language != "osd").collect())
    }

    /// Starts its loops, and compares the index with the database once.
    pub fn start(&self, loops: &Loops, lifecycle: &Lifecycle) {
        self.start_loops(loops);
        let knowledge = self.clone();
        lifecycle.spawn("knowledge.start", async move {
            if let Err(error) = knowledge.reconcile_soon().await {
                tracing::warn!(%error, "cannot compare the search index with the database");
            }
        });
    }

    /// Starts refreshing the gauges.
    fn start_loops(&self, loops: &Loops) {
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let mut turn = 0_u32;
        let read = move || {
            let (knowledge, measures) = (this.clone(), turn.is_multiple_of(INDEX_EVERY));
            turn = turn.wrapping_add(1);
            async move {
                knowledge.refresh_gauges().await?;
                if measures {
                    knowledge.measure_index().await?;
                }
                Ok(())
            }
        };
        loops.figures("knowledge.gauges", GAUGES_EVERY, read, move || forget.forget_figures());
        let this = self.clone();
        loops.every("knowledge.held_vectors", GAUGES_EVERY, By::EveryProcess, move || {
            let this = this.clone();
            async move {
                this.inner.metrics.holds(this.inner.index.held_bytes().await);
                Ok(())
            }
        });
    }

    async fn refresh_gauges(&self) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.system().await?;
        let (statuses, chunks) = store::system::counts(&mut tx).await?;
        let bases = store::system::bases(&mut tx).await?.len();
        let (doubted, words_only) = store::system::doubted(&mut tx).await?;
        tx.commit().await?;
        self.inner.metrics.counted(&statuses, &Counted { bases, chunks, doubted, words_only });
        Ok(())
    }

    /// Sets the gauges of the index. Reads all tables and lists all files: on S3 a listing and several reads per base.
    pub async fn measure_index(&self) -> Result<(), KnowledgeError> {
        let mut sum = TableStats::default();
        let tables = self.inner.index.list_tables().await?;
        for table in &tables {
            match self.inner.index.stats(table).await {
                Ok(stats) => {
                    sum.unindexed_rows += stats.unindexed_rows;
                    sum.fragments += stats.fragments;
                    sum.versions += stats.versions;
                }
                // Dropped since the tables were listed.
                Err(IndexError::NoSuchTable(_) | IndexError::Damaged(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let bytes = self.inner.index_files.size().await?;
        self.inner.metrics.measured_index(tables.len(), &sum, bytes);
        Ok(())
    }

    /// Checks that the files of the index can be read.
    pub async fn probe_index_files(&self) -> Result<(), StorageError> {
        self.inner.index_files.probe().await
    }

    /// The guard for deleting objects and index files; [`KnowledgeError::Busy`] while a backup runs.
    pub(super) async fn may_delete(&self) -> Result<DeleteGuard, KnowledgeError> {
        self.inner.deletions.permit().await.map_err(|error| match error {
            StorageError::Held => KnowledgeError::Busy,
            error => error.into(),
        })
    }

    /// The exclusive write lock of a base's index. A lease alone does not stop a writer that was paused and lost it;
    /// this lock is held until its connection ends. [`KnowledgeError::Busy`] while another process holds it.
    pub(super) async fn lock_index(&self, base: KnowledgeBaseId) -> Result<SessionLock, KnowledgeError> {
        self.inner.db.try_session_lock(&format!("knowledge.index:{base}")).await?.ok_or(KnowledgeError::Busy)
    }
}
