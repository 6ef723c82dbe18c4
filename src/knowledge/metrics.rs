//! `holdfast_knowledge_*`, and the events that log and count in one call

use std::{sync::atomic::AtomicU64, time::Duration};

use chrono::{DateTime, Utc};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    index::{IndexError, MAINTENANCE_STEPS, TableStats, Tidied},
    model::{DocumentId, DocumentStatus, KnowledgeBaseId, SearchMode},
};
use crate::{label_enum, platform::telemetry::Latency};

/// 100 ms (a note) to half an hour (a scanned library on two cores).
const STAGE_BUCKETS: [f64; 9] = [0.1, 0.5, 2.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0];
/// 5 ms (words only, small base) to 5 s.
const SEARCH_BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// 1 ms (a short read) to 1 s.
const PART_BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
/// 50 ms (a note) to five minutes (the vectors of a library).
const UPDATE_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

label_enum! {
    /// Where a document stands.
    pub enum Status {
        Queued = "queued",
        Extracting = "extracting",
        Embedding = "embedding",
        Ready = "ready",
        Failed = "failed",
    }
}

impl From<DocumentStatus> for Status {
    fn from(status: DocumentStatus) -> Self {
        match status {
            DocumentStatus::Queued => Self::Queued,
            DocumentStatus::Extracting => Self::Extracting,
            DocumentStatus::Embedding => Self::Embedding,
            DocumentStatus::Ready => Self::Ready,
            DocumentStatus::Failed => Self::Failed,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabels {
    pub status: Status,
}

label_enum! {
    /// A stage of a document's way.
    pub enum Stage {
        /// Reading and cutting.
        Extract = "extract",
        /// Vectors and index.
        Embed = "embed",
        /// From the upload to ready, waiting included.
        Total = "total",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabels {
    pub stage: Stage,
}

label_enum! {
    /// How was searched.
    pub enum Mode {
        Hybrid = "hybrid",
        Vector = "vector",
        Text = "text",
    }
}

impl From<SearchMode> for Mode {
    fn from(mode: SearchMode) -> Self {
        match mode {
            SearchMode::Hybrid => Self::Hybrid,
            SearchMode::Vector => Self::Vector,
            SearchMode::Text => Self::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModeLabels {
    pub mode: Mode,
}

label_enum! {
    /// A part of a search.
    pub enum Part {
        /// What the database says of the bases.
        Bases = "bases",
        /// The question's vector.
        Embed = "embed",
        /// By meaning, in one base.
        Vector = "vector",
        /// By words, in one base.
        Text = "text",
        /// The texts of what was found.
        Rows = "rows",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartLabels {
    pub part: Part,
}

label_enum! {
    /// How an index was brought up to date.
    pub enum Update {
        /// What is new, as it comes.
        Quick = "quick",
        /// Everything, by maintenance.
        Thorough = "thorough",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UpdateLabels {
    pub update: Update,
}

label_enum! {
    /// How a step of maintenance ended.
    pub enum MaintenanceOutcome { Ok = "ok", Failed = "failed" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MaintenanceLabels {
    /// One of [`MAINTENANCE_STEPS`].
    pub step: &'static str,
    pub outcome: MaintenanceOutcome,
}

label_enum! {
    /// Why a document failed, or was refused at the door.
    pub enum Failure {
        Encrypted = "encrypted",
        Malformed = "malformed",
        NoText = "no_text",
        TooLarge = "too_large",
        Timeout = "timeout",
        OutOfMemory = "out_of_memory",
        Unsupported = "unsupported",
        Embedding = "embedding",
        Internal = "internal",
    }
}

impl Failure {
    /// From the stable code in the database and the API.
    pub fn of(code: &str) -> Self {
        match code {
            "encrypted" => Self::Encrypted,
            "malformed" => Self::Malformed,
            "no_text" => Self::NoText,
            "too_large_input" | "too_large_output" => Self::TooLarge,
            "timeout" => Self::Timeout,
            "out_of_memory" => Self::OutOfMemory,
            "unsupported" => Self::Unsupported,
            "embedding" => Self::Embedding,
            _ => Self::Internal,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    pub reason: Failure,
}

type Stages = Family<StageLabels, Histogram, fn() -> Histogram>;
type Searches = Family<ModeLabels, Latency, fn() -> Latency>;
type Parts = Family<PartLabels, Latency, fn() -> Latency>;
type Updates = Family<UpdateLabels, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug)]
pub struct Metrics {
    pub documents: Family<StatusLabels, Gauge>,
    pub chunks: Gauge,
    pub bases: Gauge,
    uploaded: Counter,
    stages: Stages,
    failures: Family<FailureLabels, Counter>,
    searches: Searches,
    parts: Parts,
    updates: Updates,
    update_failures: Counter,
    /// Hybrid searches that had only words to go by.
    degraded: Counter,
    index_failures: Counter,
    maintenance: Family<MaintenanceLabels, Counter>,
    last_maintenance: Gauge<f64, AtomicU64>,
    repaired: Counter,
    index_lost: Counter,
    index_tables: Gauge,
    index_unindexed: Gauge,
    index_fragments: Gauge,
    index_versions: Gauge,
    index_size: Gauge,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            documents: Family::default(),
            chunks: Gauge::default(),
            bases: Gauge::default(),
            uploaded: Counter::default(),
            stages: Family::new_with_constructor(|| Histogram::new(STAGE_BUCKETS)),
            failures: Family::default(),
            searches: Family::new_with_constructor(|| Latency::new(SEARCH_BUCKETS)),
            parts: Family::new_with_constructor(|| Latency::new(PART_BUCKETS)),
            updates: Family::new_with_constructor(|| Histogram::new(UPDATE_BUCKETS)),
            update_failures: Counter::default(),
            degraded: Counter::default(),
            index_failures: Counter::default(),
            maintenance: Family::default(),
            last_maintenance: Gauge::default(),
            repaired: Counter::default(),
            index_lost: Counter::default(),
            index_tables: Gauge::default(),
            index_unindexed: Gauge::default(),
            index_fragments: Gauge::default(),
            index_versions: Gauge::default(),
            index_size: Gauge::default(),
        };
        metrics.at_zero();
        metrics.describe(registry);
        metrics
    }

    fn at_zero(&self) {
        for status in DocumentStatus::ALL {
            let _ = self.documents.get_or_create(&StatusLabels { status: status.into() });
        }
        for &stage in Stage::ALL {
            let _ = self.stages.get_or_create(&StageLabels { stage });
        }
        for &mode in Mode::ALL {
            let _ = self.searches.get_or_create(&ModeLabels { mode });
        }
        for &reason in Failure::ALL {
            let _ = self.failures.get_or_create(&FailureLabels { reason });
        }
        for &part in Part::ALL {
            let _ = self.parts.get_or_create(&PartLabels { part });
        }
        for &update in Update::ALL {
            let _ = self.updates.get_or_create(&UpdateLabels { update });
        }
        for step in MAINTENANCE_STEPS {
            for &outcome in MaintenanceOutcome::ALL {
                let _ = self.maintenance.get_or_create(&MaintenanceLabels { step, outcome });
            }
        }
    }

    fn describe(&self, registry: &mut Registry) {
        registry.register("documents", "Documents by status", self.documents.clone());
        registry.register("chunks", "Passages of all documents", self.chunks.clone());
        registry.register("bases", "Knowledge bases", self.bases.clone());
        registry.register("documents_uploaded", "Documents that were accepted", self.uploaded.clone());
        registry.register_with_unit(
            "ingest_duration",
            "Time that a stage of a document took",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register(
            "document_failures",
            "Documents that failed or were refused, by reason",
            self.failures.clone(),
        );
        registry.register_with_unit("search_duration", "Time that a search took", Unit::Seconds, self.searches.clone());
        registry.register_with_unit(
            "search_part_duration",
            "Time that a part of a search took; parts run beside each other, and `vector` and `text` once for each knowledge base",
            Unit::Seconds,
            self.parts.clone(),
        );
        registry.register(
            "searches_degraded",
            "Hybrid searches answered by words alone, because the question could not be embedded",
            self.degraded.clone(),
        );
        registry.register("index_failures", "Steps of index maintenance that failed", self.index_failures.clone());
        registry.register(
            "index_maintenance",
            "Steps of index maintenance, by how they ended",
            self.maintenance.clone(),
        );
        registry.register_with_unit(
            "index_last_maintenance_timestamp",
            "When this process last looked after all indexes, seconds since 1970; 0 for never",
            Unit::Seconds,
            self.last_maintenance.clone(),
        );
        registry.register(
            "index_repairs",
            "Documents whose index rows were missing or left over",
            self.repaired.clone(),
        );
        registry.register(
            "index_losses",
            "Indexes whose files were gone, and that are made again from the database",
            self.index_lost.clone(),
        );
        self.describe_index(registry);
    }

    fn describe_index(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "index_update_duration",
            "Time that bringing an index up to date took: `quick` while documents come in, `thorough` by maintenance",
            Unit::Seconds,
            self.updates.clone(),
        );
        registry.register(
            "index_update_failures",
            "Quick updates of an index that failed; its new passages are scanned until maintenance has indexed them",
            self.update_failures.clone(),
        );
        registry.register("index_tables", "Tables of the index", self.index_tables.clone());
        registry.register(
            "index_unindexed_rows",
            "Passages that searches still scan for, because no index covers them yet; grows when maintenance fails",
            self.index_unindexed.clone(),
        );
        registry.register(
            "index_fragments",
            "Data files of the newest versions; grows when compaction fails",
            self.index_fragments.clone(),
        );
        registry.register(
            "index_versions",
            "Versions of all tables; grows when old versions are not removed",
            self.index_versions.clone(),
        );
        registry.register_with_unit(
            "index_size",
            "Files of the index, old versions included; every five minutes",
            Unit::Bytes,
            self.index_size.clone(),
        );
    }

    pub(super) fn measured_index(&self, tables: usize, sum: &TableStats, bytes: u64) {
        let count = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.index_tables.set(count(tables));
        self.index_unindexed.set(count(sum.unindexed_rows));
        self.index_fragments.set(count(sum.fragments));
        self.index_versions.set(count(sum.versions));
        self.index_size.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn index_lost(&self, base: KnowledgeBaseId, documents: usize) {
        self.index_lost.inc();
        tracing::error!(knowledge_base = %base, documents, "index of {base} is gone: it is made again from the database");
    }

    pub(super) fn uploaded(&self, base: KnowledgeBaseId, document: DocumentId, kind: &str, size: u64) {
        self.uploaded.inc();
        tracing::info!(knowledge_base = %base, document = %document, kind, size, "document {document} uploaded");
    }

    pub(super) fn refused(&self, base: KnowledgeBaseId, code: &str) {
        self.failures.get_or_create(&FailureLabels { reason: Failure::of(code) }).inc();
        tracing::info!(knowledge_base = %base, code, "document refused");
    }

    pub(super) fn failed(&self, document: DocumentId, code: &str, reason: &str) {
        self.failures.get_or_create(&FailureLabels { reason: Failure::of(code) }).inc();
        tracing::warn!(document = %document, code, reason, "document {document} failed");
    }

    pub(super) fn stage(&self, stage: Stage, took: Duration) {
        self.stages.get_or_create(&StageLabels { stage }).observe(took.as_secs_f64());
    }

    pub(super) fn ready(&self, document: DocumentId, seconds: f64) {
        self.stages.get_or_create(&StageLabels { stage: Stage::Total }).observe(seconds.max(0.0));
        tracing::info!(document = %document, seconds, "document {document} ready");
    }

    pub(super) fn searched(&self, mode: SearchMode, took: Duration, hits: usize) {
        self.searches.get_or_create(&ModeLabels { mode: mode.into() }).observe(took.as_secs_f64());
        tracing::debug!(mode = mode.as_str(), hits, ms = took.as_millis(), "search");
    }

    pub(super) fn degraded(&self, error: &(dyn std::error::Error + 'static)) {
        self.degraded.inc();
        tracing::warn!(error, "the question could not be embedded: searching by words alone");
    }

    /// A part of a search is done.
    pub(super) fn part(&self, part: Part, took: Duration) {
        self.parts.get_or_create(&PartLabels { part }).observe(took.as_secs_f64());
    }

    pub(super) fn updated_index(&self, update: Update, took: Duration) {
        self.updates.get_or_create(&UpdateLabels { update }).observe(took.as_secs_f64());
    }

    /// An index was looked at after a write, and brought up to date where that was worth it.
    pub(super) fn tidied(
        &self,
        base: KnowledgeBaseId,
        took: Duration,
        tidied: Result<Tidied, IndexError>,
    ) -> Option<Tidied> {
        match tidied {
            Ok(tidied) => {
                if tidied.worked {
                    self.updated_index(Update::Quick, took);
                    let (indexed, waiting, ms) = (tidied.indexed, tidied.waiting, took.as_millis());
                    tracing::debug!(knowledge_base = %base, indexed, waiting, ms, "index of {base} brought up to date");
                }
                Some(tidied)
            }
            Err(error) => {
                self.update_failures.inc();
                let error = &error as &dyn std::error::Error;
                tracing::warn!(knowledge_base = %base, error, "index of {base} could not be brought up to date");
                None
            }
        }
    }

    /// The steps of maintenance ran on a base's index; those of `failures` failed.
    pub(super) fn maintained(&self, base: KnowledgeBaseId, failures: &[(&'static str, IndexError)]) {
        for step in MAINTENANCE_STEPS {
            let error = failures.iter().find(|(failed, _)| *failed == step).map(|(_, error)| error);
            let outcome = if error.is_some() { MaintenanceOutcome::Failed } else { MaintenanceOutcome::Ok };
            self.maintenance.get_or_create(&MaintenanceLabels { step, outcome }).inc();
            if let Some(error) = error {
                self.index_failures.inc();
                let error = error as &dyn std::error::Error;
                tracing::warn!(knowledge_base = %base, step, error, "index maintenance of {base} failed at {step}");
            }
        }
    }

    /// All indexes have been looked after.
    pub(super) fn looked_after(&self, now: DateTime<Utc>) {
        self.last_maintenance.set(now.timestamp_micros() as f64 / 1e6);
    }

    pub(super) fn repaired(&self, base: KnowledgeBaseId, stale: usize, missing: usize) {
        self.repaired.inc_by((stale + missing) as u64);
        tracing::warn!(knowledge_base = %base, stale, missing, "index of {base} differed from the database: repairing");
    }
}
