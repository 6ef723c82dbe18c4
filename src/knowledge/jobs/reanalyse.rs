//! `knowledge.reanalyse`: rewrites the terms of a base's index after a change of the text analysis.
//!
//! Rows are updated in place while the base stays searchable: vectors stay, and rows not rewritten yet keep their old
//! terms, most of which are unchanged. So an upgrade takes no document out of the search.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Reanalyse, or_snooze, org};
use crate::{Knowledge, KnowledgeBaseId, KnowledgeError, store};
use jobs::{JobContext, JobError};
use platform::ids::OrgId;
use vectors::{ANALYSIS, IndexError, IndexRow, table_name};

/// Chunks per batch: each write creates a version and a file.
const BATCH: i64 = 1000;

impl Knowledge {
    /// Queues the job if a base's terms were made by another version.
    pub(super) async fn reanalyse_if_outdated(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        base: KnowledgeBaseId,
    ) -> Result<(), KnowledgeError> {
        let state = store::bases::index_state(&mut *conn, base).await?;
        if state.is_some_and(|state| state.analysis < ANALYSIS) {
            let job = Reanalyse { knowledge_base_id: base };
            jobs::enqueue(conn, &self.inner.clock, Some(org), &job, &Reanalyse::options(base)).await?;
        }
        Ok(())
    }

    pub(super) async fn run_reanalyse(&self, context: &JobContext, job: Reanalyse) -> Result<(), JobError> {
        self.reanalyse(context, org(context.org_id)?, job.knowledge_base_id).await.map_err(or_snooze)
    }

    async fn reanalyse(&self, context: &JobContext, org: OrgId, base: KnowledgeBaseId) -> Result<(), KnowledgeError> {
        let lock = self.lock_index(base).await?;
        let mut tx = self.inner.db.tenant(org).await?;
        let state = store::bases::index_state(&mut tx, base).await?;
        let all = store::bases::get(&mut tx, base).await?.map_or(0, |base| base.chunks);
        tx.commit().await?;
        let Some(state) = state.filter(|state| state.analysis < ANALYSIS) else { return Ok(()) };
        let table = table_name(base.0, state.index_generation);
        let (mut last, mut done) = (Uuid::nil(), 0);
        loop {
            let mut tx = self.inner.db.tenant(org).await?;
            let chunks = store::chunks::indexed_after(&mut tx, base, state.index_generation, last, BATCH).await?;
            tx.commit().await?;
            let Some(end) = chunks.last() else { break };
            last = end.id.0;
            let ids: Vec<Uuid> = chunks.iter().map(|chunk| chunk.id.0).collect();
            let mut rows = match self.inner.index.rows(&table, &ids).await {
                Ok(rows) => rows,
                // A new table is written with the current terms.
                Err(IndexError::NoSuchTable(_)) => break,
                Err(error) => return Err(error.into()),
            };
            let written = chunks.iter().filter_map(|chunk| {
                let (document_id, vector) = rows.remove(&chunk.id.0)?;
                Some(IndexRow { chunk_id: chunk.id.0, document_id, text: chunk.searchable(), vector })
            });
            self.inner.index.upsert(&table, written.collect()).await?;
            done += i64::try_from(ids.len()).unwrap_or_default();
            context.progress(u8::try_from(100 * done / all.max(done)).unwrap_or(100), "writing terms");
        }
        let mut tx = self.inner.db.tenant(org).await?;
        store::bases::set_analysis(&mut tx, base, ANALYSIS).await?;
        // Maintenance then updates the full-text index.
        store::bases::touch_indexed(&mut tx, base, self.inner.clock.now()).await?;
        tx.commit().await?;
        drop(lock);
        tracing::info!(knowledge_base = %base, chunks = done, analysis = ANALYSIS, "terms of {base} rewritten");
        Ok(())
    }
}
