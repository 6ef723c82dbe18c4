//! `knowledge.embed`

use tokio::time::Instant;

use super::{Embed, MAX_LOST_ATTEMPTS, Optimize, org};
use crate::{
    ChunkId, DocumentId, DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError,
    events::DocumentReady,
    metrics::Stage,
    store::{self, bases::IndexState, chunks::Pending, documents::Work},
};
use jobs::{JobContext, JobError};
use llm::{CallContext, EmbedModel, Failure, LlmError};
use platform::ids::OrgId;
use vectors::{IndexError, IndexRow, Tidied, table_name};

/// Chunks per step; each step creates a table version and reports progress.
const STEP: i64 = 128;
/// Stored as the model of a base without vectors; any real model then starts a new generation.
pub(super) const WORDS: &str = "words";
/// Vector dimensions of a table without vectors: LanceDB requires the column.
const WORDS_DIMS: usize = 1;

/// The index that a document's chunks are written to.
struct Target {
    org: OrgId,
    base: KnowledgeBaseId,
    document: DocumentId,
    /// `None`: no vectors, full-text search only.
    model: Option<EmbedModel>,
    /// Vector dimensions of the table.
    dims: usize,
    state: IndexState,
}

impl Knowledge {
    /// Each step is committed on its own: after a crash the next attempt continues where the last one stopped.
    pub(super) async fn run_embed(&self, context: &JobContext, job: Embed) -> Result<(), JobError> {
        let (org, id) = (org(context.org_id)?, job.document_id);
        if context.lost >= MAX_LOST_ATTEMPTS {
            return Ok(self.fail_after_crashes(org, id).await?);
        }
        let mut done = self.embed(context, org, &job).await;
        if let Err(KnowledgeError::Llm(error)) = &done
            && (is_missing(error) || (is_away(error) && context.is_last_attempt()))
        {
            tracing::warn!(document = %id, error = error as &dyn std::error::Error, "no embedding model: indexing without vectors");
            done = self.index_by_words(context, org, &job).await;
        }
        self.fail_on_last_attempt(context, org, id, done).await
    }

    async fn embed(&self, context: &JobContext, org: OrgId, job: &Embed) -> Result<(), KnowledgeError> {
        let Some(work) = self.work(org, job).await? else { return Ok(()) };
        let target = self.target(org, work.knowledge_base_id, job.document_id).await?;
        let Some(target) = target else { return Ok(()) };
        self.index(context, job, &work, &target).await
    }

    /// Indexes a document without vectors, so that full-text search finds it until the model is available.
    async fn index_by_words(&self, context: &JobContext, org: OrgId, job: &Embed) -> Result<(), KnowledgeError> {
        let Some(work) = self.work(org, job).await? else { return Ok(()) };
        let target = self.target_of_words(org, work.knowledge_base_id, job.document_id).await?;
        let Some(target) = target else { return Ok(()) };
        self.index(context, job, &work, &target).await
    }

