//! `knowledge.extract`

use std::sync::Arc;

use tokio::time::Instant;

use super::{Embed, Extract, or_snooze, org};
use crate::{
    jobs::{self, JobContext, JobError},
    knowledge::{
        ChunkId, DocumentId, DocumentStatus, Knowledge, KnowledgeError,
        extract::{ExtractError, Extracted, child::extract_in_child, chunk},
        metrics::Stage,
        model::{original_key, searchable_text},
        store::{
            self,
            chunks::NewChunk,
            documents::{Reading, Work},
        },
    },
    llm::{self, embed::LocalEmbedder, estimate_tokens},
    platform::ids::OrgId,
};

/// Whose fault it is that there is no text.
enum Failed {
    Document(ExtractError),
    Here(KnowledgeError),
}

impl Knowledge {
    /// A document that cannot be read is the document's failure, not the job's: it is recorded, and the job is done.
    pub(super) async fn run_extract(&self, context: &JobContext, job: Extract) -> Result<(), JobError> {
        let (org, id) = (org(context.org_id)?, job.document_id);
        let begin = Instant::now();
        let mut tx = self.inner.db.tenant(org).await?;
        let work = store::documents::begin_extract(&mut tx, id, self.inner.clock.now()).await?;
        tx.commit().await?;
        // Deleted, or read by an earlier attempt that could not say so.
        let Some(work) = work else { return Ok(()) };
        context.progress(5, "reading");
        let extracted = match self.read(org, id, &work).await {
            Ok(extracted) => extracted,
            Err(Failed::Document(error)) if !error.is_transient() || context.is_last_attempt() => {
                self.fail(org, id, error.code(), &error.to_string()).await?;
                return Ok(());
            }
            Err(Failed::Document(error)) => return Err(JobError::retry(error)),
            Err(Failed::Here(error)) => return self.or_last_words(context, org, id, Err(error)).await,
        };
        context.progress(60, "cutting into passages");
        let kept = match self.cut(&extracted).await {
            Ok(chunks) => self.keep(org, id, &extracted, chunks).await,
            Err(error) => Err(error),
        };
        self.or_last_words(context, org, id, kept).await?;
        self.inner.metrics.stage(Stage::Extract, begin.elapsed());
        Ok(())
    }

    /// Passes a result on; with the last attempt's failure the document has failed.
    pub(super) async fn or_last_words(
        &self,
        context: &JobContext,
        org: OrgId,
        id: DocumentId,
        result: Result<(), KnowledgeError>,
    ) -> Result<(), JobError> {
        match &result {
            Ok(()) | Err(KnowledgeError::Busy) => {}
            Err(KnowledgeError::Llm(_)) if context.is_last_attempt() => {
                self.fail(org, id, "embedding", "the embedding model could not be used").await?;
            }
            Err(_) if context.is_last_attempt() => {
                self.fail(org, id, "internal", "something went wrong here; it has been logged").await?;
            }
            Err(_) => {}
        }
        result.map_err(or_snooze)
    }

    async fn fail(&self, org: OrgId, id: DocumentId, code: &str, reason: &str) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let failed = store::documents::set_failed(&mut tx, id, code, reason, self.inner.clock.now()).await?;
        tx.commit().await?;
        if failed {
            self.inner.metrics.failed(id, code, reason);
        }
        Ok(())
    }

    async fn read(&self, org: OrgId, id: DocumentId, work: &Work) -> Result<Extracted, Failed> {
        let process = |reason: String| Failed::Document(ExtractError::Process { reason });
        // The permit bounds memory too: a file is held whole while a child reads it.
        let _permit = self.inner.extractions.acquire().await.map_err(|e| process(e.to_string()))?;
        let key = original_key(org, work.knowledge_base_id, id);
        let bytes = self.inner.storage.get_bytes(&key).await.map_err(|e| Failed::Here(e.into()))?;
        let limits = self.inner.config.extract_limits();
        extract_in_child(&self.inner.extractor, &bytes, &work.filename, &limits).await.map_err(Failed::Document)
    }

    /// Cuts into passages that fit the embedding model's window.
    async fn cut(&self, extracted: &Extracted) -> Result<Vec<NewChunk>, KnowledgeError> {
        let model = self.inner.llm.embedder().await?;
        let local = self.inner.llm.local_embedder_if_configured().await?;
        let most = self.inner.config.passage_tokens.min(model.max_tokens);
        let (extracted, clock) = (extracted.clone(), self.inner.clock.clone());
        let cut = move || {
            let chunks = chunk(&extracted, &|text| count_tokens(local.as_ref(), text), most);
            let new = chunks.into_iter().map(|chunk| NewChunk {
                id: ChunkId::generate(&clock),
                text_sha256: llm::text_hash(&searchable_text(
                    &chunk.heading,
                    chunk.table_header.as_deref(),
                    &chunk.text,
                )),
                chunk,
            });
            new.collect()
        };
        Ok(self.inner.cpu.run(cut).await?)
    }

    /// Text, passages and the next job, in one transaction.
    async fn keep(
        &self,
        org: OrgId,
        id: DocumentId,
        extracted: &Extracted,
        chunks: Vec<NewChunk>,
    ) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let Some(work) = store::documents::lock(&mut tx, id).await? else { return Ok(()) };
        // An attempt that lost its lease and was overtaken has nothing more to say. Queued again meanwhile (a change of the model) is another
        // matter: the new job was one with this one, so nobody else would read the document.
        if !matches!(work.status, DocumentStatus::Extracting | DocumentStatus::Queued) {
            return Ok(());
        }
        store::chunks::replace(&mut tx, org, id, &chunks).await?;
        let reading = Reading {
            title: extracted.title.as_deref(),
            text: &extracted.text,
            pages: extracted.pages.and_then(|pages| i32::try_from(pages).ok()),
            chunks: i32::try_from(chunks.len()).unwrap_or(i32::MAX),
        };
        store::documents::store_reading(&mut tx, org, id, &reading, self.inner.clock.now()).await?;
        let options = Embed::options(work.knowledge_base_id, id);
        jobs::enqueue(&mut tx, &self.inner.clock, Some(org), &Embed { document_id: id }, &options).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn count_tokens(local: Option<&Arc<LocalEmbedder>>, text: &str) -> usize {
    let counted = local.and_then(|local| local.count_tokens(text).ok());
    counted.unwrap_or_else(|| usize::try_from(estimate_tokens(text)).unwrap_or(usize::MAX))
}
