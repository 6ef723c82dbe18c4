//! `knowledge.maintain`, `knowledge.optimize`, `knowledge.selftest`

use std::{collections::HashSet, time::Duration};

use chrono::TimeDelta;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Embed, Extract, Maintain, Optimize, SelfTest, or_snooze, org};
use crate::{
    jobs::{self, JobContext, JobError},
    knowledge::{
        DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError,
        index::{self, IndexError, Retention, table_name},
        metrics::Update,
        model::searchable_text,
        store::{self, chunks::Pending, system::AnyBase},
    },
    llm::{CallContext, EmbedModel, InputKind},
    platform::ids::OrgId,
};

/// Old versions are kept this long for readers that began before: no search takes an hour.
const KEEP_VERSIONS: Duration = Duration::from_secs(3600);
/// A document that nothing has happened to for this long is looked after.
const ABANDONED: TimeDelta = TimeDelta::minutes(10);
/// Passages that a self-test chooses from.
const SAMPLE: i64 = 500;
/// Texts that a self-test embeds between two looks at the traffic.
const PIECE: usize = 16;
/// So long each of these waits for a quiet moment.
const PATIENCE: Duration = Duration::from_secs(5);

impl Knowledge {
    pub(super) async fn run_maintain(&self, _: &JobContext, _: Maintain) -> Result<(), JobError> {
        let mut tx = self.inner.db.system().await?;
        let mut bases = store::system::bases(&mut tx).await?;
        tx.commit().await?;
        let tables: HashSet<String> =
            self.inner.index.list_tables().await.map_err(JobError::retry)?.into_iter().collect();
        // A table that is gone is noticed even where nobody searches.
        let lost = |base: &AnyBase| base.indexed && !tables.contains(&table_name(base.id.0, base.index_generation));
        bases.retain(|base| base.unoptimized || lost(base));
        for base in bases {
            let mut tx = self.inner.db.tenant(base.org_id).await?;
            if lost(&base) {
                self.sync_soon(&mut tx, base.org_id, base.id).await?;
            } else {
                let job = Optimize { knowledge_base_id: base.id };
                jobs::enqueue(&mut tx, &self.inner.clock, Some(base.org_id), &job, &Optimize::options(base.id)).await?;
            }
            tx.commit().await?;
        }
        self.fail_abandoned().await.map_err(or_snooze)?;
        self.embed_words_only().await.map_err(or_snooze)?;
        self.inner.metrics.looked_after(self.inner.clock.now());
        Ok(())
    }

