//! `holdfast_files_*`, and what happens to files in the log.

mod labels;
mod log;
mod pictures;

use std::{
    future::Future,
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{FilesError, ScanState, VariantFigures, VersionId, store::figures::Figures};
use platform::error::is_disk_full;
use storage::StorageError;

use labels::{ActionLabels, FailureLabels, Kind, KindLabels, OperationLabels, RefusalLabels, ScanLabels, TimedLabels};
use pictures::Pictures;

pub use labels::{LifecycleAction, Operation, OperationOutcome, ScanOutcome, SignatureRefusal, UploadFailure};
pub(crate) use log::{
    damaged, deleted, left_to_the_sweep, lifecycle_ran, not_looked_at, not_mended, not_repaired, object_damaged,
    orphan_deleted, repaired, rewound, scrubbed, unread, written,
};

/// 1 ms (a row) to 300 s (a large upload).
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 300.0];

/// A number that may be unknown (NaN): gauges of whole tables are exported by the leader alone.
type Figure = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    operations: Family<OperationLabels, Counter>,
    durations: Family<TimedLabels, Histogram, fn() -> Histogram>,
    stored_bytes: Counter,
    deduplicated_bytes: Counter,
    failures: Family<FailureLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    scans: Family<ScanLabels, Counter>,
    pictures: Pictures,
    gauges: Gauges,
}

