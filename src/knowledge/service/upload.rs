//! From a stream of bytes to a stored object, a row and a job.
//!
//! The object is written before the row that names it, so no row ever points at nothing; an object without a row (the
//! process was killed in between) is found by `knowledge.reconcile`. Content decides the kind; a file that was uploaded
//! before gives the document that is there.

use bytes::Bytes;
use futures::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::Knowledge;
use crate::{
    jobs,
    knowledge::{
        Document, DocumentId, DocumentStatus, KnowledgeBaseId, KnowledgeError,
        extract::{Kind, Unsupported, sniff},
        jobs::{self as work, Extract},
        model::{clean_filename, document_prefix, original_key},
        store::{self, documents::NewDocument},
    },
    platform::{db, error::chain, http::Principal, ids::OrgId, lifecycle::uncancelled},
    storage::{StorageError, Stored},
};

/// Of a larger file, the beginning and the end are looked at: there are the signatures, and a ZIP's directory.
const SAMPLE_BYTES: u64 = 1 << 20;

/// A document that was taken in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Upload {
    #[serde(flatten)]
    pub document: Document,
    /// The base held this content already; nothing was added.
    pub duplicate: bool,
}

/// A file of an upload that was not taken in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Rejected {
    pub filename: String,
    /// Stable: `unsupported_media_type`, `payload_too_large`.
    pub code: String,
    /// Of what is not supported, stable: `empty`, `legacy_word`, `encrypted_office`, `other_kind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub detail: String,
}

/// A file whose object is stored.
struct Arrived {
    org: OrgId,
    subject: String,
    base: KnowledgeBaseId,
    id: DocumentId,
    filename: String,
    stored: Stored,
}

impl Knowledge {
    /// Takes one file in. Dropped half-way it leaves nothing.
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
        // Before a byte is read: nobody stores 100 MB to learn that the base is gone.
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
        let arrived = Arrived { org, subject, base, id, filename: clean_filename(filename), stored };
        // From here on the object exists: a client that goes away must not leave it without its row.
        let knowledge = self.clone();
        let registered = uncancelled(async move {
            let result = knowledge.register(&arrived).await;
            // After a database error it is unknown whether the row stands; an object without one is collected later, a row without its
            // object would be a document that is lost.
            let keep = matches!(&result, Ok(Upload { duplicate: false, .. }) | Err(KnowledgeError::Db(_)));
            if !keep {
                knowledge.discard(&arrived).await;
            }
            result
        });
        registered.await.map_err(db::DbError::from)?
    }

    /// Removes the object of a file that is not kept: at once, or by a job where a backup holds deletions or the store fails. Nobody waits
    /// for either, and what came of the upload stays what it is.
    async fn discard(&self, arrived: &Arrived) {
        let Arrived { org, base, id, .. } = arrived;
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
                tracing::info!(document_id = %id, why = chain(&error), "a file that is not kept is removed later")
            }
            Err(failed) => {
                tracing::warn!(document_id = %id, why = chain(&error), error = chain(&failed),
                    "a file that is not kept stays until the next knowledge.reconcile");
            }
        }
    }

    async fn register(&self, arrived: &Arrived) -> Result<Upload, KnowledgeError> {
        let Arrived { org, base, id, stored, .. } = arrived;
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
            // Deleted while the file was on its way.
            Some("knowledge_documents_knowledge_base_id_fkey") => KnowledgeError::BaseNotFound,
            _ => error.into(),
        })?;
        let found = store::documents::by_content(&mut tx, *base, &stored.sha256).await?;
        let mut document = found.ok_or(KnowledgeError::DocumentNotFound)?;
        // Who uploads again what could not be read wants it tried again: OCR may have been installed, a limit raised.
        if !inserted && document.status == DocumentStatus::Failed {
            document = match self.retry_failed(&mut tx, *org, &document).await {
                // Another upload was quicker.
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

    /// What the file is, by its content.
    async fn kind(&self, arrived: &Arrived) -> Result<Kind, KnowledgeError> {
        let Arrived { org, base, id, stored, filename, .. } = arrived;
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
