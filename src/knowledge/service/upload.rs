//! Uploads: from a byte stream to a stored object, a row and a job.
//!
//! The object is written before its row, so no row points at a missing object; `knowledge.reconcile` removes objects
//! left without a row by a crash in between. The kind is detected from the content. Uploading content that the base
//! already holds returns the existing document.

use bytes::Bytes;
use futures::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::Knowledge;
use crate::{
    Document, DocumentId, DocumentStatus, KnowledgeBaseId, KnowledgeError, jobs as work,
    jobs::Extract,
    model::{clean_filename, document_prefix, original_key},
    store::{self, documents::NewDocument},
};
use extraction::{Kind, Unsupported, sniff};
use platform::{db, error::chain, http::Principal, ids::OrgId, lifecycle::uncancelled};
use storage::{StorageError, Stored};

/// For larger files only the beginning (signatures) and the end (a ZIP's central directory) are inspected.
const SAMPLE_BYTES: u64 = 1 << 20;

/// A document that was accepted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Upload {
    #[serde(flatten)]
    pub document: Document,
    /// The base already held this content; nothing was added.
    pub duplicate: bool,
}

/// A file that was rejected.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Rejected {
    pub filename: String,
    /// Stable code: `unsupported_media_type`, `payload_too_large`.
    pub code: String,
    /// For unsupported files, a stable reason: `empty`, `legacy_word`, `encrypted_office`, `other_kind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub detail: String,
}

/// A file whose object is stored but has no row yet.
struct StoredFile {
    org: OrgId,
    subject: String,
    base: KnowledgeBaseId,
    id: DocumentId,
    filename: String,
    stored: Stored,
}

impl Knowledge {
    /// Uploads one file. Cancel-safe: a dropped future leaves nothing behind.
    pub async fn upload<S, E>(
        &self,
        who: &Principal,
        base: KnowledgeBaseId,
        filename: &str,
        data: S,
    ) -> Result<Upload, KnowledgeError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.upload_as(who.org_id, who.subject(), base, filename, data).await
    }

    pub(super) async fn upload_as<S, E>(
        &self,
        org: OrgId,
        subject: String,
        base: KnowledgeBaseId,
        filename: &str,
        data: S,
    ) -> Result<Upload, KnowledgeError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        // Checked first, so that nobody sends 100 MB to a deleted base.
        self.require_base(org, base).await?;
        let id = DocumentId::generate(&self.inner.clock);
        let limit = self.inner.config.max_upload_bytes;
        let stored = match self.inner.storage.put_stream(&original_key(org, base, id), data, limit).await {
            Ok(stored) => stored,
            Err(error) => {
                if matches!(error, StorageError::TooLarge(_)) {
                    self.inner.metrics.refused(base, "too_large_input");
                }
                return Err(error.into());
            }
        };
        let arrived = StoredFile { org, subject, base, id, filename: clean_filename(filename), stored };
        // From here on the object exists, so a client disconnect must not prevent its row.
        let knowledge = self.clone();
        let registered = uncancelled(async move {
            let result = knowledge.register(&arrived).await;
            // After a database error the row may or may not exist. An orphaned object is collected later; a row without
            // its object would be a lost document.
            let keep = matches!(&result, Ok(Upload { duplicate: false, .. }) | Err(KnowledgeError::Db(_)));
            if !keep {
                knowledge.discard(&arrived).await;
            }
            result
        });
        registered.await.map_err(db::DbError::from)?
    }

    /// Removes the object of a file that is not kept: now, or by a job if a backup blocks deletions or the store fails.
    /// Does not affect the result of the upload.
    async fn discard(&self, arrived: &StoredFile) {
        let StoredFile { org, base, id, .. } = arrived;
        let now = async {
            let mut may_delete = self.may_delete().await?;
            self.inner.storage.delete_prefix(&document_prefix(*org, *base, *id), &mut may_delete).await?;
            Ok::<_, KnowledgeError>(())
        };
        let Err(error) = now.await else { return };
        let later = async {
            let job = work::Sync { knowledge_base_id: *base, deleted: Some(*id) };
            let mut tx = self.inner.db.tenant(*org).await?;
            jobs::enqueue(&mut tx, &self.inner.clock, Some(*org), &job, &work::Sync::options(*base)).await?;
            tx.commit().await?;
            Ok::<_, KnowledgeError>(())
        };
        match later.await {
            Ok(()) => {
                tracing::info!(document_id = %id, why = chain(&error), "the object of a discarded upload will be removed later");
            }
            Err(failed) => {
                tracing::warn!(document_id = %id, why = chain(&error), error = chain(&failed),
                    "the object of a discarded upload stays until the next knowledge.reconcile");
            }
        }
    }

    async fn register(&self, arrived: &StoredFile) -> Result<Upload, KnowledgeError> {
        let StoredFile { org, base, id, stored, .. } = arrived;
        let kind = self.kind(arrived).await.inspect_err(|error| {
            if matches!(error, KnowledgeError::Unsupported(_)) {
                self.inner.metrics.refused(*base, "unsupported");
            }
        })?;
        let new = NewDocument {
            id: *id,
            org: *org,
            base: *base,
            filename: &arrived.filename,
            kind: kind.as_str(),
            size: i64::try_from(stored.size).unwrap_or(i64::MAX),
            sha256: &stored.sha256,
            created_by: &arrived.subject,
            now: self.inner.clock.now(),
        };
        let mut tx = self.inner.db.tenant(*org).await?;
        let inserted = store::documents::insert(&mut tx, &new).await.map_err(|error| match db::constraint(&error) {
            // The base was deleted during the upload.
            Some("knowledge_documents_knowledge_base_id_fkey") => KnowledgeError::BaseNotFound,
            _ => error.into(),
        })?;
        let found = store::documents::by_content(&mut tx, *base, &stored.sha256).await?;
        let mut document = found.ok_or(KnowledgeError::DocumentNotFound)?;
        // Uploading a failed document again retries it: OCR may have been installed or a limit raised meanwhile.
        if !inserted && document.status == DocumentStatus::Failed {
            document = match self.retry_failed(&mut tx, *org, &document).await {
                // A concurrent upload has already retried it.
                Err(KnowledgeError::NotFailed) => document,
                retried => retried?,
            };
        }
        if inserted {
            jobs::enqueue(
                &mut tx,
                &self.inner.clock,
                Some(*org),
                &Extract { document_id: *id, ocr: false },
                &Extract::options(*id),
            )
            .await?;
        }
        tx.commit().await?;
        if inserted {
            self.inner.metrics.uploaded(*base, *id, kind.as_str(), stored.size);
        }
        Ok(Upload { document, duplicate: !inserted })
    }

    /// Detects the kind of the file from its content.
    async fn kind(&self, arrived: &StoredFile) -> Result<Kind, KnowledgeError> {
        let StoredFile { org, base, id, stored, filename, .. } = arrived;
        if stored.size == 0 {
            return Err(Unsupported::Empty.into());
        }
        let key = original_key(*org, *base, *id);
        let storage = &self.inner.storage;
        let mut sample = storage.get_range(&key, 0..stored.size.min(2 * SAMPLE_BYTES)).await?.to_vec();
        if stored.size > 2 * SAMPLE_BYTES {
            sample.truncate(usize::try_from(SAMPLE_BYTES).unwrap_or(usize::MAX));
            sample.extend_from_slice(&storage.get_range(&key, stored.size - SAMPLE_BYTES..stored.size).await?);
        }
        let filename = filename.clone();
        Ok(self.inner.cpu.run(move || sniff(&sample, &filename)).await??)
    }
}
