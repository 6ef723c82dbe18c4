//! `holdfast_knowledge_*`, and event functions that log and count in one call.

mod describe;
mod labels;

use std::{sync::atomic::AtomicU64, time::Duration};

use chrono::{DateTime, Utc};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

pub use labels::*;

use super::{
    extract::{Doubt, LeftOutKind, Report, UnreadReason},
    index::{IndexError, MAINTENANCE_STEPS, TableStats, Tidied},
    model::{DocumentId, DocumentStatus, KnowledgeBaseId, SearchMode},
};
use platform::telemetry::Latency;

/// 100 ms (a short note) to 30 min (a scanned book on two cores).
const STAGE_BUCKETS: [f64; 9] = [0.1, 0.5, 2.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0];
/// 5 ms (full text, small base) to 5 s.
const SEARCH_BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// 1 ms (a short read) to 1 s.
const PART_BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
/// 50 ms (a short note) to 5 min (the vectors of a large library).
const UPDATE_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// A gauge of whole tables, exported by the leader; NaN in other processes.
type Figure = Gauge<f64, AtomicU64>;

/// Rows of the installation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub bases: usize,
    pub chunks: i64,
    pub doubted: i64,
    pub words_only: i64,
}

type Stages = Family<StageLabels, Histogram, fn() -> Histogram>;
type Searches = Family<ModeLabels, Latency, fn() -> Latency>;
type Parts = Family<PartLabels, Latency, fn() -> Latency>;
type Updates = Family<UpdateLabels, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug)]
pub struct Metrics {
    documents: Family<StatusLabels, Figure>,
    chunks: Figure,
    bases: Figure,
    documents_doubted: Figure,
    documents_words_only: Figure,
    doubts: Family<DoubtLabels, Counter>,
    left_out: Family<LeftOutLabels, Counter>,
    pages: Family<PageLabels, Counter>,
    unread_pages: Family<UnreadLabels, Counter>,
    uploaded: Counter,
    stages: Stages,
    failures: Family<FailureLabels, Counter>,
    searches: Searches,
    parts: Parts,
    updates: Updates,
    update_failures: Counter,
    /// Searches with no results or only weak matches.
    unmatched: Family<ModeLabels, Counter>,
    /// Hybrid searches that fell back to full text.
    degraded: Counter,
    index_failures: Counter,
    maintenance: Family<MaintenanceLabels, Counter>,
    last_maintenance: Gauge<f64, AtomicU64>,
    repaired: Counter,
    index_lost: Counter,
    index_tables: Figure,
    index_unindexed: Figure,
    index_fragments: Figure,
    index_versions: Figure,
    index_size: Figure,
    held_vectors: Gauge,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            documents: Family::default(),
            chunks: Figure::default(),
            bases: Figure::default(),
            documents_doubted: Figure::default(),
            documents_words_only: Figure::default(),
            doubts: Family::default(),
            left_out: Family::default(),
            pages: Family::default(),
            unread_pages: Family::default(),
            uploaded: Counter::default(),
            stages: Family::new_with_constructor(|| Histogram::new(STAGE_BUCKETS)),
            failures: Family::default(),
            searches: Family::new_with_constructor(|| Latency::new(SEARCH_BUCKETS)),
            parts: Family::new_with_constructor(|| Latency::new(PART_BUCKETS)),
            updates: Family::new_with_constructor(|| Histogram::new(UPDATE_BUCKETS)),
            update_failures: Counter::default(),
            unmatched: Family::default(),
            degraded: Counter::default(),
            index_failures: Counter::default(),
            maintenance: Family::default(),
            last_maintenance: Gauge::default(),
            repaired: Counter::default(),
            index_lost: Counter::default(),
            index_tables: Figure::default(),
            index_unindexed: Figure::default(),
            index_fragments: Figure::default(),
            index_versions: Figure::default(),
            index_size: Figure::default(),
            held_vectors: Gauge::default(),
        };
        metrics.at_zero();
        metrics.describe(registry);
        metrics
    }

    fn at_zero(&self) {
        for status in DocumentStatus::ALL {
            let _ = self.documents.get_or_create(&StatusLabels { status });
        }
        for &stage in Stage::ALL {
            let _ = self.stages.get_or_create(&StageLabels { stage });
        }
        for mode in SearchMode::ALL {
            let _ = self.searches.get_or_create(&ModeLabels { mode });
            let _ = self.unmatched.get_or_create(&ModeLabels { mode });
        }
        for &reason in Failure::ALL {
            let _ = self.failures.get_or_create(&FailureLabels { reason });
        }
        for doubt in Doubt::ALL {
            let _ = self.doubts.get_or_create(&DoubtLabels { doubt });
        }
        for kind in LeftOutKind::ALL {
            let _ = self.left_out.get_or_create(&LeftOutLabels { kind });
        }
        for &by in ReadBy::ALL {
            let _ = self.pages.get_or_create(&PageLabels { by });
        }
        for reason in UnreadReason::ALL {
            let _ = self.unread_pages.get_or_create(&UnreadLabels { reason });
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

    /// Figures read from the database's tables.
    pub(super) fn counted(&self, statuses: &[(DocumentStatus, i64)], tables: &Counted) {
        for status in DocumentStatus::ALL {
            let count = statuses.iter().find(|(found, _)| *found == status).map_or(0, |(_, count)| *count);
            self.documents.get_or_create(&StatusLabels { status }).set(count as f64);
        }
        self.chunks.set(tables.chunks as f64);
        self.bases.set(tables.bases as f64);
        self.documents_doubted.set(tables.doubted as f64);
        self.documents_words_only.set(tables.words_only as f64);
    }

    pub(super) fn measured_index(&self, tables: usize, sum: &TableStats, bytes: u64) {
        self.index_tables.set(tables as f64);
        self.index_unindexed.set(sum.unindexed_rows as f64);
        self.index_fragments.set(sum.fragments as f64);
        self.index_versions.set(sum.versions as f64);
        self.index_size.set(bytes as f64);
    }

    /// Vectors that this process holds in memory.
    pub(super) fn holds(&self, bytes: u64) {
        self.held_vectors.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(super) fn forget_figures(&self) {
        for status in DocumentStatus::ALL {
            self.documents.get_or_create(&StatusLabels { status }).set(f64::NAN);
        }
        let tables = [&self.chunks, &self.bases, &self.documents_doubted, &self.documents_words_only];
        let index =
            [&self.index_tables, &self.index_unindexed, &self.index_fragments, &self.index_versions, &self.index_size];
        tables.into_iter().chain(index).for_each(|figure| {
            figure.set(f64::NAN);
        });
    }

    pub(super) fn index_lost(&self, base: KnowledgeBaseId, documents: usize) {
        self.index_lost.inc();
        tracing::error!(knowledge_base = %base, documents, "index of {base} is lost: rebuilding it from the database");
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

    /// A document was read, with or without text.
    pub(super) fn read(&self, document: DocumentId, pages: Option<u32>, report: &Report) {
        for &doubt in &report.doubts {
            self.doubts.get_or_create(&DoubtLabels { doubt }).inc();
        }
        for left_out in &report.left_out {
            let labels = LeftOutLabels { kind: left_out.kind };
            self.left_out.get_or_create(&labels).inc_by(left_out.characters);
        }
        let (ocr, model) = (report.pages_by_ocr.len() as u64, report.pages_by_model.len() as u64);
        let unread = report.pages_without_text.len() as u64;
        let text = u64::from(pages.unwrap_or(0)).saturating_sub(ocr + model + unread);
        for (by, count) in [(ReadBy::Text, text), (ReadBy::Ocr, ocr), (ReadBy::Model, model)] {
            self.pages.get_or_create(&PageLabels { by }).inc_by(count);
        }
        for unread in &report.unread_pages {
            let labels = UnreadLabels { reason: unread.reason };
            self.unread_pages.get_or_create(&labels).inc_by(unread.pages.len() as u64);
        }
        if report.doubts.is_empty() {
            return;
        }
        let doubts = report.doubts.iter().map(|doubt| doubt.as_str()).collect::<Vec<_>>().join(", ");
        tracing::info!(document = %document, doubts, pages_without_text = unread, pages_by_ocr = ocr, pages_by_model = model,
            left_out = report.left_out.iter().map(|left_out| left_out.characters).sum::<u64>(),
            "document {document} was read with doubts");
    }

    pub(super) fn stage(&self, stage: Stage, took: Duration) {
        self.stages.get_or_create(&StageLabels { stage }).observe(took.as_secs_f64());
    }

    pub(super) fn ready(&self, document: DocumentId, seconds: f64, words_only: bool) {
        self.stages.get_or_create(&StageLabels { stage: Stage::Total }).observe(seconds.max(0.0));
        tracing::info!(document = %document, seconds, words_only, "document {document} ready");
    }

    /// A search found `hits` results, `matches` of them not weak.
    pub(super) fn searched(&self, mode: SearchMode, took: Duration, hits: usize, matches: usize) {
        self.searches.get_or_create(&ModeLabels { mode }).observe(took.as_secs_f64());
        if matches == 0 {
            self.unmatched.get_or_create(&ModeLabels { mode }).inc();
        }
        tracing::debug!(mode = mode.as_str(), hits, matches, ms = took.as_millis(), "search");
    }

    pub(super) fn degraded(&self, error: &(dyn std::error::Error + 'static)) {
        self.degraded.inc();
        tracing::warn!(error, "the query could not be embedded: full-text search only");
    }

    pub(super) fn part(&self, part: Part, took: Duration) {
        self.parts.get_or_create(&PartLabels { part }).observe(took.as_secs_f64());
    }

    pub(super) fn updated_index(&self, update: Update, took: Duration) {
        self.updates.get_or_create(&UpdateLabels { update }).observe(took.as_secs_f64());
    }

    /// An index was checked after a write, and updated if it was worthwhile.
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
                    tracing::debug!(knowledge_base = %base, indexed, waiting, ms, "index of {base} updated");
                }
                Some(tidied)
            }
            Err(error) => {
                self.update_failures.inc();
                let error = &error as &dyn std::error::Error;
                tracing::warn!(knowledge_base = %base, error, "index of {base} could not be updated");
                None
            }
        }
    }

    /// The maintenance steps ran on a base's index; `failures` are those that failed.
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

    /// A maintenance round over all indexes is complete.
    pub(super) fn maintenance_done(&self, now: DateTime<Utc>) {
        self.last_maintenance.set(now.timestamp_micros() as f64 / 1e6);
    }

    pub(super) fn repaired(&self, base: KnowledgeBaseId, stale: usize, missing: usize) {
        self.repaired.inc_by((stale + missing) as u64);
        tracing::warn!(knowledge_base = %base, stale, missing, "index of {base} differed from the database: repairing");
    }
}
