//! `knowledge.sync`: makes objects and index of a base agree with PostgreSQL.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Sync, or_snooze, org};
use crate::{
    DocumentId, DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError,
    model::{base_prefix, document_prefix},
    store::{
        self,
        chunks::{Indexed, Pending},
    },
};
use jobs::{Enqueue, JobContext, JobError};
use platform::ids::OrgId;
use storage::DeleteGuard;
use vectors::{IndexError, Retention, table_name};

impl Knowledge {
    /// Queues a sync of a base's index, once.
    pub(crate) async fn sync_soon(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        base: KnowledgeBaseId,
    ) -> Result<(), KnowledgeError> {
        let options = Enqueue { unique_key: Some(base.to_string()), priority: -1, ..Sync::options(base) };
        let sync = Sync { knowledge_base_id: base, deleted: None };
        jobs::enqueue(conn, &self.inner.clock, Some(org), &sync, &options).await?;
        Ok(())
    }

    pub(super) async fn run_sync(&self, context: &JobContext, job: Sync) -> Result<(), JobError> {
        let org = org(context.org_id)?;
        self.sync(org, job.knowledge_base_id, job.deleted).await.map_err(or_snooze)
    }

    async fn sync(&self, org: OrgId, base: KnowledgeBaseId, deleted: Option<DocumentId>) -> Result<(), KnowledgeError> {
        let mut may_delete = self.may_delete().await?;
        if let Some(document) = deleted {
            self.inner.storage.delete_prefix(&document_prefix(org, base, document), &mut may_delete).await?;
        }
        let lock = self.lock_index(base).await?;
        let mut tx = self.inner.db.tenant(org).await?;
        let state = store::bases::index_state(&mut tx, base).await?;
        tx.commit().await?;
        let current = state.as_ref().map(|state| table_name(base.0, state.index_generation));
        self.drop_tables(base, current.as_deref(), &mut may_delete).await?;
        match state {
            Some(state) => self.sync_rows(org, base, state.index_generation, &mut may_delete).await?,
            None => self.inner.storage.delete_prefix(&base_prefix(org, base), &mut may_delete).await?,
        }
        drop((lock, may_delete));
        Ok(())
    }

    /// Drops all of a base's tables but the current one.
    async fn drop_tables(
        &self,
        base: KnowledgeBaseId,
        current: Option<&str>,
        may_delete: &mut DeleteGuard,
    ) -> Result<(), KnowledgeError> {
        let prefix = format!("kb_{}_g", base.0.simple());
        for table in self.inner.index.list_tables().await? {
            if table.starts_with(&prefix) && Some(table.as_str()) != current {
                self.inner.index.drop_table(&table, may_delete).await?;
            }
        }
        Ok(())
    }

    /// The caller holds the lock.
    async fn sync_rows(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        generation: i64,
        may_delete: &mut DeleteGuard,
    ) -> Result<(), KnowledgeError> {
        let table = table_name(base.0, generation);
        let mut tx = self.inner.db.tenant(org).await?;
        let words = store::chunks::indexed_after(&mut tx, base, generation, Uuid::nil(), 1).await?;
        tx.commit().await?;
        let words = words.first().map(Pending::searchable).unwrap_or_default();
        let (indexed, lost) = match self.read_whole(&table, &words).await {
            Ok(ids) => (ids, false),
            Err(IndexError::NoSuchTable(_)) => (Vec::new(), true),
            // We hold the lock, so nobody else writes or purges: the file is lost or broken for good.
            Err(IndexError::Damaged(_)) => {
                self.inner.index.drop_table(&table, may_delete).await?;
                (Vec::new(), true)
            }
            Err(error) => return Err(error.into()),
        };
        let mut tx = self.inner.db.tenant(org).await?;
        let chunks = store::chunks::of_base(&mut tx, base, generation).await?;
        let documents = store::documents::statuses(&mut tx, base).await?;
        let difference = Difference::of(&indexed, &chunks);
        let missing: Vec<DocumentId> = difference.missing.iter().copied().collect();
        if lost && !missing.is_empty() {
            // Under another name: every process's LanceDB cache is keyed by path and version, and a new table at the
            // old path would start with the same versions.
            store::bases::next_table(&mut tx, base).await?;
            self.inner.metrics.index_lost(base, missing.len());
        }
        store::chunks::unmark_indexed(&mut tx, &missing).await?;
        for (id, mut status) in documents {
            if status == DocumentStatus::Ready && difference.unfinished.contains(&id) {
                let ready = [DocumentStatus::Ready];
                store::documents::requeue(&mut tx, id, &ready, DocumentStatus::Embedding, self.inner.clock.now())
                    .await?;
                status = DocumentStatus::Embedding;
            }
            self.enqueue_for(&mut tx, org, base, id, status).await?;
        }
        // Commit before removing rows: a crash in between leaves too many rows, never too few.
        tx.commit().await?;
        if !missing.is_empty() || difference.stale_in_use > 0 {
            self.inner.metrics.repaired(base, difference.stale_in_use, missing.len());
        }
        if difference.stale.is_empty() {
            return Ok(());
        }
        let stale: Vec<Uuid> = difference.stale.into_iter().collect();
        for documents in stale.chunks(500) {
            self.inner.index.delete_documents(&table, documents).await?;
        }
        self.purge(base, &table, may_delete).await
    }

