//! Names, units and help of the families.

use prometheus_client::registry::{Registry, Unit};

use super::Metrics;

impl Metrics {
    pub(super) fn describe(&self, registry: &mut Registry) {
        self.describe_pools(registry);
        self.describe_server(registry);
        self.describe_work(registry);
        self.describe_waiting(registry);
        self.describe_statements(registry);
    }

    fn describe_pools(&self, registry: &mut Registry) {
        registry.register("pool_connections", "Connections of this process, by state", self.pool_connections.clone());
        registry.register("pool_max_connections", "Limit of connections of this process", self.pool_max.clone());
        registry.register_with_unit(
            "pool_wait",
            "Time to begin a transaction: waiting for or opening a connection, and BEGIN",
            Unit::Seconds,
            self.pool_wait.clone(),
        );
        registry.register_with_unit(
            "transaction_duration",
            "Duration of the transactions of this process",
            Unit::Seconds,
            self.transactions.clone(),
        );
    }

    fn describe_server(&self, registry: &mut Registry) {
        registry.register("up", "1 if the server answered the last query, sent every 15 s", self.up.clone());
        registry.register("connections", "Connections to the server, for all its databases", self.connections.clone());
        registry.register("max_connections", "Connection limit of the server", self.max_connections.clone());
        registry.register_with_unit(
            "longest_transaction",
            "Age of the oldest open transaction; NaN if the role may not see those of others",
            Unit::Seconds,
            self.longest_transaction.clone(),
        );
        registry.register("table_live_rows", "Rows, estimated by the server", self.live_rows.clone());
        registry.register(
            "table_dead_rows",
            "Dead rows not yet removed by vacuum, estimated by the server",
            self.dead_rows.clone(),
        );
        registry.register_with_unit(
            "table_last_vacuum_timestamp",
            "Last completed vacuum, automatic or manual, Unix time; 0: never",
            Unit::Seconds,
            self.last_vacuum.clone(),
        );
        registry.register(
            "transaction_age",
            "Age of the oldest unfrozen transaction id, in transactions; near 2 billion the server refuses writes",
            self.transaction_age.clone(),
        );
        registry.register("replication_slots", "Replication slots of the server", self.slots.clone());
        registry.register_with_unit(
            "wal_retained",
            "WAL retained by the replication slot that is furthest behind",
            Unit::Bytes,
            self.wal_retained.clone(),
        );
        registry.register_with_unit("size", "Size of the database", Unit::Bytes, self.size.clone());
    }

    fn describe_work(&self, registry: &mut Registry) {
        registry.register("blocks_hit", "Blocks found in the server's cache", self.blocks_hit.clone());
        registry.register("blocks_read", "Blocks read by the server from disk", self.blocks_read.clone());
        registry.register("deadlocks", "Deadlocks in the database", self.deadlocks.clone());
        registry.register("transactions", "Transactions in the database, of all clients", self.ended.clone());
        registry.register_with_unit(
            "temporary",
            "Size of temporary files written by queries",
            Unit::Bytes,
            self.temporary.clone(),
        );
    }

    fn describe_waiting(&self, registry: &mut Registry) {
        registry.register(
            "lock_waiters",
            "Sessions of the database waiting for a lock, advisory locks excluded; exported by every process: take the max",
            self.lock_waiters.clone(),
        );
        registry.register_with_unit(
            "longest_lock_wait",
            "Longest current wait for a lock; 0 if none waits; exported by every process: take the max",
            Unit::Seconds,
            self.longest_lock_wait.clone(),
        );
        registry.register_with_unit(
            "clock_offset",
            "Offset of this process's clock from the server's, negative if behind; NaN while the server does not answer",
            Unit::Seconds,
            self.clock_offset.clone(),
        );
        registry.register(
            "checkpoints",
            "Checkpoints of the server, by trigger; many requested ones call for a larger max_wal_size",
            self.checkpoints.clone(),
        );
        registry.register_with_unit(
            "checkpoint_write",
            "Time that checkpoints spent writing",
            Unit::Seconds,
            self.checkpoint_write.clone(),
        );
        registry.register_with_unit(
            "checkpoint_sync",
            "Time that checkpoints spent waiting for fsync",
            Unit::Seconds,
            self.checkpoint_sync.clone(),
        );
    }

    fn describe_statements(&self, registry: &mut Registry) {
        registry.register(
            "statements_tracked",
            "1 if pg_stat_statements can be read; otherwise the other figures about statements are empty",
            self.statements_tracked.clone(),
        );
        registry.register(
            "statements",
            "Statements of requests and jobs run by the server, of all processes",
            self.statements.clone(),
        );
        registry.register_with_unit(
            "statements",
            "Time the server spent on statements of requests and jobs, of all processes",
            Unit::Seconds,
            self.statement_time.clone(),
        );
        registry.register_with_unit(
            "slowest_statement_mean",
            "Highest mean time of a statement, among those run at least ten times; NaN if not tracked",
            Unit::Seconds,
            self.slowest_statement.clone(),
        );
    }
}
