//! `knowledge.reconcile`: all bases, at start and every night.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::TimeDelta;
use futures::TryStreamExt as _;
use uuid::Uuid;

use super::{Reconcile, embed::WORDS, or_snooze};
use crate::{DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError, store};
use jobs::{Enqueue, JobContext, JobError};
use llm::EmbedModel;
use platform::ids::OrgId;

/// Younger objects without a row may be uploads in progress.
const ORPHAN_AGE: TimeDelta = TimeDelta::hours(1);
/// Retry interval while a backup blocks deletions.
const BACKUP_RETRY: Duration = Duration::from_secs(600);

impl Knowledge {
    /// Queues a reconciliation; called once when the process starts to work.
    pub async fn reconcile_soon(&self) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.system().await?;
        let options = Enqueue { unique_key: Some("start".to_owned()), ..Enqueue::default() };
        jobs::enqueue(&mut tx, &self.inner.clock, None, &Reconcile {}, &options).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn run_reconcile(&self, _: &JobContext, _: Reconcile) -> Result<(), JobError> {
        self.reconcile().await.map_err(|error| match error {
            // The backup may hold deletions for a long time: retrying every second would only repeat all of this work.
            KnowledgeError::Busy => JobError::snooze(BACKUP_RETRY),
            error => or_snooze(error),
        })
    }

    async fn reconcile(&self) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.system().await?;
        let bases = store::system::bases(&mut tx).await?;
        tx.commit().await?;
        // Without a model, generations cannot be checked; the rest still is.
        let model = match self.inner.llm.embedder().await {
            Ok(model) => Some(model),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no embedding model: indexes are not compared with it"
                );
                None
            }
        };
        for base in &bases {
            let mut tx = self.inner.db.tenant(base.org_id).await?;
            let state = store::bases::index_state(&mut tx, base.id).await?;
            tx.commit().await?;
            // Bases without vectors wait until the model answers: `embed_words_only` below handles them.
            let has_vectors = state.is_some_and(|state| state.embedding_model != WORDS);
            if let Some(model) = model.as_ref().filter(|_| has_vectors) {
                self.renew(base.org_id, base.id, model).await?;
            }
            let mut tx = self.inner.db.tenant(base.org_id).await?;
            self.sync_soon(&mut tx, base.org_id, base.id).await?;
            self.reanalyse_if_outdated(&mut tx, base.org_id, base.id).await?;
            self.measure_if_outdated(&mut tx, base.org_id, base.id).await?;
            tx.commit().await?;
        }
        self.embed_words_only().await?;
        self.remove_orphan_tables().await?;
        self.remove_orphan_objects().await
    }

    /// Starts a new index generation for a base that was indexed with another model. Documents are read again, since
    /// chunk length depends on the model's window.
    pub(super) async fn renew(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        model: &EmbedModel,
    ) -> Result<(), KnowledgeError> {
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.tenant(org).await?;
        if !store::bases::next_generation(&mut tx, base, &model.id, now).await? {
            return Ok(());
        }
        let documents = store::documents::requeue_all(&mut tx, base, now).await?;
        for id in &documents {
            self.enqueue_for(&mut tx, org, base, *id, DocumentStatus::Queued).await?;
        }
        tx.commit().await?;
        tracing::warn!(knowledge_base = %base, model = model.id, documents = documents.len(), "the embedding model changed: re-indexing {base}");
        Ok(())
    }

    /// Removes tables of deleted bases.
    async fn remove_orphan_tables(&self) -> Result<(), KnowledgeError> {
        let tables = self.inner.index.list_tables().await?;
        // Read the bases after the tables: a base always exists before its first table.
        let mut tx = self.inner.db.system().await?;
        let bases: HashSet<Uuid> = store::system::bases(&mut tx).await?.into_iter().map(|base| base.id.0).collect();
        tx.commit().await?;
        for table in tables {
            let owner = table
                .strip_prefix("kb_")
                .and_then(|rest| rest.split_once("_g"))
                .and_then(|(id, _)| Uuid::parse_str(id).ok());
            if owner.is_some_and(|owner| !bases.contains(&owner)) {
                tracing::warn!(table, "removing the index of a deleted knowledge base");
                self.inner.index.drop_table(&table, &mut self.may_delete().await?).await?;
            }
        }
        Ok(())
    }

    /// Removes objects without a document row, left by uploads that crashed before writing it.
    async fn remove_orphan_objects(&self) -> Result<(), KnowledgeError> {
        let before = self.inner.clock.now() - ORPHAN_AGE;
        // In batches, since there may be any number. The delete guard is taken per batch, so that a backup does not
        // wait for the whole listing.
        let mut found = self.inner.storage.list("").try_chunks(1000);
        while let Some(entries) = found.try_next().await.map_err(|error| error.1)? {
            let old = entries.iter().filter(|entry| entry.modified < before);
            let folders: HashMap<Uuid, String> = old.filter_map(|entry| document_of(&entry.key)).collect();
            let ids: Vec<Uuid> = folders.keys().copied().collect();
            let mut tx = self.inner.db.system().await?;
            let existing: HashSet<Uuid> = store::system::existing_documents(&mut tx, &ids).await?.into_iter().collect();
            tx.commit().await?;
            let orphans: Vec<String> =
                folders.into_iter().filter(|(id, _)| !existing.contains(id)).map(|(_, folder)| folder).collect();
            if orphans.is_empty() {
                continue;
            }
            let mut may_delete = self.may_delete().await?;
            for folder in orphans {
                tracing::warn!(folder, "removing the object of a document that does not exist");
                self.inner.storage.delete_prefix(&folder, &mut may_delete).await?;
            }
        }
        Ok(())
    }
}

/// Document id and folder from an object key, `<org>/kb/<base>/doc/<document>/...`.
fn document_of(key: &str) -> Option<(Uuid, String)> {
    let parts: Vec<&str> = key.split('/').collect();
    match parts.as_slice() {
        [_, "kb", _, "doc", document, _, ..] => Some((Uuid::parse_str(document).ok()?, parts[..5].join("/"))),
        _ => None,
    }
}
