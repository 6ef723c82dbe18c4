//! `knowledge.maintain`, `knowledge.optimize`, `knowledge.selftest`

use std::{collections::HashSet, time::Duration};

use chrono::TimeDelta;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Embed, Extract, Maintain, Optimize, SelfTest, or_snooze, org};
use crate::{
    DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError,
    metrics::Update,
    model::searchable_text,
    store::{self, chunks::Pending, system::AnyBase},
};
use jobs::{JobContext, JobError};
use llm::{CallContext, EmbedModel, InputKind};
use platform::ids::OrgId;
use vectors::{IndexError, Retention, table_name};

/// How long old table versions are kept for running readers: no search takes an hour.
const KEEP_VERSIONS: Duration = Duration::from_secs(3600);
/// Age without an update after which an unfinished document is checked.
const ABANDONED: TimeDelta = TimeDelta::minutes(10);
/// Number of chunks that a self-test samples from.
const SAMPLE: i64 = 500;
/// Texts per embedding call of a self-test; between calls it checks for traffic.
const PIECE: usize = 16;
/// How long each call waits for idle time.
const MAX_IDLE_WAIT: Duration = Duration::from_secs(5);

impl Knowledge {
    pub(super) async fn run_maintain(&self, _: &JobContext, _: Maintain) -> Result<(), JobError> {
        let mut tx = self.inner.db.system().await?;
        let mut bases = store::system::bases(&mut tx).await?;
        tx.commit().await?;
        let tables: HashSet<String> =
            self.inner.index.list_tables().await.map_err(JobError::retry)?.into_iter().collect();
        // Lost tables are detected even if nobody searches.
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
        self.inner.metrics.maintenance_done(self.inner.clock.now());
        Ok(())
    }

    /// Fails documents whose job ended without updating them (cancelled, timed out, dead with its worker), so that
    /// users see it and can retry instead of waiting forever.
    pub async fn fail_abandoned(&self) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.system().await?;
        let unfinished = store::system::unfinished(&mut tx, self.inner.clock.now() - ABANDONED).await?;
        tx.commit().await?;
        for (org, id) in unfinished {
            let mut tx = self.inner.db.tenant(org).await?;
            // The row lock excludes a concurrent status change, which enqueues the next job in the same transaction.
            let Some(work) = store::documents::lock(&mut tx, id).await? else { continue };
            let key = id.to_string();
            if matches!(work.status, DocumentStatus::Ready | DocumentStatus::Failed)
                || jobs::is_live::<Extract>(&mut tx, org, &key).await?
                || jobs::is_live::<Embed>(&mut tx, org, &key).await?
            {
                continue;
            }
            let (code, reason) = ("internal", "its job ended without a result: retry it");
            store::documents::set_failed(&mut tx, id, code, reason, self.inner.clock.now()).await?;
            self.measure_if_outdated(&mut tx, org, work.knowledge_base_id).await?;
            self.publish_failed(&mut tx, org, work.knowledge_base_id, id, code).await?;
            tx.commit().await?;
            self.inner.metrics.failed(id, code, reason);
        }
        Ok(())
    }

    /// Embeds documents that were indexed without vectors, once their model is available.
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

    /// Checks that the model really answers, not only that it is configured.
    pub(super) async fn ask_model(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        model: &EmbedModel,
    ) -> Result<(), KnowledgeError> {
        // Unique text, so that no cache can answer.
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
        // Chunks that were cut without the local model may exceed its window.
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
        tracing::info!(knowledge_base = %base, documents = count, "the embedding model is available: embedding {base}");
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
            // The next maintenance round retries.
            Err(KnowledgeError::Busy) => {
                tracing::info!(knowledge_base = %base, "a backup is running: old versions of the index of {base} are kept for now");
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

    /// Queues a self-test if the last one is outdated. True if the base has settled: it has chunks, and no document is
    /// pending.
    pub(super) async fn measure_if_outdated(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        base: KnowledgeBaseId,
    ) -> Result<bool, KnowledgeError> {
        let Some(base) = store::bases::get(&mut *conn, base).await? else { return Ok(false) };
        let chunks = usize::try_from(base.chunks).unwrap_or_default();
        // Measure when the base has settled, not after each of a hundred uploads. Without a model there is nothing to
        // measure.
        let settled = chunks > 0 && base.documents_pending() == 0 && base.documents_words_only == 0;
        if settled && base.weights.is_none_or(|weights| weights.0.outdated(chunks)) {
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
        let chunks = usize::try_from(base.chunks).unwrap_or_default();
        let sample = sample.into_iter().map(|Pending { heading, table_header, text, .. }| {
            let context = searchable_text(&heading, table_header.as_deref(), "").trim_end_matches('\n').to_owned();
            vectors::Sample { context, text }
        });
        let sample: Vec<_> = sample.collect();
        let test = self.inner.background.run(move || vectors::SelfTest::plan(&sample, chunks)).await?;
        let model = self.inner.llm.embedder().await?;
        let questions = self.embed_when_idle(org, &model, InputKind::Query, &test.queries).await?;
        // The pool's vectors are in the cache since indexing; new vectors made here are not cached.
        let pool = self.embed_when_idle(org, &model, InputKind::Passage, &test.pool).await?;
        let rests = self.embed_when_idle(org, &model, InputKind::Passage, &test.rests).await?;
        let weights = self.inner.background.run(move || test.measure(&questions, &pool, &rests)).await?;
        let mut tx = self.inner.db.tenant(org).await?;
        store::bases::set_weights(&mut tx, id, &weights).await?;
        tx.commit().await?;
        let all = &weights.other;
        tracing::info!(knowledge_base = %id, chunks, questions = all.queries, vector_ndcg = all.vector_ndcg,
            text_ndcg = all.text_ndcg, hybrid_ndcg = all.hybrid_ndcg, "self-test of {id}");
        Ok(())
    }

    /// Embeds texts for a self-test while the embedder is idle, so that it does not delay searches in a base that was
    /// just filled.
    async fn embed_when_idle(
        &self,
        org: OrgId,
        model: &EmbedModel,
        kind: InputKind,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, KnowledgeError> {
        let call = CallContext::job(org, "knowledge.selftest");
        let mut vectors = Vec::with_capacity(texts.len());
        for piece in texts.chunks(PIECE) {
            self.inner.traffic.quiet(MAX_IDLE_WAIT).await;
            vectors.extend(self.inner.llm.embed(&call, model, kind, piece).await?);
        }
        Ok(vectors)
    }
}