/// Gauges of whole tables.
#[derive(Clone, Debug, Default)]
struct Gauges {
    objects: Family<KindLabels, Figure>,
    bytes: Family<KindLabels, Figure>,
    actions: Family<ActionLabels, Figure>,
    blobs: Figure,
    garbage: Figure,
    uploads: Figure,
    orphans: Figure,
    orphan_bytes: Figure,
    damaged: Figure,
    missing: Figure,
    repaired: Figure,
    scrub_age: Figure,
    scrub_running: Figure,
    scrub_bytes: Figure,
    sweep_age: Figure,
    quota_ratio: Figure,
    lifecycle_age: Figure,
    scan_pending: Figure,
    clamd_up: Figure,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            operations: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            stored_bytes: Counter::default(),
            deduplicated_bytes: Counter::default(),
            failures: Family::default(),
            refusals: Family::default(),
            scans: Family::default(),
            pictures: Pictures::register(registry),
            gauges: Gauges::default(),
        };
        metrics.create();
        let m = &metrics;
        registry.register("operations", "What was done with files, by outcome", m.operations.clone());
        let duration = "Duration of what was done with files: writes to their commit, reads to their first byte";
        registry.register_with_unit("operation_duration", duration, Unit::Seconds, m.durations.clone());
        let stored = "Bytes of objects and parts that were committed";
        registry.register("stored_bytes", stored, m.stored_bytes.clone());
        let known = "Bytes that were not stored again, because the organisation had the same content";
        registry.register("deduplicated_bytes", known, m.deduplicated_bytes.clone());
        registry.register("upload_failures", "What was not stored, by reason", m.failures.clone());
        let refused = "Requests to the S3 API whose signature was not taken, by reason";
        registry.register("signatures_refused", refused, m.refusals.clone());
        registry.register("scans", "Scans for viruses, by outcome", m.scans.clone());
        m.gauges.register(registry);
        metrics
    }

    /// Makes every series.
    fn create(&self) {
        for &operation in Operation::ALL {
            for &outcome in OperationOutcome::ALL {
                drop(self.operations.get_or_create(&OperationLabels { operation, outcome }));
            }
            drop(self.durations.get_or_create(&TimedLabels { operation }));
        }
        UploadFailure::ALL.iter().for_each(|&reason| drop(self.failures.get_or_create(&FailureLabels { reason })));
        SignatureRefusal::ALL.iter().for_each(|&reason| drop(self.refusals.get_or_create(&RefusalLabels { reason })));
        ScanOutcome::ALL.iter().for_each(|&outcome| drop(self.scans.get_or_create(&ScanLabels { outcome })));
        self.forget_figures();
    }

    /// Does something with files, and counts how it ends; also when whoever asked goes away.
    pub async fn seen<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, FilesError>>,
    ) -> Result<T, FilesError> {
        let mut seen = Seen { metrics: self, operation, begun: Instant::now(), outcome: OperationOutcome::Aborted };
        let result = work.await;
        seen.outcome = match &result {
            Ok(_) => OperationOutcome::Done,
            Err(error) if is_ours(error) => OperationOutcome::Failed,
            Err(_) => OperationOutcome::Refused,
        };
        let stores = matches!(operation, Operation::Write | Operation::Part | Operation::Complete);
        if let (true, Err(error)) = (stores, &result) {
            self.failures.get_or_create(&FailureLabels { reason: reason(error) }).inc();
        }
        result
    }

    /// Content was committed; `known` bytes of it were there already.
    pub fn stored(&self, bytes: u64, known: u64) {
        self.stored_bytes.inc_by(bytes);
        self.deduplicated_bytes.inc_by(known);
    }

    /// A signature was not taken.
    pub fn signature_refused(&self, reason: SignatureRefusal) {
        self.refusals.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// A scan ended.
    pub(crate) fn scanned(&self, version: VersionId, outcome: ScanOutcome, note: &str) {
        self.scans.get_or_create(&ScanLabels { outcome }).inc();
        match outcome {
            ScanOutcome::Infected => tracing::error!(%version, found = note, "files.object_quarantined"),
            ScanOutcome::Failed => tracing::warn!(%version, problem = note, "files.scan_failed"),
            ScanOutcome::Clean | ScanOutcome::Unscanned => {
                tracing::debug!(%version, outcome = outcome.as_str(), note, "files.object_scanned");
            }
        }
    }

    /// What is made of objects, before a scrape.
    pub(crate) fn set_pictures(&self, variants: &VariantFigures, pool: &images::Figures) {
        self.pictures.set(variants, pool);
    }

    /// Sets the gauges of whole tables. `clamd_up`: `None` where there is no scanner.
    pub(crate) fn set(&self, figures: &Figures, clamd_up: Option<bool>) {
        let g = &self.gauges;
        let unknown = |number: Option<f64>| number.unwrap_or(f64::NAN);
        for (kind, objects, bytes) in [
            (Kind::Current, figures.objects, figures.bytes),
            (Kind::Version, figures.versions, figures.version_bytes),
            (Kind::Trash, figures.trashed, figures.trashed_bytes),
        ] {
            g.objects.get_or_create(&KindLabels { kind }).set(objects as f64);
            g.bytes.get_or_create(&KindLabels { kind }).set(bytes as f64);
        }
        for (action, objects) in [
            (LifecycleAction::Expired, figures.expired),
            (LifecycleAction::Moved, figures.moved),
            (LifecycleAction::UploadAborted, figures.aborted),
        ] {
            g.actions.get_or_create(&ActionLabels { action }).set(objects as f64);
        }
        g.blobs.set(unknown(figures.blobs));
        g.garbage.set(figures.garbage as f64);
        g.uploads.set(figures.uploads as f64);
        g.orphans.set(figures.orphans as f64);
        g.orphan_bytes.set(figures.orphan_bytes as f64);
        g.damaged.set(figures.damaged as f64);
        g.missing.set(figures.missing as f64);
        g.repaired.set(figures.repaired as f64);
        g.scrub_age.set(unknown(figures.scrub_age));
        g.scrub_running.set(f64::from(u8::from(figures.scrub_running)));
        g.scrub_bytes.set(unknown(figures.scrub_bytes));
        g.sweep_age.set(unknown(figures.sweep_age));
        g.quota_ratio.set(figures.quota_ratio);
        g.lifecycle_age.set(unknown(figures.lifecycle_age));
        g.scan_pending.set(figures.scan_pending as f64);
        g.clamd_up.set(clamd_up.map_or(f64::NAN, |up| f64::from(u8::from(up))));
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub(crate) fn forget_figures(&self) {
        for &kind in Kind::ALL {
            self.gauges.objects.get_or_create(&KindLabels { kind }).set(f64::NAN);
            self.gauges.bytes.get_or_create(&KindLabels { kind }).set(f64::NAN);
        }
        for &action in LifecycleAction::ALL {
            self.gauges.actions.get_or_create(&ActionLabels { action }).set(f64::NAN);
        }
        for (_, _, _, figure) in self.gauges.all() {
            figure.set(f64::NAN);
        }
    }
}

impl Gauges {
    /// Name, unit, help, gauge: those without labels.
    fn all(&self) -> [(&'static str, Option<Unit>, &'static str, &Figure); 16] {
        let (bytes, seconds) = (Some(Unit::Bytes), Some(Unit::Seconds));
        [
            (
                "blobs",
                None,
                "About how many blobs there are, by the planner's statistics; exported by the leader",
                &self.blobs,
            ),
            (
                "garbage_notes",
                None,
                "Blobs that lost a reference and were not looked at since; exported by the leader",
                &self.garbage,
            ),
            ("uploads_open", None, "Unfinished uploads; exported by the leader", &self.uploads),
            ("orphans", None, "Stored objects without a row, by the last sweep; exported by the leader", &self.orphans),
            ("orphan", bytes.clone(), "Their bytes; exported by the leader", &self.orphan_bytes),
            (
                "damaged_objects",
                None,
                "Objects whose bytes are not what was written; exported by the leader",
                &self.damaged,
            ),
            ("missing_objects", None, "Objects that are not in the store; exported by the leader", &self.missing),
            (
                "repaired_objects",
                None,
                "Damaged objects that were brought back; exported by the leader",
                &self.repaired,
            ),
            (
                "scrub_age",
                seconds.clone(),
                "Since the last scrub ended, or since there was something to scrub; exported by the leader",
                &self.scrub_age,
            ),
            ("scrub_running", None, "1 while a scrub is not finished; exported by the leader", &self.scrub_running),
            ("scrub_read", bytes, "Bytes that the newest scrub has read; exported by the leader", &self.scrub_bytes),
            (
                "sweep_age",
                seconds.clone(),
                "Since the folder that was swept longest ago; exported by the leader",
                &self.sweep_age,
            ),
            (
                "quota_ratio_max",
                None,
                "Largest share of its quota that an organisation has used; exported by the leader",
                &self.quota_ratio,
            ),
            (
                "lifecycle_age",
                seconds,
                "Since the lifecycle rules ran of the bucket where that is longest ago; NaN without rules; exported by the leader",
                &self.lifecycle_age,
            ),
            (
                "scan_pending",
                None,
                "Objects that wait for the virus scanner; exported by the leader",
                &self.scan_pending,
            ),
            (
                "clamd_up",
                None,
                "1 if the virus scanner answers; NaN where there is none; exported by the leader",
                &self.clamd_up,
            ),
        ]
    }

    fn register(&self, registry: &mut Registry) {
        let objects = "Versions of objects: current ones, former ones (delete markers too), and those in the trash; exported by the leader";
        registry.register("objects", objects, self.objects.clone());
        let bytes = "Bytes of objects, whether stored once or not; exported by the leader";
        registry.register_with_unit("object", bytes, Unit::Bytes, self.bytes.clone());
        let done = "What lifecycle rules did when they ran last; exported by the leader";
        registry.register("lifecycle_objects", done, self.actions.clone());
        for (name, unit, help, figure) in self.all() {
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, figure.clone()),
                None => registry.register(name, help, figure.clone()),
            }
        }
    }
}

