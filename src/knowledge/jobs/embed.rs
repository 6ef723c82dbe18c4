//! `knowledge.embed`

use tokio::time::Instant;

use super::{Embed, MOST_LOST, Optimize, org};
use crate::{
    events,
    jobs::{self, JobContext, JobError},
    knowledge::{
        ChunkId, DocumentId, DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError,
        events::DocumentReady,
        index::{IndexError, IndexRow, Tidied, table_name},
        metrics::Stage,
        store::{self, bases::IndexState, chunks::Pending, documents::Work},
    },
    llm::{self, CallContext, EmbedModel, Failure, LlmError},
    platform::ids::OrgId,
};

/// Passages of one step: each step is a version of the table, and shows progress.
const STEP: i64 = 128;
/// The model's name of a base that has no vectors: any other starts a generation.
pub(super) const WORDS: &str = "words";
/// Of a table without vectors: LanceDB wants a column of them.
const WORDS_DIMS: usize = 1;

/// Where a document's passages go, and what they take along.
struct Target {
    org: OrgId,
    base: KnowledgeBaseId,
    document: DocumentId,
    /// `None`: no vectors, they are found by their words alone.
    model: Option<EmbedModel>,
    /// Of the table.
    dims: usize,
    state: IndexState,
}

impl Knowledge {
    /// Every step is kept by itself: an attempt after a killed process goes on where the last one ended.
    pub(super) async fn run_embed(&self, context: &JobContext, job: Embed) -> Result<(), JobError> {
        let (org, id) = (org(context.org_id)?, job.document_id);
        if context.lost >= MOST_LOST {
            return Ok(self.fail_as_killer(org, id).await?);
        }
        let mut done = self.embed(context, org, &job).await;
        if let Err(KnowledgeError::Llm(error)) = &done
            && (is_missing(error) || (is_away(error) && context.is_last_attempt()))
        {
            tracing::warn!(document = %id, error = error as &dyn std::error::Error, "no embedding model: indexing by words");
            done = self.index_by_words(context, org, &job).await;
        }
        self.or_last_words(context, org, id, done).await
    }

    async fn embed(&self, context: &JobContext, org: OrgId, job: &Embed) -> Result<(), KnowledgeError> {
        let Some(work) = self.work(org, job).await? else { return Ok(()) };
        let target = self.target(org, work.knowledge_base_id, job.document_id).await?;
        let Some(target) = target else { return Ok(()) };
        self.index(context, job, &work, &target).await
    }

    /// A document that the model is missing for is found by its words until it is there.
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

    /// Where the passages go; the base gets its model here when it has none yet. `None` when the base is gone, or was
    /// made with another model: then a new generation begins, and this document is read again.
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
                // A base of words has no vectors because a model that is configured did not answer. As long as it does not, renewing the
                // base for it would take every document back to its begin, again and again.
                if state.embedding_model == WORDS {
                    self.ask_model(org, base, &model).await?;
                }
                self.renew(org, base, &model).await?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Where passages without vectors go: beside those with vectors where the base has some, else into a table of words.
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
            // Nothing is lost with the model's name: there is no vector of it. The model that comes starts a generation.
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

    /// Takes out of the index what the document had there before it was read again; once, before its first passage goes in.
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
            // Near to nothing: no search by meaning finds them.
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
        // Another generation may have begun while we embedded: its table is not ours to write.
        let mut tx = self.inner.db.tenant(*org).await?;
        let now = store::bases::index_state(&mut tx, *base).await?;
        tx.commit().await?;
        if now.as_ref().is_some_and(|now| now != state) {
            // Nothing may be marked for a table that was not written: the next attempt reads the new state.
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
            // Deleted meanwhile. The deletion's own job comes after this one and cleans the index, but it no longer
            // knows what to take out of the cache.
            let gone = ids.iter().zip(hashes).filter(|(chunk, _)| !kept.contains(chunk)).map(|(_, hash)| hash);
            self.forget(&mut tx, &gone.collect::<Vec<_>>()).await?;
        }
        tx.commit().await?;
        drop(lock);
        Ok(())
    }

    /// Whether the table is gone although the base has passages in it. Then a comparison is queued, which makes it again with all of
    /// them and under another name: made here it would hold this document alone, where caches still know the former table's files.
    async fn is_lost(&self, target: &Target, table: &str) -> Result<bool, KnowledgeError> {
        // The store is asked: a table that was open a moment ago answers from memory.
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

    /// Queues a comparison of the base's index with the database, which makes the index again where it is broken.
    async fn compare(&self, target: &Target) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(target.org).await?;
        self.sync_soon(&mut tx, target.org, target.base).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The document is ready. True when no other one of its base is on its way.
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

    /// Brings the index up to date now that nothing more is on its way: people ask a base that they have just filled.
    async fn settle(&self, target: &Target) -> Result<(), KnowledgeError> {
        let Target { org, base, state, .. } = target;
        let lock = match self.lock_index(*base).await {
            // Whoever writes there now, or the next round of maintenance, does it.
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

    /// The caller holds the lock. A failure is counted and logged and no more: the rows are found all the same, and maintenance tries
    /// again.
    async fn tidy(&self, target: &Target, table: &str, settled: bool) -> Result<Option<Tidied>, KnowledgeError> {
        let begin = Instant::now();
        let tidied = self.inner.index.tidy(table, settled).await;
        // A write succeeds where the table was lost a moment ago and its open handle still knows enough of it.
        if matches!(tidied, Err(IndexError::Damaged(_))) {
            self.compare(target).await?;
        }
        Ok(self.inner.metrics.tidied(target.base, begin.elapsed(), tidied))
    }
}

/// Whether the model is not there: waiting a moment does not help.
pub(super) fn is_missing(error: &LlmError) -> bool {
    match error {
        LlmError::EmbeddingModel(_) | LlmError::UnknownModel(_) | LlmError::UnknownProvider(_) => true,
        error => {
            use Failure::{Auth, Billing, Forbidden, ModelNotFound, Quota};
            matches!(error.failure(), Some(Auth | Billing | Quota | Forbidden | ModelNotFound))
        }
    }
}

/// Whether the model is busy or out of reach: trying again may help.
fn is_away(error: &LlmError) -> bool {
    use Failure::{Cut, Loading, Overloaded, RateLimited, Server, Timeout, Unreachable};
    let failure = error.failure();
    matches!(failure, Some(RateLimited | Overloaded | Loading | Server | Unreachable | Timeout | Cut))
}

fn percent(left: i64, total: i64) -> u8 {
    let done = (total - left).max(0);
    u8::try_from(done * 100 / total.max(1)).unwrap_or(100).min(100)
}
