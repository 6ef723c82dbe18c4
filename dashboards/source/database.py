"""PostgreSQL, from the pools in this process to vacuum."""
from .grafana import Dashboard, above, age, below, choice, largest, quantile, rate, ratio, row, selector, server_rate, stat, table, timeseries, total

USED = 'state="used"'
HIT, READ = "holdfast_database_blocks_hit_total", "holdfast_database_blocks_read_total"
DEAD, LIVE = (largest(f"holdfast_database_table_{kind}_rows", "table") for kind in ("dead", "live"))

DASHBOARD = Dashboard(
    title="Database",
    question="Does PostgreSQL answer, who waits for it, and what will make it fail: connections, bloat, transaction ids, WAL?",
    service="database",
    panels=[
        row("Now"),
        stat("PostgreSQL up", "Does it answer?", "none", "min(holdfast_database_up{TARGET})", texts=choice((1, "up", "green"), (0, "DOWN", "red")), alerts=("DatabaseDown", "DatabaseUnreachable")),
        stat(
            "Server connections, share of the limit", "How close is the server's limit?", "percentunit",
            f"{largest('holdfast_database_connections')} / {largest('holdfast_database_max_connections')}", limits=above(0.8, 0.95), alerts=("DatabaseConnectionsHigh",),
        ),
        stat(
            "Oldest open transaction", "Does a transaction stay open and hold back vacuum?", "s", largest("holdfast_database_longest_transaction_seconds"),
            limits=above(900, 21600), alerts=("DatabaseTransactionLong",),
        ),
        stat("Cache hit ratio", "Does the working set fit into memory?", "percentunit", ratio(server_rate(HIT), f"({server_rate(HIT)} + {server_rate(READ)})"), limits=below(0.95), alerts=("DatabaseCacheHitLow",)),
        stat("Database size (now)", "How large is the database?", "bytes", largest("holdfast_database_size_bytes")),
        stat(
            "Age of the oldest transaction id", "How far away is the wraparound at 2 billion?", "short", largest("holdfast_database_transaction_age"), limits=above(1e9, 1.5e9), alerts=("DatabaseWraparound",),
        ),
        row("Connections and waits"),
        timeseries(
            "Pool connections in use, share of the limit", "What share of each pool is in use?", "percentunit",
            (f"{total('holdfast_database_pool_connections', 'pool', USED)} / {total('holdfast_database_pool_max_connections', 'pool')}", "{{pool}}"),
        ),
        timeseries("Connections of Holdfast by pool and state", "How many connections does Holdfast hold?", "short", (total("holdfast_database_pool_connections", "pool, state"), "{{pool}} {{state}}"), stack=True),
        timeseries(
            "Wait for a transaction, p95", "How long do the slowest 5 % wait for a connection?", "s",
            (quantile(0.95, "holdfast_database_pool_wait_seconds", "pool"), "{{pool}}"), limits=above(0.1), alerts=("DatabasePoolWaitHigh",),
        ),
        timeseries(
            "Transaction duration, p95", "How long do the slowest 5 % of the transactions take?", "s",
            (quantile(0.95, "holdfast_database_transaction_duration_seconds", "pool"), "{{pool}}"),
        ),
        timeseries("Transactions per second of Holdfast by pool", "Which pool does the work?", "ops", (rate("holdfast_database_transaction_duration_seconds_count", "pool"), "{{pool}}"), stack=True),
        timeseries(
            "Server connections", "Who else uses connections?", "short",
            (largest("holdfast_database_connections"), "open"), (largest("holdfast_database_max_connections"), "limit"), alerts=("DatabaseConnectionsHigh",),
        ),
        timeseries("Sessions waiting for a lock", "Does a session hold a lock that others need?", "short", (largest("holdfast_database_lock_waiters"), "sessions"), alerts=("DatabaseLockHeld",), details="statements"),
        timeseries("Clock offset from the database server", "Do both clocks agree?", "s", (selector("holdfast_database_clock_offset_seconds"), "{{instance}}"), minimum=None, limits=above(5), alerts=("DatabaseClockSkewed",)),
        row("Load"),
        timeseries("Transactions per second of the server by outcome", "Are transactions rolled back?", "ops", (server_rate("holdfast_database_transactions_total", "outcome"), "{{outcome}}"), stack=True),
        timeseries("Blocks per second, cached and read", "How much is read from disk instead of the cache?", "ops", (server_rate(HIT), "from cache"), (server_rate(READ), "read from disk"), alerts=("DatabaseCacheHitLow",)),
        timeseries("Temporary files written per second", "Do sorts and joins spill to disk?", "Bps", (server_rate("holdfast_database_temporary_bytes_total"), "written")),
        timeseries("Deadlocks", "Do transactions block each other?", "short", (server_rate("holdfast_database_deadlocks_total", change="increase"), "deadlocks"), bars=True, alerts=("DatabaseDeadlocks",)),
        timeseries(
            "Age of the oldest open transaction", "When did a transaction stay open?", "s", (largest("holdfast_database_longest_transaction_seconds"), "oldest"), limits=above(900, 21600), alerts=("DatabaseTransactionLong",),
        ),
        timeseries("Database size", "How fast does it grow?", "bytes", (largest("holdfast_database_size_bytes"), "database")),
        row("Vacuum, transaction ids, WAL"),
        timeseries("Dead rows by table", "Does vacuum keep up?", "short", (DEAD, "{{table}}"), limits=above(10000), alerts=("DatabaseDeadRowsHigh",)),
        table(
            "Tables by dead rows", "Which table is bloated, and when was it last vacuumed?", "table",
            ("Rows", "short", LIVE), ("Dead", "short", DEAD, above(10000)), ("Dead share", "percentunit", ratio(DEAD, f"({DEAD} + {LIVE})"), above(0.2)),
            ("Since vacuum", "s", age("holdfast_database_table_last_vacuum_timestamp_seconds", "table")), alerts=("DatabaseDeadRowsHigh",),
        ),
        timeseries("Age of the oldest transaction id over time", "How fast are transaction ids used up?", "short", (largest("holdfast_database_transaction_age"), "oldest"), alerts=("DatabaseWraparound",)),
        timeseries(
            "Replication slots by state", "Does a slot without a consumer retain WAL?", "short", (largest("holdfast_database_replication_slots", "state"), "{{state}}"), stack=True, alerts=("DatabaseReplicationSlotInactive",),
        ),
        timeseries("WAL retained by replication slots", "How much disk space does retained WAL take?", "bytes", (largest("holdfast_database_wal_retained_bytes"), "retained"), limits=above(10e9), alerts=("DatabaseWalRetained",)),
    ],
)