    /// Documents whose job ended without their knowledge (cancelled, out of time, given up with its worker) have failed: people see it and can
    /// try again, where they would wait for ever.
    pub async fn fail_abandoned(&self) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.system().await?;
        let unfinished = store::system::unfinished(&mut tx, self.inner.clock.now() - ABANDONED).await?;
        tx.commit().await?;
        for (org, id) in unfinished {
            let mut tx = self.inner.db.tenant(org).await?;
            // Locked: who moves the document on queues the next job in the same transaction.
            let Some(work) = store::documents::lock(&mut tx, id).await? else { continue };
            let key = id.to_string();
            if matches!(work.status, DocumentStatus::Ready | DocumentStatus::Failed)
                || jobs::is_live::<Extract>(&mut tx, org, &key).await?
                || jobs::is_live::<Embed>(&mut tx, org, &key).await?
            {
                continue;
            }
            let (code, reason) = ("internal", "its job ended without a result: try again");
            store::documents::set_failed(&mut tx, id, code, reason, self.inner.clock.now()).await?;
            self.measure_if_outdated(&mut tx, org, work.knowledge_base_id).await?;
            self.publish_failed(&mut tx, org, work.knowledge_base_id, id, code).await?;
            tx.commit().await?;
            self.inner.metrics.failed(id, code, reason);
        }
        Ok(())
    }

    /// Documents that were indexed by their words alone get their vectors, where the model is there by now.
    pub async fn embed_words_only(&self) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.system().await?;
        let bases = store::system::words_only(&mut tx).await?;
        tx.commit().await?;
        if bases.is_empty() {
            return Ok(());
        }
        let llm = &self.inner.llm;
        let Ok(model) = llm.embedder().await else { return Ok(()) };
        for (org, base) in bases {
            if self.ask_model(org, base, &model).await.is_ok() {
                self.embed_base_of_words(org, base, &model).await?;
            }
        }
        Ok(())
    }

    /// Whether the model answers: the configuration alone does not say that.
    pub(super) async fn ask_model(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        model: &EmbedModel,
    ) -> Result<(), KnowledgeError> {
        // In no document, so in no cache.
        let text = [format!("does the embedding model answer? {base}")];
        let call = CallContext::job(org, "knowledge.maintain");
        self.inner.llm.embed(&call, model, InputKind::Passage, &text).await?;
        Ok(())
    }

    async fn embed_base_of_words(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        model: &EmbedModel,
    ) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let state = store::bases::index_state(&mut tx, base).await?;
        if state.is_none_or(|state| state.embedding_model != model.id) {
            drop(tx);
            return self.renew(org, base, model).await;
        }
        // Passages that were cut without the model at hand may be longer than its window.
        let local = self.inner.llm.local_embedder_if_configured().await?.is_some();
        let to = if local { DocumentStatus::Queued } else { DocumentStatus::Embedding };
        let now = self.inner.clock.now();
        let documents = store::documents::requeue_words_only(&mut tx, base, to, now).await?;
        store::chunks::unmark_indexed(&mut tx, &documents).await?;
        for id in &documents {
            self.enqueue_for(&mut tx, org, base, *id, to).await?;
        }
        tx.commit().await?;
        let count = documents.len();
        tracing::info!(knowledge_base = %base, documents = count, "the embedding model is there: {base} gets its vectors");
        Ok(())
    }

    pub(super) async fn run_optimize(&self, context: &JobContext, job: Optimize) -> Result<(), JobError> {
        self.optimize(org(context.org_id)?, job.knowledge_base_id).await.map_err(or_snooze)
    }

    async fn optimize(&self, org: OrgId, base: KnowledgeBaseId) -> Result<(), KnowledgeError> {
        let lock = self.lock_index(base).await?;
        let began = self.inner.clock.now();
        let mut tx = self.inner.db.tenant(org).await?;
        let state = store::bases::index_state(&mut tx, base).await?;
        tx.commit().await?;
        let Some(state) = state else { return Ok(()) };
        let table = table_name(base.0, state.index_generation);
        let asked = Instant::now();
        let mut report = match self.inner.index.optimize(&table, Retention::Keep(KEEP_VERSIONS)).await {
            Ok(report) => {
                self.inner.metrics.updated_index(Update::Thorough, asked.elapsed());
                report
            }
            Err(IndexError::NoSuchTable(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match self.may_delete().await {
            Ok(mut may_delete) => {
                self.inner.index.prune(&table, Retention::Keep(KEEP_VERSIONS), &mut report, &mut may_delete).await?;
            }
            // The next maintenance finds the base as it found it now.
            Err(KnowledgeError::Busy) => {
                tracing::info!(knowledge_base = %base, "old versions of the index of {base} stay until the backup is made");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.inner.metrics.maintained(base, &report.failures);
        let mut tx = self.inner.db.tenant(org).await?;
        if report.failures.is_empty() {
            store::bases::touch_optimized(&mut tx, base, began).await?;
        } else if report.failures.iter().any(|(_, error)| matches!(error, IndexError::Damaged(_))) {
            self.sync_soon(&mut tx, org, base).await?;
        }
        tx.commit().await?;
        tracing::debug!(knowledge_base = %base, bytes_removed = report.bytes_removed, "index of {base} optimised");
        drop(lock);
        Ok(())
    }

    /// Queues a self-test where the last one says nothing about the base as it is now. True when the base has settled: it has passages,
    /// and no document is on its way.
    pub(super) async fn measure_if_outdated(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        base: KnowledgeBaseId,
    ) -> Result<bool, KnowledgeError> {
        let Some(base) = store::bases::get(&mut *conn, base).await? else { return Ok(false) };
        let passages = usize::try_from(base.chunks).unwrap_or_default();
        // Measured when the base has settled, not after each of a hundred uploads.
        // Without a model there is nothing to measure.
        let settled = passages > 0 && base.documents_pending() == 0 && base.documents_words_only == 0;
        if settled && base.weights.is_none_or(|weights| weights.0.outdated(passages)) {
            let job = SelfTest { knowledge_base_id: base.id };
            jobs::enqueue(conn, &self.inner.clock, Some(org), &job, &SelfTest::options(base.id)).await?;
        }
        Ok(settled)
    }

    pub(super) async fn run_selftest(&self, context: &JobContext, job: SelfTest) -> Result<(), JobError> {
        self.selftest(org(context.org_id)?, job.knowledge_base_id).await.map_err(or_snooze)
    }

    async fn selftest(&self, org: OrgId, id: KnowledgeBaseId) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let base = store::bases::get(&mut tx, id).await?;
        let sample = store::chunks::sample(&mut tx, id, SAMPLE).await?;
        tx.commit().await?;
        let Some(base) = base else { return Ok(()) };
        let passages = usize::try_from(base.chunks).unwrap_or_default();
        let sample = sample.into_iter().map(|Pending { heading, table_header, text, .. }| {
            let context = searchable_text(&heading, table_header.as_deref(), "").trim_end_matches('\n').to_owned();
            index::Sample { context, text }
        });
        let sample: Vec<_> = sample.collect();
        let test = self.inner.background.run(move || index::SelfTest::plan(&sample, passages)).await?;
        let model = self.inner.llm.embedder().await?;
        let questions = self.embed_aside(org, &model, InputKind::Query, &test.queries).await?;
        // The pool's vectors lie in the cache since its passages were indexed; what is made here is not kept.
        let pool = self.embed_aside(org, &model, InputKind::Passage, &test.pool).await?;
        let rests = self.embed_aside(org, &model, InputKind::Passage, &test.rests).await?;
        let weights = self.inner.background.run(move || test.measure(&questions, &pool, &rests)).await?;
        let mut tx = self.inner.db.tenant(org).await?;
        store::bases::set_weights(&mut tx, id, &weights).await?;
        tx.commit().await?;
        let all = &weights.other;
        tracing::info!(knowledge_base = %id, passages, questions = all.queries, vector_ndcg = all.vector_ndcg,
            text_ndcg = all.text_ndcg, hybrid_ndcg = all.hybrid_ndcg, "self-test of {id}");
        Ok(())
    }

    /// Vectors for a self-test, made while nobody asks anything: people who ask a base that they have just filled would wait for it.
    async fn embed_aside(
        &self,
        org: OrgId,
        model: &EmbedModel,
        kind: InputKind,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, KnowledgeError> {
        let call = CallContext::job(org, "knowledge.selftest");
        let mut vectors = Vec::with_capacity(texts.len());
        for piece in texts.chunks(PIECE) {
            self.inner.traffic.quiet(PATIENCE).await;
            vectors.extend(self.inner.llm.embed(&call, model, kind, piece).await?);
        }
        Ok(vectors)
    }
}
