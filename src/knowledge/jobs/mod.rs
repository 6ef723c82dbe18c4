//! The jobs of knowledge: payloads, queue, keys, handlers and schedules.

mod embed;
mod extract;
mod maintain;
mod reanalyse;
pub(super) mod recognise;
mod reconcile;
pub(super) mod sync;
pub(super) mod vision;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DocumentId, Knowledge, KnowledgeBaseId, KnowledgeError};
use jobs::{CatchUp, Cron, Enqueue, Job, JobError, JobsError, Registry};
use platform::ids::OrgId;

/// All jobs of knowledge share one queue, with one pause switch and one limit.
const QUEUE: &str = "knowledge";

/// Attempts lost with their process before a document is given up: a document that crashes the server must not do so
/// forever. It can still be retried by hand.
const MAX_LOST_ATTEMPTS: i32 = 2;

/// Extracts a document's text in a child process and splits it into chunks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Extract {
    pub document_id: DocumentId,
    /// Use OCR for pages without usable text, overriding the base's setting, because a user asked for it.
    #[serde(default)]
    pub ocr: bool,
}

impl Job for Extract {
    const KIND: &'static str = "knowledge.extract";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(1200);
}

impl Extract {
    pub fn options(document: DocumentId) -> Enqueue {
        Enqueue { unique_key: Some(document.to_string()), ..Enqueue::default() }
    }
}

/// Embeds a document's chunks and writes them to the base's index.
#[derive(Debug, Serialize, Deserialize)]
pub struct Embed {
    pub document_id: DocumentId,
    /// The document had other chunks before, which may still be in the index.
    #[serde(default)]
    pub replaces: bool,
}

impl Job for Embed {
    const KIND: &'static str = "knowledge.embed";
    const QUEUE: &'static str = QUEUE;
    /// Enough for a thousand-page book on a slow machine; completed steps are kept.
    const TIMEOUT: Duration = Duration::from_secs(3600);
}

impl Embed {
    pub fn options(base: KnowledgeBaseId, document: DocumentId) -> Enqueue {
        Enqueue {
            unique_key: Some(document.to_string()),
            concurrency_key: Some(base.to_string()),
            ..Enqueue::default()
        }
    }
}

/// Makes a base's objects and index agree with PostgreSQL: removes deleted data, re-queues missing data.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sync {
    pub knowledge_base_id: KnowledgeBaseId,
    /// A deleted document whose objects are removed at once, regardless of their age.
    pub deleted: Option<DocumentId>,
}

impl Job for Sync {
    const KIND: &'static str = "knowledge.sync";
    const QUEUE: &'static str = QUEUE;
    /// Enough attempts to complete a deletion after a long outage of the object store.
    const MAX_ATTEMPTS: i32 = 20;
    const TIMEOUT: Duration = Duration::from_secs(1800);
}

impl Sync {
    /// No unique key: a running job may have read its state before the deletion that this one is for.
    pub fn options(base: KnowledgeBaseId) -> Enqueue {
        Enqueue { concurrency_key: Some(base.to_string()), ..Enqueue::default() }
    }
}

/// Compacts a base's table and updates its indexes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Optimize {
    pub knowledge_base_id: KnowledgeBaseId,
}

impl Job for Optimize {
    const KIND: &'static str = "knowledge.optimize";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(1800);
}

impl Optimize {
    pub fn options(base: KnowledgeBaseId) -> Enqueue {
        let key = Some(base.to_string());
        Enqueue { unique_key: key.clone(), concurrency_key: key, priority: -2, ..Enqueue::default() }
    }
}

/// Measures the search quality of each arm in a base.
#[derive(Debug, Serialize, Deserialize)]
pub struct SelfTest {
    pub knowledge_base_id: KnowledgeBaseId,
}

impl Job for SelfTest {
    const KIND: &'static str = "knowledge.selftest";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(1800);
}

impl SelfTest {
    /// Low priority: nobody waits for it.
    pub fn options(base: KnowledgeBaseId) -> Enqueue {
        Enqueue { unique_key: Some(base.to_string()), priority: -3, ..Enqueue::default() }
    }
}

/// Rewrites the terms of a base's index after a change of the text analysis.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reanalyse {
    pub knowledge_base_id: KnowledgeBaseId,
}

impl Job for Reanalyse {
    const KIND: &'static str = "knowledge.reanalyse";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(3600);
}

impl Reanalyse {
    pub fn options(base: KnowledgeBaseId) -> Enqueue {
        let key = Some(base.to_string());
        Enqueue { unique_key: key.clone(), concurrency_key: key, priority: -2, ..Enqueue::default() }
    }
}

/// Checks all bases for a changed embedding model, lost jobs and leftovers of crashes; at start and every night.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reconcile {}

impl Job for Reconcile {
    const KIND: &'static str = "knowledge.reconcile";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(1800);
}

/// Queues [`Optimize`] for bases that were written to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "knowledge.maintain";
    const QUEUE: &'static str = QUEUE;
}

/// Registers job handlers and schedules.
pub fn register(registry: &mut Registry, knowledge: &Knowledge) -> Result<(), JobsError> {
    macro_rules! run {
        ($job:ty, $method:ident) => {{
            let knowledge = knowledge.clone();
            registry.register::<$job, _, _>(move |context, job| {
                let knowledge = knowledge.clone();
                async move { knowledge.$method(&context, job).await }
            });
        }};
    }
    run!(Extract, run_extract);
    run!(Embed, run_embed);
    run!(Sync, run_sync);
    run!(Optimize, run_optimize);
    run!(SelfTest, run_selftest);
    run!(Reanalyse, run_reanalyse);
    run!(Reconcile, run_reconcile);
    run!(Maintain, run_maintain);
    registry.schedule("knowledge.reconcile", Cron::parse("17 3 * * *", "UTC")?, CatchUp::One, &Reconcile {})?;
    registry.schedule("knowledge.maintain", Cron::parse("*/15 * * * *", "UTC")?, CatchUp::Skip, &Maintain {})?;
    Ok(())
}

/// The organisation of a tenant job.
fn org(id: Option<OrgId>) -> Result<OrgId, JobError> {
    id.ok_or_else(|| JobError::permanent(anyhow::anyhow!("the job belongs to no organisation")))
}

/// A held lock is not a failure: snooze until it is free.
fn or_snooze(error: KnowledgeError) -> JobError {
    match error {
        KnowledgeError::Busy => JobError::snooze(Duration::from_secs(2)),
        error => JobError::retry(error),
    }
}
