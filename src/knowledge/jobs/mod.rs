//! The jobs of knowledge: their payloads, queues and keys, and what runs them.

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
use crate::{
    jobs::{CatchUp, Cron, Enqueue, Job, JobError, JobsError, Registry},
    platform::ids::OrgId,
};

/// All jobs of knowledge share a queue: one pause, one limit.
const QUEUE: &str = "knowledge";

/// After this many attempts at a document that ended with their process there is no other one: a document that gets the server
/// killed must not do so for ever. Who knows better tries it again by hand.
const MOST_LOST: i32 = 2;

/// Reads a document in a child process and cuts it into passages.
#[derive(Debug, Serialize, Deserialize)]
pub struct Extract {
    pub document_id: DocumentId,
    /// Pages without usable text go through OCR, whatever the base says: somebody asked for it.
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

/// Gives a document's passages their vectors and writes them to the base's index.
#[derive(Debug, Serialize, Deserialize)]
pub struct Embed {
    pub document_id: DocumentId,
    /// The document had other passages before, which may be in the index.
    #[serde(default)]
    pub replaces: bool,
}

impl Job for Embed {
    const KIND: &'static str = "knowledge.embed";
    const QUEUE: &'static str = QUEUE;
    /// A book of a thousand pages on a slow machine; what is done stays done.
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

/// Makes a base's objects and index agree with PostgreSQL: removes what was deleted, queues again what is missing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sync {
    pub knowledge_base_id: KnowledgeBaseId,
    /// A document whose objects go at once, however young they are.
    pub deleted: Option<DocumentId>,
}

impl Job for Sync {
    const KIND: &'static str = "knowledge.sync";
    const QUEUE: &'static str = QUEUE;
    /// A promise to delete is kept through a long outage of the object store.
    const MAX_ATTEMPTS: i32 = 20;
    const TIMEOUT: Duration = Duration::from_secs(1800);
}

impl Sync {
    /// No unique key: one that runs may have looked before the deletion that this one is for.
    pub fn options(base: KnowledgeBaseId) -> Enqueue {
        Enqueue { concurrency_key: Some(base.to_string()), ..Enqueue::default() }
    }
}

/// Compacts a base's table and brings its indexes up to date.
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

/// Measures how far each arm of a base's search can be trusted.
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
    /// Nobody waits for it; documents do.
    pub fn options(base: KnowledgeBaseId) -> Enqueue {
        Enqueue { unique_key: Some(base.to_string()), priority: -3, ..Enqueue::default() }
    }
}

/// Writes the terms of a base's index anew after a change of the text analysis.
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

/// Goes through all bases: another embedding model, lost jobs, leftovers of a killed process. At start and every night.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reconcile {}

impl Job for Reconcile {
    const KIND: &'static str = "knowledge.reconcile";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(1800);
}

/// Queues [`Optimize`] for the bases that were written to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "knowledge.maintain";
    const QUEUE: &'static str = QUEUE;
}

/// Registers what runs these jobs, and their schedules.
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

/// The organisation of a job that has one.
fn org(id: Option<OrgId>) -> Result<OrgId, JobError> {
    id.ok_or_else(|| JobError::permanent(anyhow::anyhow!("the job belongs to no organisation")))
}

/// Another writer is not a failure: wait for it.
fn or_snooze(error: KnowledgeError) -> JobError {
    match error {
        KnowledgeError::Busy => JobError::snooze(Duration::from_secs(2)),
        error => JobError::retry(error),
    }
}
