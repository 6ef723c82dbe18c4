//! `knowledge.embed`

use tokio::time::Instant;

use super::{Embed, Optimize, org};
use crate::{
    jobs::{self, JobContext, JobError},
    knowledge::{
        ChunkId, DocumentId, DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError,
        index::{IndexRow, Tidied, table_name},
        metrics::Stage,
        model::searchable_text,
        store::{self, bases::IndexState, chunks::Pending},
    },
    llm::{self, CallContext, EmbedModel},
    platform::ids::OrgId,
};

/// Passages of one step: each step is a version of the table, and shows progress.
const STEP: i64 = 128;

/// Where a document's passages go.
struct Target {
    org: OrgId,
    base: KnowledgeBaseId,
    document: DocumentId,
    model: EmbedModel,
    state: IndexState,
}

impl Knowledge {
    /// Every step is kept by itself: an attempt after a killed process goes on where the last one ended.
    pub(super) async fn run_embed(&self, context: &JobContext, job: Embed) -> Result<(), JobError> {
        let (org, id) = (org(context.org_id)?, job.document_id);
        let embedded = self.embed(context, org, id).await;
        self.or_last_words(context, org, id, embedded).await
    }

    async fn embed(&self, context: &JobContext, org: OrgId, id: DocumentId) -> Result<(), KnowledgeError> {
        let begin = Instant::now();
        let mut tx = self.inner.db.tenant(org).await?;
        let work = store::documents::lock(&mut tx, id).await?;
        tx.commit().await?;
        let Some(work) = work.filter(|work| work.status == DocumentStatus::Embedding) else { return Ok(()) };
        let Some(target) = self.target(org, work.knowledge_base_id, id).await? else { return Ok(()) };
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
            self.embed_step(&target, step).await?;
        }
        let settled = self.finish(org, work.knowledge_base_id, id).await?;
        self.inner.metrics.stage(Stage::Embed, begin.elapsed());
        if settled {
            self.settle(&target).await?;
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
            Some(state) if state.embedding_model == model.id => Ok(Some(Target { org, base, document, model, state })),
            Some(_) => {
                self.renew(org, base, &model).await?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn embed_step(&self, target: &Target, step: Vec<Pending>) -> Result<(), KnowledgeError> {
        let Target { org, base, document, model, state } = target;
        let table = table_name(base.0, state.index_generation);
        let texts: Vec<String> = step.iter().map(|pending| searchable_text(&pending.heading, &pending.text)).collect();
        let vectors = self.inner.llm.embed_passages(&CallContext::job(*org, "knowledge.embed"), model, &texts).await?;
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
            let new = self.inner.index.ensure_table(&table, model.dims).await?;
            self.inner.index.upsert(&table, rows).await?;
            self.tidy(*base, &table, false).await;
            if new {
                // A table of an old base may be new because it was lost: then other documents miss in it.
                let mut tx = self.inner.db.tenant(*org).await?;
                if store::chunks::count_indexed(&mut tx, *base, state.index_generation).await? > 0 {
                    self.sync_soon(&mut tx, *org, *base).await?;
                }
                tx.commit().await?;
            }
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

    /// The document is ready. True when no other one of its base is on its way.
    async fn finish(&self, org: OrgId, base: KnowledgeBaseId, id: DocumentId) -> Result<bool, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let seconds = store::documents::set_ready(&mut tx, id, self.inner.clock.now()).await?;
        let settled = self.measure_if_outdated(&mut tx, org, base).await?;
        tx.commit().await?;
        if let Some(seconds) = seconds {
            self.inner.metrics.ready(id, seconds);
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
        let tidied = self.tidy(*base, &table_name(base.0, state.index_generation), true).await;
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
    async fn tidy(&self, base: KnowledgeBaseId, table: &str, settled: bool) -> Option<Tidied> {
        let begin = Instant::now();
        let tidied = self.inner.index.tidy(table, settled).await;
        self.inner.metrics.tidied(base, begin.elapsed(), tidied)
    }
}

fn percent(left: i64, total: i64) -> u8 {
    let done = (total - left).max(0);
    u8::try_from(done * 100 / total.max(1)).unwrap_or(100).min(100)
}
