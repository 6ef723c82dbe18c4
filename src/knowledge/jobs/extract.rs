//! `knowledge.extract`

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{Embed, Extract, MAX_LOST_ATTEMPTS, embed::is_missing, or_snooze, org};
use crate::{
    ChunkId, DocumentId, DocumentStatus, Knowledge, KnowledgeBaseId, KnowledgeError,
    events::DocumentFailed,
    metrics::Stage,
    model::{original_key, searchable_text},
    store::{
        self,
        chunks::NewChunk,
        documents::{Reading, Work},
    },
};
use extraction::{ExtractError, Extracted, child::extract_in_child, chunk_while};
use jobs::{JobContext, JobError};
use llm::{LlmError, embed::LocalEmbedder, estimate_tokens};
use platform::{db::Tx, ids::OrgId};
use storage::StorageError;

/// How long a document waits for a permit to start a child process.
const PERMIT_WAIT: Duration = Duration::from_secs(60);
/// How long a document waits for an unavailable store after its last attempt failed.
const STORE_RETRY: Duration = Duration::from_secs(30);
/// How often to check that a document being chunked still exists.
const EXISTENCE_POLL: Duration = Duration::from_secs(2);

/// Sets the flag when dropped, to cancel the blocking work that polls it.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why there is no text: the document's fault or ours.
enum Failed {
    Document(ExtractError),
    Here(KnowledgeError),
}

impl Knowledge {
    /// A document that cannot be read is recorded as failed; the job itself succeeds.
    pub(super) async fn run_extract(&self, context: &JobContext, job: Extract) -> Result<(), JobError> {
        let (org, id) = (org(context.org_id)?, job.document_id);
        // The permit also bounds memory: a file is held whole while a child reads it. After waiting too long, snooze
        // and free the worker: the wait counts towards the attempt's timeout, and scanned books ahead may use all of
        // it.
        let Ok(permit) = timeout(PERMIT_WAIT, self.inner.extractions.acquire()).await else {
            return Err(JobError::snooze(Duration::from_secs(2)));
        };
        let permit = permit.map_err(JobError::retry)?;
        let begin = Instant::now();
        let mut tx = self.inner.db.tenant(org).await?;
        let work = store::documents::begin_extract(&mut tx, id, self.inner.clock.now()).await?;
        tx.commit().await?;
        // Deleted, or read by an earlier attempt that could not report it.
        let Some(work) = work else { return Ok(()) };
        if context.lost >= MAX_LOST_ATTEMPTS {
            return Ok(self.fail_after_crashes(org, id).await?);
        }
        context.progress(5, "reading");
        let extracted = match self.read(context, org, &job, &work).await {
            Ok(extracted) if extracted.has_text() => extracted,
            Ok(empty) => return self.fail_without_text(org, id, &empty).await.map_err(or_snooze),
            Err(Failed::Document(error)) if error.is_transient() && self.waits_for_stores(context).await => {
                return Err(JobError::snooze(STORE_RETRY));
            }
            Err(Failed::Document(error)) if !error.is_transient() || context.is_last_attempt() => {
                self.fail(org, id, error.code(), &error.to_string()).await?;
                return Ok(());
            }
            Err(Failed::Document(error)) => return Err(JobError::retry(error)),
            Err(Failed::Here(error)) => return self.fail_on_last_attempt(context, org, id, Err(error)).await,
        };
        drop(permit);
        context.progress(60, "splitting into passages");
        let kept = match self.cut(org, work.knowledge_base_id, id, &extracted).await {
            Ok(Some(chunks)) => self.keep(org, id, &extracted, chunks).await,
            // Deleted meanwhile.
            Ok(None) => return Ok(()),
            Err(error) => Err(error),
        };
        self.fail_on_last_attempt(context, org, id, kept).await?;
        self.inner.metrics.stage(Stage::Extract, begin.elapsed());
        Ok(())
    }

