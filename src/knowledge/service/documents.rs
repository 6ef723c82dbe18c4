//! Reading, renaming, retrying and deleting documents.

use super::Knowledge;
use crate::{
    ChunkId, Document, DocumentId, DocumentStatus, KnowledgeBaseId, KnowledgeError,
    events::DocumentDeleted,
    jobs::{Embed, Extract, Sync},
    model::{self, Chunk, TextPart, clean_filename},
    store::{self, documents::Filter},
};
use platform::{db::Tx, http::Slice, ids::OrgId};
use storage::Object;

impl Knowledge {
    /// Newest first.
    pub(crate) async fn list_documents(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        filter: &Filter<'_>,
        slice: &Slice,
    ) -> Result<Vec<Document>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let documents = store::documents::list(&mut tx, base, filter, slice).await?;
        if documents.is_empty() && !store::bases::exists(&mut tx, base).await? {
            return Err(KnowledgeError::BaseNotFound);
        }
        drop(tx);
        Ok(documents)
    }

    pub async fn get_document(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
    ) -> Result<Document, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let document = get(&mut tx, base, id).await?;
        drop(tx);
        Ok(document)
    }

    pub async fn rename_document(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
        filename: &str,
    ) -> Result<Document, KnowledgeError> {
        if filename.trim().is_empty() {
            return Err(KnowledgeError::invalid("/filename", "required", "give the document a name"));
        }
        let mut tx = self.inner.db.tenant(org).await?;
        store::documents::rename(&mut tx, base, id, &clean_filename(filename), self.inner.clock.now()).await?;
        let document = get(&mut tx, base, id).await?;
        tx.commit().await?;
        Ok(document)
    }

    /// Returns when the document is gone for every reader; a job removes its object and index rows afterwards.
    pub async fn delete_document(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
    ) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let hashes = store::chunks::hashes(&mut tx, base, Some(id)).await?;
        if !store::documents::delete(&mut tx, base, id).await? {
            return Err(not_found(&mut tx, base).await?);
        }
        self.forget(&mut tx, &hashes).await?;
        let sync = Sync { knowledge_base_id: base, deleted: Some(id) };
        jobs::enqueue(&mut tx, &self.inner.clock, Some(org), &sync, &Sync::options(base)).await?;
        let event = DocumentDeleted { document_id: id, knowledge_base_id: base };
        events::publish(&mut tx, &self.inner.clock, Some(org), &event).await?;
        tx.commit().await?;
        tracing::info!(knowledge_base = %base, document = %id, "document {id} deleted");
        Ok(())
    }

    /// Retries a failed document from the stage that failed.
    pub async fn retry_document(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
    ) -> Result<Document, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let document = get(&mut tx, base, id).await?;
        let document = self.retry_failed(&mut tx, org, &document).await?;
        tx.commit().await?;
        Ok(document)
    }

    /// Queues a failed document from the stage that failed.
    pub(super) async fn retry_failed(
        &self,
        tx: &mut Tx,
        org: OrgId,
        document: &Document,
    ) -> Result<Document, KnowledgeError> {
        let (base, id) = (document.knowledge_base_id, document.id);
        // A document that failed while being read again still has the chunks of the first reading.
        let after_reading = matches!(document.failure_code.as_deref(), Some("embedding" | "internal"));
        let indexes = after_reading && document.chunks > 0;
        let to = if indexes { DocumentStatus::Embedding } else { DocumentStatus::Queued };
        if !store::documents::requeue(tx, id, &[DocumentStatus::Failed], to, self.inner.clock.now()).await? {
            return Err(KnowledgeError::NotFailed);
        }
        self.enqueue_for(tx, org, base, id, to).await?;
        get(tx, base, id).await
    }

    /// Reads a document again from its file. `ocr` forces OCR for pages without usable text, whatever the base's
    /// setting. The document is not searchable until it has been read.
    pub async fn read_document_again(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
        ocr: bool,
    ) -> Result<Document, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        get(&mut tx, base, id).await?;
        let from = [DocumentStatus::Ready, DocumentStatus::Failed];
        if !store::documents::requeue(&mut tx, id, &from, DocumentStatus::Queued, self.inner.clock.now()).await? {
            return Err(KnowledgeError::BeingRead);
        }
        let job = Extract { document_id: id, ocr };
        jobs::enqueue(&mut tx, &self.inner.clock, Some(org), &job, &Extract::options(id)).await?;
        let document = get(&mut tx, base, id).await?;
        tx.commit().await?;
        Ok(document)
    }

    /// Enqueues the next job of an unfinished document; no-op if it is queued already.
    pub(crate) async fn enqueue_for(
        &self,
        tx: &mut Tx,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
        status: DocumentStatus,
    ) -> Result<(), KnowledgeError> {
        let clock = &self.inner.clock;
        match status {
            DocumentStatus::Queued | DocumentStatus::Extracting => {
                let job = Extract { document_id: id, ocr: false };
                jobs::enqueue(tx, clock, Some(org), &job, &Extract::options(id)).await?;
            }
            DocumentStatus::Embedding => {
                let job = Embed { document_id: id, replaces: false };
                jobs::enqueue(tx, clock, Some(org), &job, &Embed::options(base, id)).await?;
            }
            DocumentStatus::Ready | DocumentStatus::Failed => {}
        }
        Ok(())
    }

    /// The file as uploaded.
    pub async fn original(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
    ) -> Result<(Document, Object), KnowledgeError> {
        let document = self.get_document(org, base, id).await?;
        let object = self.inner.storage.get(&model::original_key(org, base, id)).await?;
        Ok((document, object))
    }

    /// Chunks from `from_ordinal` on.
    pub(crate) async fn chunks(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
        slice: &Slice<i64>,
    ) -> Result<Vec<Chunk>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        get(&mut tx, base, id).await?;
        let chunks = store::chunks::list(&mut tx, id, slice).await?;
        tx.commit().await?;
        Ok(chunks)
    }

    pub(crate) async fn chunk(
        &self,
        org: OrgId,
        document: DocumentId,
        id: ChunkId,
    ) -> Result<Option<Chunk>, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let chunk = store::chunks::get(&mut tx, document, id).await?;
        tx.commit().await?;
        Ok(chunk)
    }

    /// Characters `start..end` of the document's text; empty before it was read.
    pub(crate) async fn text(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
        start: i32,
        end: i32,
    ) -> Result<TextPart, KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        get(&mut tx, base, id).await?;
        let part = store::documents::text(&mut tx, id, start, end).await?;
        tx.commit().await?;
        Ok(part.unwrap_or(TextPart { start: 0, end: 0, length: 0, text: String::new() }))
    }
}

async fn get(tx: &mut Tx, base: KnowledgeBaseId, id: DocumentId) -> Result<Document, KnowledgeError> {
    match store::documents::get(tx, base, id).await? {
        Some(document) => Ok(document),
        None => Err(not_found(tx, base).await?),
    }
}

/// Tells which of the two ids does not exist.
async fn not_found(tx: &mut Tx, base: KnowledgeBaseId) -> Result<KnowledgeError, KnowledgeError> {
    let exists = store::bases::exists(tx, base).await?;
    Ok(if exists { KnowledgeError::DocumentNotFound } else { KnowledgeError::BaseNotFound })
}