    async fn work(&self, org: OrgId, job: &Embed) -> Result<Option<Work>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let work = store::documents::lock(&mut tx, job.document_id).await?;
        tx.commit().await?;
        Ok(work.filter(|work| work.status == DocumentStatus::Embedding))
    }

    async fn index(
        &self,
        context: &JobContext,
        job: &Embed,
        work: &Work,
        target: &Target,
    ) -> Result<(), KnowledgeError> {
        let (begin, org, id) = (Instant::now(), target.org, job.document_id);
        if job.replaces {
            self.remove_former(target, i64::from(work.chunks)).await?;
        }
        loop {
            let generation = target.state.index_generation;
            let mut tx = self.inner.db.tenant(org).await?;
            let step = store::chunks::unindexed(&mut tx, id, generation, STEP).await?;
            let left = store::chunks::count_unindexed(&mut tx, id, generation).await?;
            let percent = percent(left, i64::from(work.chunks));
            store::documents::set_progress(&mut tx, id, i16::from(percent), self.inner.clock.now()).await?;
            tx.commit().await?;
            context.progress(percent, "embedding");
            if step.is_empty() {
                break;
            }
            self.embed_step(target, step).await?;
        }
        let settled = self.finish(target).await?;
        self.inner.metrics.stage(Stage::Embed, begin.elapsed());
        if settled {
            self.settle(target).await?;
        }
        Ok(())
    }

    /// The target index; a base without a model gets its model here. `None` if the base is gone, or has another model:
    /// then a new generation is started, and this document is read again.
    async fn target(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        document: DocumentId,
    ) -> Result<Option<Target>, KnowledgeError> {
        let model = self.inner.llm.embedder().await?;
        let mut tx = self.inner.db.tenant(org).await?;
        store::bases::claim_model(&mut tx, base, &model.id).await?;
        let state = store::bases::index_state(&mut tx, base).await?;
        tx.commit().await?;
        match state {
            Some(state) if state.embedding_model == model.id => {
                let dims = model.dims;
                Ok(Some(Target { org, base, document, model: Some(model), dims, state }))
            }
            Some(state) => {
                // A base without vectors had a configured model that did not answer. Rebuilding it before the model
                // answers would send every document back to the start, again and again.
                if state.embedding_model == WORDS {
                    self.ask_model(org, base, &model).await?;
                }
                self.renew(org, base, &model).await?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// The target index for chunks without vectors: the base's existing table, or else a new table without vectors.
    async fn target_of_words(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        document: DocumentId,
    ) -> Result<Option<Target>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let Some(mut state) = store::bases::index_state(&mut tx, base).await? else { return Ok(None) };
        let dims = match self.inner.index.dimensions(&table_name(base.0, state.index_generation)).await {
            Ok(dims) => dims,
            // Overwriting the model's name loses nothing: there are no vectors of it. The next model starts a new
            // generation.
            Err(IndexError::NoSuchTable(_)) => {
                store::bases::set_model(&mut tx, base, WORDS).await?;
                WORDS.clone_into(&mut state.embedding_model);
                WORDS_DIMS
            }
            Err(error) => return Err(error.into()),
        };
        tx.commit().await?;
        Ok(Some(Target { org, base, document, model: None, dims, state }))
    }

    /// Removes the rows of an earlier reading from the index, once, before the first new chunk is written.
    async fn remove_former(&self, target: &Target, chunks: i64) -> Result<(), KnowledgeError> {
        let Target { org, base, document, state, .. } = target;
        let mut tx = self.inner.db.tenant(*org).await?;
        let left = store::chunks::count_unindexed(&mut tx, *document, state.index_generation).await?;
        tx.commit().await?;
        if left < chunks {
            return Ok(());
        }
        let lock = self.lock_index(*base).await?;
        let table = table_name(base.0, state.index_generation);
        match self.inner.index.delete_documents(&table, &[document.0]).await {
            Ok(()) | Err(IndexError::NoSuchTable(_)) => {}
            Err(error) => return Err(error.into()),
        }
        drop(lock);
        Ok(())
    }

    async fn embed_step(&self, target: &Target, step: Vec<Pending>) -> Result<(), KnowledgeError> {
        let Target { org, base, document, model, dims, state } = target;
        let table = table_name(base.0, state.index_generation);
        let texts: Vec<String> = step.iter().map(Pending::searchable).collect();
        let vectors = match model {
            Some(model) => {
                self.inner.llm.embed_passages(&CallContext::job(*org, "knowledge.embed"), model, &texts).await?
            }
            // A zero vector is near nothing, so vector searches do not find it.
            None => vec![vec![0.0; *dims]; texts.len()],
        };
        let ids: Vec<ChunkId> = step.iter().map(|pending| pending.id).collect();
        let hashes: Vec<Vec<u8>> = texts.iter().map(|text| llm::text_hash(text).to_vec()).collect();
        let rows = ids.iter().zip(texts).zip(vectors).map(|((chunk, text), vector)| IndexRow {
            chunk_id: chunk.0,
            document_id: document.0,
            text,
            vector,
        });
        let rows: Vec<IndexRow> = rows.collect();
        let lock = self.lock_index(*base).await?;
        // If a new generation was started while we embedded, its table is not ours to write.
        let mut tx = self.inner.db.tenant(*org).await?;
        let now = store::bases::index_state(&mut tx, *base).await?;
        tx.commit().await?;
        if now.as_ref().is_some_and(|now| now != state) {
            // Do not mark chunks for a table that was not written: the next attempt reads the new state.
            return Err(KnowledgeError::Busy);
        }
        if now.is_some() {
            if self.is_lost(target, &table).await? {
                return Err(KnowledgeError::Busy);
            }
            let written = async {
                self.inner.index.ensure_table(&table, *dims).await?;
                self.inner.index.upsert(&table, rows).await
            };
            if let Err(error) = written.await {
                if matches!(error, IndexError::Damaged(_)) {
                    self.compare(target).await?;
                }
                return Err(error.into());
            }
            self.tidy(target, &table, false).await?;
        }
        let mut tx = self.inner.db.tenant(*org).await?;
        let kept = store::chunks::mark_indexed(&mut tx, &ids, state.index_generation).await?;
        store::bases::touch_indexed(&mut tx, *base, self.inner.clock.now()).await?;
        if kept.len() < ids.len() {
            // Deleted meanwhile. The deletion's own job runs after this one and cleans the index, but it no longer
            // knows the cache keys.
            let gone = ids.iter().zip(hashes).filter(|(chunk, _)| !kept.contains(chunk)).map(|(_, hash)| hash);
            self.forget(&mut tx, &gone.collect::<Vec<_>>()).await?;
        }
        tx.commit().await?;
        drop(lock);
        Ok(())
    }

    /// Whether the table is gone although the base has chunks in it. Then a sync is queued, which rebuilds the whole
    /// table under another name. Recreating it here would give a table with only this document, at a path where caches
    /// still know the former table's files.
    async fn is_lost(&self, target: &Target, table: &str) -> Result<bool, KnowledgeError> {
        // Ask the store: a recently opened table answers from memory.
        let is_there = self.inner.index.list_tables().await?.iter().any(|name| name == table);
        match self.inner.index.dimensions(table).await {
            Ok(_) if is_there => return Ok(false),
            Ok(_) | Err(IndexError::NoSuchTable(_) | IndexError::Damaged(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let mut tx = self.inner.db.tenant(target.org).await?;
        let lost = store::chunks::count_indexed(&mut tx, target.base, target.state.index_generation).await? > 0;
        if lost {
            self.sync_soon(&mut tx, target.org, target.base).await?;
        }
        tx.commit().await?;
        Ok(lost)
    }

    /// Queues a comparison of the base's index with the database, which rebuilds a broken index.
    async fn compare(&self, target: &Target) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(target.org).await?;
        self.sync_soon(&mut tx, target.org, target.base).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Marks the document as ready. True if no other document of its base is being processed.
    async fn finish(&self, target: &Target) -> Result<bool, KnowledgeError> {
        let (id, words_only) = (target.document, target.model.is_none());
        let mut tx = self.inner.db.tenant(target.org).await?;
        let seconds = store::documents::set_ready(&mut tx, id, words_only, self.inner.clock.now()).await?;
        let settled = self.measure_if_outdated(&mut tx, target.org, target.base).await?;
        if seconds.is_some() {
            let event = DocumentReady { document_id: id, knowledge_base_id: target.base, words_only };
            events::publish(&mut tx, &self.inner.clock, Some(target.org), &event).await?;
        }
        tx.commit().await?;
        if let Some(seconds) = seconds {
            self.inner.metrics.ready(id, seconds, words_only);
        }
        Ok(settled)
    }

    /// Updates the index once the base has no more pending documents: people search a base right after filling it.
    async fn settle(&self, target: &Target) -> Result<(), KnowledgeError> {
        let Target { org, base, state, .. } = target;
        let lock = match self.lock_index(*base).await {
            // The current writer or the next maintenance round will do it.
            Err(KnowledgeError::Busy) => return Ok(()),
            lock => lock?,
        };
        let mut tx = self.inner.db.tenant(*org).await?;
        let now = store::bases::index_state(&mut tx, *base).await?;
        tx.commit().await?;
        if now.as_ref() != Some(state) {
            return Ok(());
        }
        let tidied = self.tidy(target, &table_name(base.0, state.index_generation), true).await?;
        if tidied.is_some_and(|tidied| tidied.wants_vector_index) {
            let mut tx = self.inner.db.tenant(*org).await?;
            let job = Optimize { knowledge_base_id: *base };
            jobs::enqueue(&mut tx, &self.inner.clock, Some(*org), &job, &Optimize::options(*base)).await?;
            tx.commit().await?;
        }
        drop(lock);
        Ok(())
    }

    /// The caller holds the lock. A failure is only counted and logged: unindexed rows are still found by scanning, and
    /// maintenance retries.
    async fn tidy(&self, target: &Target, table: &str, settled: bool) -> Result<Option<Tidied>, KnowledgeError> {
        let begin = Instant::now();
        let tidied = self.inner.index.tidy(table, settled).await;
        // Writes may succeed after the table was lost, as long as the open handle knows enough of it.
        if matches!(tidied, Err(IndexError::Damaged(_))) {
            self.compare(target).await?;
        }
        Ok(self.inner.metrics.tidied(target.base, begin.elapsed(), tidied))
    }
}

/// Whether the model is unavailable in a way that a short wait does not fix.
pub(super) fn is_missing(error: &LlmError) -> bool {
    match error {
        LlmError::EmbeddingModel(_) | LlmError::UnknownModel(_) | LlmError::UnknownProvider(_) => true,
        error => {
            use Failure::{Auth, Billing, Forbidden, ModelNotFound, Quota};
            matches!(error.failure(), Some(Auth | Billing | Quota | Forbidden | ModelNotFound))
        }
    }
}

/// Whether the model is busy or unreachable, so that a retry may help.
fn is_away(error: &LlmError) -> bool {
    use Failure::{Cut, Loading, Overloaded, RateLimited, Server, Timeout, Unreachable};
    let failure = error.failure();
    matches!(failure, Some(RateLimited | Overloaded | Loading | Server | Unreachable | Timeout | Cut))
}

fn percent(left: i64, total: i64) -> u8 {
    let done = (total - left).max(0);
    u8::try_from(done * 100 / total.max(1)).unwrap_or(100).min(100)
}
