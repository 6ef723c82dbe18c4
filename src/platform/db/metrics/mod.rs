//! `holdfast_database_*`

mod describe;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    statements::Figures,
    statistics::{Activity, Checkpoints, Locks, Slots, TableRows, Totals},
};
use crate::label_enum;

/// 0.1 ms (an idle local connection) to 5 s, the usual `acquire_timeout_seconds`.
const WAIT_BUCKETS: [f64; 11] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// 0.5 ms (one statement) to a minute, when the server ends idle transactions.
const TRANSACTION_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0, 60.0];

label_enum! {
    /// Connection pool.
    pub enum Pool {
        /// Requests and jobs, inside an organisation.
        App = "app",
        /// Leasing, sign-in, gauges.
        System = "system",
        /// Locks that outlive a transaction.
        Locks = "locks",
    }
}

label_enum! {
    /// State of a pooled connection.
    pub enum ConnectionState { Idle = "idle", Used = "used" }
}

label_enum! {
    /// Whether a replication slot has a consumer.
    pub enum SlotState { Active = "active", Inactive = "inactive" }
}

label_enum! {
    /// How a transaction ended.
    pub enum TransactionOutcome { Committed = "committed", RolledBack = "rolled_back" }
}

label_enum! {
    /// Trigger of a checkpoint: its interval, or the size of the WAL (or a manual request).
    pub enum CheckpointKind { Timed = "timed", Requested = "requested" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: Pool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    pool: Pool,
    state: ConnectionState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabels {
    table: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SlotLabels {
    state: SlotState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: TransactionOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckpointLabels {
    kind: CheckpointKind,
}

/// Set to totals that the server counts.
type Total = Counter<f64, AtomicU64>;

/// NaN if unreadable, so that no alert fires on it.
type Number = Gauge<f64, AtomicU64>;
type Numbers<L> = Family<L, Number>;

/// Clones share the families.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Tables whose size and vacuum are watched.
    pub(super) watched: Arc<[&'static str]>,
    pool_connections: Family<ConnectionLabels, Gauge>,
    pool_max: Family<PoolLabels, Gauge>,
    pool_wait: Family<PoolLabels, Histogram, fn() -> Histogram>,
    transactions: Family<PoolLabels, Histogram, fn() -> Histogram>,
    up: Gauge,
    connections: Number,
    max_connections: Number,
    longest_transaction: Number,
    live_rows: Numbers<TableLabels>,
    dead_rows: Numbers<TableLabels>,
    last_vacuum: Numbers<TableLabels>,
    transaction_age: Number,
    slots: Numbers<SlotLabels>,
    wal_retained: Number,
    size: Number,
    blocks_hit: Counter,
    blocks_read: Counter,
    deadlocks: Counter,
    ended: Family<OutcomeLabels, Counter>,
    temporary: Counter,
    lock_waiters: Number,
    longest_lock_wait: Number,
    clock_offset: Number,
    checkpoints: Family<CheckpointLabels, Counter>,
    checkpoint_write: Total,
    checkpoint_sync: Total,
    statements: Counter,
    statement_time: Total,
    statements_tracked: Gauge,
    slowest_statement: Number,
}

impl Default for Metrics {
    /// In no registry.
    fn default() -> Self {
        Self {
            watched: Arc::default(),
            pool_connections: Family::default(),
            pool_max: Family::default(),
            pool_wait: Family::new_with_constructor(|| Histogram::new(WAIT_BUCKETS)),
            transactions: Family::new_with_constructor(|| Histogram::new(TRANSACTION_BUCKETS)),
            up: Gauge::default(),
            connections: Number::default(),
            max_connections: Number::default(),
            longest_transaction: Number::default(),
            live_rows: Family::default(),
            dead_rows: Family::default(),
            last_vacuum: Family::default(),
            transaction_age: Number::default(),
            slots: Family::default(),
            wal_retained: Number::default(),
            size: Number::default(),
            blocks_hit: Counter::default(),
            blocks_read: Counter::default(),
            deadlocks: Counter::default(),
            ended: Family::default(),
            temporary: Counter::default(),
            lock_waiters: Number::default(),
            longest_lock_wait: Number::default(),
            clock_offset: Number::default(),
            checkpoints: Family::default(),
            checkpoint_write: Total::default(),
            checkpoint_sync: Total::default(),
            statements: Counter::default(),
            statement_time: Total::default(),
            statements_tracked: Gauge::default(),
            slowest_statement: Number::default(),
        }
    }
}

/// Metric handles for the transactions of a pool, created once.
#[derive(Clone, Debug)]
pub(super) struct PoolMetrics {
    pub wait: Histogram,
    pub transaction: Histogram,
}

impl Metrics {
    /// `tables` are those whose size and vacuum are watched.
    pub fn register(registry: &mut Registry, tables: Vec<&'static str>) -> Self {
        let metrics = Self { watched: tables.into(), ..Self::default() };
        metrics.at_zero();
        metrics.describe(registry);
        metrics
    }

    fn at_zero(&self) {
        for pool in [Pool::App, Pool::System] {
            let _ = self.pool(pool);
        }
        for &pool in Pool::ALL {
            let _ = self.pool_max.get_or_create(&PoolLabels { pool });
            for &state in ConnectionState::ALL {
                let _ = self.pool_connections.get_or_create(&ConnectionLabels { pool, state });
            }
        }
        for family in [&self.live_rows, &self.dead_rows, &self.last_vacuum] {
            for &table in &*self.watched {
                let _ = family.get_or_create(&TableLabels { table });
            }
        }
        for &state in SlotState::ALL {
            let _ = self.slots.get_or_create(&SlotLabels { state });
        }
        for &outcome in TransactionOutcome::ALL {
            let _ = self.ended.get_or_create(&OutcomeLabels { outcome });
        }
        for &kind in CheckpointKind::ALL {
            let _ = self.checkpoints.get_or_create(&CheckpointLabels { kind });
        }
        self.locks(None);
        self.clock_offset(None);
        self.statements(None);
    }

    /// Of a pool in whose connections transactions begin.
    pub(super) fn pool(&self, pool: Pool) -> PoolMetrics {
        let labels = PoolLabels { pool };
        PoolMetrics {
            wait: self.pool_wait.get_or_create_owned(&labels),
            transaction: self.transactions.get_or_create_owned(&labels),
        }
    }

    pub(super) fn pool_size(&self, pool: Pool, size: u32, idle: usize, max: u32) {
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        let connections = |state| self.pool_connections.get_or_create_owned(&ConnectionLabels { pool, state });
        connections(ConnectionState::Idle).set(idle);
        connections(ConnectionState::Used).set((i64::from(size) - idle).max(0));
        self.pool_max.get_or_create(&PoolLabels { pool }).set(i64::from(max));
    }

    /// The server does not answer: its last figures are no longer valid.
    pub(super) fn down(&self) {
        self.up.set(0);
        for gauge in [&self.connections, &self.max_connections, &self.transaction_age, &self.size] {
            gauge.set(f64::NAN);
        }
        self.activity(None);
        self.slots(None);
        self.tables(None);
        self.locks(None);
        self.clock_offset(None);
    }

    pub(super) fn totals(&self, totals: &Totals) {
        self.up.set(1);
        self.connections.set(totals.connections as f64);
        self.max_connections.set(totals.max_connections as f64);
        self.transaction_age.set(totals.transaction_age as f64);
        self.size.set(totals.bytes as f64);
        let ended = |outcome| self.ended.get_or_create_owned(&OutcomeLabels { outcome });
        let counters = [
            (&self.blocks_hit, totals.blocks_hit),
            (&self.blocks_read, totals.blocks_read),
            (&self.deadlocks, totals.deadlocks),
            (&self.temporary, totals.temporary_bytes),
            (&ended(TransactionOutcome::Committed), totals.committed),
            (&ended(TransactionOutcome::RolledBack), totals.rolled_back),
        ];
        for (counter, total) in counters {
            // The server counts; when its statistics are reset, the counter restarts.
            counter.inner().store(u64::try_from(total).unwrap_or_default(), Ordering::Relaxed);
        }
    }

    pub(super) fn activity(&self, activity: Option<&Activity>) {
        self.longest_transaction.set(activity.map_or(f64::NAN, |a| a.longest_transaction));
    }

    pub(super) fn locks(&self, locks: Option<&Locks>) {
        self.lock_waiters.set(locks.map_or(f64::NAN, |l| l.waiters as f64));
        self.longest_lock_wait.set(locks.map_or(f64::NAN, |l| l.longest_wait));
    }

    pub(super) fn clock_offset(&self, seconds: Option<f64>) {
        self.clock_offset.set(seconds.unwrap_or(f64::NAN));
    }

    pub(super) fn checkpoints(&self, found: &Checkpoints) {
        for (kind, count) in [(CheckpointKind::Timed, found.timed), (CheckpointKind::Requested, found.requested)] {
            let counter = self.checkpoints.get_or_create_owned(&CheckpointLabels { kind });
            counter.inner().store(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
        }
        store_millis(&self.checkpoint_write, found.write_ms);
        store_millis(&self.checkpoint_sync, found.sync_ms);
    }

    /// `None` if they are not tracked.
    pub(super) fn statements(&self, figures: Option<&Figures>) {
        self.statements_tracked.set(i64::from(figures.is_some()));
        let slowest = figures.and_then(|figures| figures.slowest_mean_ms);
        self.slowest_statement.set(slowest.map_or(f64::NAN, |ms| ms / 1e3));
        if let Some(figures) = figures {
            self.statements.inner().store(u64::try_from(figures.calls).unwrap_or_default(), Ordering::Relaxed);
            store_millis(&self.statement_time, figures.total_ms);
        }
    }

    pub(super) fn slots(&self, slots: Option<&Slots>) {
        let count = |state, n: Option<i64>| {
            self.slots.get_or_create(&SlotLabels { state }).set(n.map_or(f64::NAN, |n| n as f64));
        };
        count(SlotState::Active, slots.map(|s| s.active));
        count(SlotState::Inactive, slots.map(|s| s.inactive));
        self.wal_retained.set(slots.map_or(f64::NAN, |s| s.retained_bytes as f64));
    }

    /// A missing table has no rows.
    pub(super) fn tables(&self, tables: Option<&[TableRows]>) {
        for &table in &*self.watched {
            let labels = TableLabels { table };
            let found = tables.map(|all| all.iter().find(|t| t.name == table));
            let number = |of: fn(&TableRows) -> f64| found.map_or(f64::NAN, |table| table.map_or(0.0, of));
            self.live_rows.get_or_create(&labels).set(number(|t| t.live as f64));
            self.dead_rows.get_or_create(&labels).set(number(|t| t.dead as f64));
            self.last_vacuum.get_or_create(&labels).set(number(|t| t.last_vacuum));
        }
    }
}

fn store_millis(counter: &Total, millis: f64) {
    counter.inner().store((millis / 1e3).to_bits(), Ordering::Relaxed);
}

impl PoolMetrics {
    pub(super) fn waited(&self, took: Duration) {
        self.wait.observe(took.as_secs_f64());
    }
}
