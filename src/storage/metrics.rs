//! `holdfast_storage_*`

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use platform::label_enum;

/// 1 ms (a small local file) to 60 s (100 MB to a distant bucket).
const DURATION_BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 60.0];

label_enum! {
    /// Operation on the store.
    pub enum Operation {
        Put = "put",
        Get = "get",
        Delete = "delete",
        List = "list",
    }
}

label_enum! {
    /// Outcome of an operation.
    pub enum Outcome {
        Ok = "ok",
        NotFound = "not_found",
        /// The caller's data ended early or was too large: not an error of the store.
        Rejected = "rejected",
        /// Fewer or other bytes than were written.
        Damaged = "damaged",
        Error = "error",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    pub operation: Operation,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DurationLabels {
    pub operation: Operation,
}

type Durations = Family<DurationLabels, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug)]
pub struct Metrics {
    pub operations: Family<OperationLabels, Counter>,
    pub durations: Durations,
    pub written: Counter,
    pub read: Counter,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            operations: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            written: Counter::default(),
            read: Counter::default(),
        };
        for &operation in Operation::ALL {
            let _ = metrics.durations.get_or_create(&DurationLabels { operation });
            for &outcome in Outcome::ALL {
                let _ = metrics.operations.get_or_create(&OperationLabels { operation, outcome });
            }
        }
        registry.register("operations", "Operations on the object store", metrics.operations.clone());
        registry.register_with_unit(
            "operation_duration",
            "Duration of an operation; of a read, until its first byte; of a listing, the total wait for entries",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register_with_unit("written", "Bytes of objects stored", Unit::Bytes, metrics.written.clone());
        registry.register_with_unit("read", "Bytes of objects read", Unit::Bytes, metrics.read.clone());
        metrics
    }

    /// Records the end of an operation.
    pub fn count(&self, operation: Operation, outcome: Outcome, took: Duration) {
        self.operations.get_or_create(&OperationLabels { operation, outcome }).inc();
        self.durations.get_or_create(&DurationLabels { operation }).observe(took.as_secs_f64());
    }
}