    /// Passes a result on; if the last attempt failed, the document is marked as failed.
    pub(super) async fn fail_on_last_attempt(
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
            Err(_) if self.waits_for_stores(context).await => return Err(JobError::snooze(STORE_RETRY)),
            Err(KnowledgeError::Storage(StorageError::NotFound))
                if context.is_last_attempt() && !platform::mutant(42) =>
            {
                self.fail(
                    org,
                    id,
                    "original_missing",
                    "its file is missing from the object store: retry when it is back, or upload it again",
                )
                .await?;
            }
            Err(_) if context.is_last_attempt() => {
                self.fail(org, id, "internal", "something went wrong here; it has been logged").await?;
            }
            Err(_) => {}
        }
        result.map_err(or_snooze)
    }

    /// Whether the last attempt may have failed because of a store: a full disk, a read-only folder, an unreachable
    /// bucket. Accepted documents then wait for it, however long that takes; `doctor` and the alerts report the store.
    async fn waits_for_stores(&self, context: &JobContext) -> bool {
        if !context.is_last_attempt() {
            return false;
        }
        let objects = self.inner.storage.round_trip().await.map(drop).map_err(KnowledgeError::from);
        let away = match objects {
            Ok(()) => self.inner.index.list_tables().await.map(drop).map_err(KnowledgeError::from),
            away => away,
        };
        let Err(error) = away else { return false };
        tracing::warn!(job_id = %context.job_id, error = &error as &dyn std::error::Error, "document is waiting for the object store or the index");
        true
    }

    /// Fails a document without text, and stores its report.
    async fn fail_without_text(&self, org: OrgId, id: DocumentId, empty: &Extracted) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        store::documents::store_failed_reading(&mut tx, id, page_count(empty), &empty.report).await?;
        tx.commit().await?;
        self.inner.metrics.read(id, empty.pages, &empty.report);
        let error = ExtractError::no_text(&empty.report);
        let advice = empty.report.unread_pages.first().map(|unread| unread.reason.advice());
        let reason = advice.map_or_else(|| error.to_string(), |advice| format!("{error}; {advice}"));
        self.fail(org, id, error.code(), &reason).await
    }

    /// Fails a document whose attempts were repeatedly lost with the server process: it may be the cause.
    pub(super) async fn fail_after_crashes(&self, org: OrgId, id: DocumentId) -> Result<(), KnowledgeError> {
        let reason = "the server was killed each time it processed this document, possibly out of memory";
        self.fail(org, id, "killed", reason).await
    }

    async fn fail(&self, org: OrgId, id: DocumentId, code: &str, reason: &str) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let work = store::documents::lock(&mut tx, id).await?;
        let failed = store::documents::set_failed(&mut tx, id, code, reason, self.inner.clock.now()).await?;
        // The base may have been waiting for this last pending document before its self-test.
        if let Some(work) = work.filter(|_| failed) {
            self.measure_if_outdated(&mut tx, org, work.knowledge_base_id).await?;
            self.publish_failed(&mut tx, org, work.knowledge_base_id, id, code).await?;
        }
        tx.commit().await?;
        if failed {
            self.inner.metrics.failed(id, code, reason);
        }
        Ok(())
    }

    pub(super) async fn publish_failed(
        &self,
        tx: &mut Tx,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
        code: &str,
    ) -> Result<(), KnowledgeError> {
        let event = DocumentFailed { document_id: id, knowledge_base_id: base, code: code.to_owned() };
        events::publish(tx, &self.inner.clock, Some(org), &event).await?;
        Ok(())
    }

    async fn read(&self, context: &JobContext, org: OrgId, job: &Extract, work: &Work) -> Result<Extracted, Failed> {
        let key = original_key(org, work.knowledge_base_id, job.document_id);
        let bytes = self.inner.storage.get_bytes(&key).await.map_err(|e| Failed::Here(e.into()))?;
        let limits = self.inner.config.extract_limits();
        let read = extract_in_child(&self.inner.extractor, &bytes, &work.filename, &limits).await;
        let read = read.map_err(Failed::Document)?;
        self.recognise(context, org, job, work, &bytes, read).await.map_err(Failed::Here)
    }

    /// Splits the text into chunks that fit the embedding model's window. `None`: the document was deleted meanwhile.
    async fn cut(
        &self,
        org: OrgId,
        base: KnowledgeBaseId,
        id: DocumentId,
        extracted: &Extracted,
    ) -> Result<Option<Vec<NewChunk>>, KnowledgeError> {
        let llm = &self.inner.llm;
        let most = self.inner.config.passage_tokens;
        let known = async {
            let model = llm.embedder().await?;
            Ok::<_, LlmError>((llm.local_embedder_if_configured().await?, most.min(model.max_tokens)))
        };
        let (local, most) = match known.await {
            Ok(known) => known,
            // Token counts are estimated; the document is chunked again when the model is available.
            Err(error) if is_missing(&error) => (None, most),
            Err(error) => return Err(error.into()),
        };
        let (extracted, clock) = (extracted.clone(), self.inner.clock.clone());
        let stop = StopOnDrop(Arc::default());
        let stopped = stop.0.clone();
        let cut = move || {
            let keep_going = || !stopped.load(Ordering::Relaxed);
            let chunks = chunk_while(&extracted, &|text| count_tokens(local.as_ref(), text), most, &keep_going)?;
            let new = chunks.into_iter().map(|chunk| NewChunk {
                id: ChunkId::generate(&clock),
                text_sha256: llm::text_hash(&searchable_text(
                    &chunk.heading,
                    chunk.table_header.as_deref(),
                    &chunk.text,
                )),
                chunk,
            });
            Some(new.collect())
        };
        let cut = self.inner.background.run(cut);
        tokio::pin!(cut);
        loop {
            tokio::select! {
                chunks = cut.as_mut() => return Ok(chunks?),
                () = sleep(EXISTENCE_POLL) => {}
            }
            let mut tx = self.inner.db.tenant(org).await?;
            let document = store::documents::get(&mut tx, base, id).await?;
            tx.commit().await?;
            if document.is_none() {
                return Ok(None);
            }
        }
    }

    /// Stores text, chunks and the next job in one transaction.
    async fn keep(
        &self,
        org: OrgId,
        id: DocumentId,
        extracted: &Extracted,
        chunks: Vec<NewChunk>,
    ) -> Result<(), KnowledgeError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let Some(work) = store::documents::lock(&mut tx, id).await? else { return Ok(()) };
        // `Extracting` is the normal case; any later status means that another attempt overtook this one. `Queued`
        // means re-queued meanwhile (the model changed): that job was merged into this one by its unique key, so nobody
        // else would read the document.
        if !matches!(work.status, DocumentStatus::Extracting | DocumentStatus::Queued) {
            return Ok(());
        }
        let before = store::chunks::hashes(&mut tx, work.knowledge_base_id, Some(id)).await?;
        store::chunks::replace(&mut tx, org, id, &chunks).await?;
        let now: HashSet<&[u8]> = chunks.iter().map(|chunk| chunk.text_sha256.as_slice()).collect();
        let gone: Vec<Vec<u8>> = before.iter().filter(|hash| !now.contains(hash.as_slice())).cloned().collect();
        self.forget(&mut tx, &gone).await?;
        let reading = Reading {
            title: extracted.title.as_deref(),
            text: &extracted.text,
            pages: page_count(extracted),
            chunks: i32::try_from(chunks.len()).unwrap_or(i32::MAX),
            report: &extracted.report,
        };
        store::documents::store_reading(&mut tx, org, id, &reading, self.inner.clock.now()).await?;
        let options = Embed::options(work.knowledge_base_id, id);
        let embed = Embed { document_id: id, replaces: !before.is_empty() };
        jobs::enqueue(&mut tx, &self.inner.clock, Some(org), &embed, &options).await?;
        tx.commit().await?;
        self.inner.metrics.read(id, extracted.pages, &extracted.report);
        Ok(())
    }
}

fn page_count(extracted: &Extracted) -> Option<i32> {
    extracted.pages.and_then(|pages| i32::try_from(pages).ok())
}

fn count_tokens(local: Option<&Arc<LocalEmbedder>>, text: &str) -> usize {
    let counted = local.and_then(|local| local.count_tokens(text).ok());
    counted.unwrap_or_else(|| usize::try_from(estimate_tokens(text)).unwrap_or(usize::MAX))
}