    /// All ids of a table, read in a way that opens every file a search needs: the vectors and the full-text index too,
    /// which are separate files. `words` occur in the table.
    pub(crate) async fn read_whole(&self, table: &str, words: &str) -> Result<Vec<(Uuid, Uuid)>, IndexError> {
        let index = &self.inner.index;
        let ids = index.chunk_ids(table).await?;
        if !ids.is_empty() {
            let anywhere = vec![1.0; index.dimensions(table).await?];
            index.vector_search(table, &anywhere, 1).await?;
            index.text_search(table, words, 1).await?;
        }
        Ok(ids)
    }

    /// Rewrites the table's files without deleted rows. A failed step fails the job, which is then retried.
    async fn purge(
        &self,
        base: KnowledgeBaseId,
        table: &str,
        may_delete: &mut DeleteGuard,
    ) -> Result<(), KnowledgeError> {
        let mut report = self.inner.index.optimize(table, Retention::Purge).await?;
        self.inner.index.prune(table, Retention::Purge, &mut report, may_delete).await?;
        self.inner.metrics.maintained(base, &report.failures);
        report.failures.into_iter().next_back().map_or(Ok(()), |(_, error)| Err(error.into()))
    }
}

/// Differences between an index and the database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Documents with index rows that have no chunk.
    pub stale: HashSet<Uuid>,
    /// How many of these still exist: their remaining rows are deleted too, and written again.
    pub stale_in_use: usize,
    /// Documents with chunks that are marked as indexed but are not, or will not be after removing `stale`.
    pub missing: HashSet<DocumentId>,
    /// `missing`, and documents with chunks that were never marked.
    pub unfinished: HashSet<DocumentId>,
}

impl Difference {
    /// `indexed`: (chunk, document) pairs of the table.
    pub fn of(indexed: &[(Uuid, Uuid)], chunks: &[Indexed]) -> Self {
        let mut difference = Self::default();
        let known: HashMap<Uuid, Uuid> = chunks.iter().map(|chunk| (chunk.id, chunk.document_id.0)).collect();
        for (chunk, document) in indexed {
            if known.get(chunk) != Some(document) {
                difference.stale.insert(*document);
            }
        }
        let documents: HashSet<Uuid> = known.into_values().collect();
        difference.stale_in_use = difference.stale.intersection(&documents).count();
        let present: HashSet<Uuid> = indexed.iter().map(|(chunk, _)| *chunk).collect();
        for chunk in chunks {
            let gone = !present.contains(&chunk.id) || difference.stale.contains(&chunk.document_id.0);
            if chunk.indexed && gone {
                difference.missing.insert(chunk.document_id);
            }
            if gone || !chunk.indexed {
                difference.unfinished.insert(chunk.document_id);
            }
        }
        difference
    }
}