/// An operation, counted when it ends or is given up.
struct Seen<'a> {
    metrics: &'a Metrics,
    operation: Operation,
    begun: Instant,
    outcome: OperationOutcome,
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        let Self { metrics, operation, begun, outcome } = self;
        let (operation, outcome) = (*operation, *outcome);
        metrics.operations.get_or_create(&OperationLabels { operation, outcome }).inc();
        if outcome == OperationOutcome::Done {
            let took: Duration = begun.elapsed();
            metrics.durations.get_or_create(&TimedLabels { operation }).observe(took.as_secs_f64());
        }
    }
}

/// Whether the appliance failed, and not who asked.
fn is_ours(error: &FilesError) -> bool {
    use FilesError as E;
    match error {
        // The client's own stream ended too soon.
        E::Storage(StorageError::Body(_)) => false,
        E::Damaged | E::Busy | E::Storage(_) | E::Inventory(_) | E::Seal(_) | E::Jobs(_) | E::Json(_) | E::Row(_) => {
            true
        }
        E::Db(error) => error.constraint().is_none(),
        _ => false,
    }
}

fn reason(error: &FilesError) -> UploadFailure {
    use FilesError as E;
    match error {
        error if is_disk_full(error) => UploadFailure::Disk,
        E::Digest { .. } => UploadFailure::Digest,
        E::Incomplete { .. } | E::Storage(StorageError::Body(_)) => UploadFailure::Incomplete,
        E::Quota { .. } => UploadFailure::Quota,
        E::TooLarge { .. } => UploadFailure::TooLarge,
        E::Type { .. } => UploadFailure::Type,
        E::Locked(_) => UploadFailure::Lock,
        E::Storage(_) => UploadFailure::Store,
        E::Db(_) => UploadFailure::Database,
        _ => UploadFailure::Other,
    }
}

/// The label of an object's state.
pub(crate) fn outcome_of(state: ScanState) -> ScanOutcome {
    match state {
        ScanState::Clean => ScanOutcome::Clean,
        ScanState::Infected => ScanOutcome::Infected,
        ScanState::Unscanned => ScanOutcome::Unscanned,
        ScanState::None | ScanState::Pending => ScanOutcome::Failed,
    }
}
