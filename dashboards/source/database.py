"""PostgreSQL, from the pools in this process to vacuum."""
from .grafana import Dashboard, above, age, below, choice, largest, quantile, rate, ratio, row, selector, server_rate, stat, table, timeseries, total

USED = 'state="used"'
HIT, READ = "holdfast_database_blocks_hit_total", "holdfast_database_blocks_read_total"
DEAD, LIVE = (largest(f"holdfast_database_table_{kind}_rows", "table") for kind in ("dead", "live"))

DASHBOARD = Dashboard(
    title="Database",
    question="Does PostgreSQL answer, who waits for it, and what will stop it: connections, bloat, transaction ids, WAL?",
    service="database",
    panels=[
        row("Now"),
        stat("PostgreSQL", "Does it answer?", "none", "min(holdfast_database_up{TARGET})", texts=choice((1, "up", "green"), (0, "DOWN", "red")), alerts=("DatabaseDown", "DatabaseUnreachable")),
        stat(
            "Connections taken", "How near is the server's limit?", "percentunit",
            f"{largest('holdfast_database_connections')} / {largest('holdfast_database_max_connections')}", limits=above(0.8, 0.95), alerts=("DatabaseConnectionsHigh",),
        ),
        stat(
            "Open for", "Does something stay open and hold back vacuum?", "s", largest("holdfast_database_longest_transaction_seconds"),
            limits=above(900, 21600), alerts=("DatabaseTransactionLong",),
        ),
        stat("Found in memory", "Does the working set fit into memory?", "percentunit", ratio(server_rate(HIT), f"({server_rate(HIT)} + {server_rate(READ)})"), limits=below(0.95), alerts=("DatabaseCacheHitLow",)),
        stat("Size now", "How large is the database?", "bytes", largest("holdfast_database_size_bytes")),
        stat(
            "Wraparound", "How far from the wraparound at 2 billion?", "short", largest("holdfast_database_transaction_age"), limits=above(1e9, 1.5e9), alerts=("DatabaseWraparound",),
        ),
        row("Who waits for it?"),
        timeseries(
            "Pool in use", "Which share of each pool is taken?", "percentunit",
            (f"{total('holdfast_database_pool_connections', 'pool', USED)} / {total('holdfast_database_pool_max_connections', 'pool')}", "{{pool}}"),
        ),
        timeseries("Open connections", "How many connections does Holdfast hold?", "short", (total("holdfast_database_pool_connections", "pool, state"), "{{pool}} {{state}}"), stack=True),
        timeseries(
            "Wait for a connection", "How long does one in twenty wait for a connection at least?", "s",
            (quantile(0.95, "holdfast_database_pool_wait_seconds", "pool"), "{{pool}}"), limits=above(0.1), alerts=("DatabasePoolWaitHigh",),
        ),
        timeseries(
            "Transaction time", "How long does one transaction in twenty take at least?", "s",
            (quantile(0.95, "holdfast_database_transaction_duration_seconds", "pool"), "{{pool}}"),
        ),
        timeseries("Transactions of Holdfast", "Which pool does the work?", "ops", (rate("holdfast_database_transaction_duration_seconds_count", "pool"), "{{pool}}"), stack=True),
        timeseries(
            "Connections of the server", "Who else takes connections?", "short",
            (largest("holdfast_database_connections"), "taken"), (largest("holdfast_database_max_connections"), "limit"), alerts=("DatabaseConnectionsHigh",),
        ),
        timeseries("Waiting for locks", "Does somebody hold a lock that others need?", "short", (largest("holdfast_database_lock_waiters"), "sessions"), alerts=("DatabaseLockHeld",), details="statements"),
        timeseries("Clock against the database's", "Do both keep the same time?", "s", (selector("holdfast_database_clock_offset_seconds"), "{{instance}}"), minimum=None, limits=above(5), alerts=("DatabaseClockSkewed",)),
        row("What does it do?"),
        timeseries("Transactions of the server", "Are transactions rolled back?", "ops", (server_rate("holdfast_database_transactions_total", "outcome"), "{{outcome}}"), stack=True),
        timeseries("Blocks", "How much is read from disk rather than found in memory?", "ops", (server_rate(HIT), "found in memory"), (server_rate(READ), "read"), alerts=("DatabaseCacheHitLow",)),
        timeseries("Temporary files", "Do sorts and joins spill to disk?", "Bps", (server_rate("holdfast_database_temporary_bytes_total"), "written")),
        timeseries("Deadlocks", "Do transactions block each other?", "short", (server_rate("holdfast_database_deadlocks_total", change="increase"), "deadlocks"), bars=True, alerts=("DatabaseDeadlocks",)),
        timeseries(
            "Oldest transaction", "When did something stay open?", "s", (largest("holdfast_database_longest_transaction_seconds"), "open for"), limits=above(900, 21600), alerts=("DatabaseTransactionLong",),
        ),
        timeseries("Size", "How fast does it grow?", "bytes", (largest("holdfast_database_size_bytes"), "database")),
        row("What will stop it?"),
        timeseries("Dead rows", "Does vacuum keep up?", "short", (DEAD, "{{table}}"), limits=above(10000), alerts=("DatabaseDeadRowsHigh",)),
        table(
            "Hot tables", "Which table is bloated, and when was it last vacuumed?", "table",
            ("Rows", "short", LIVE), ("Dead", "short", DEAD, above(10000)), ("Dead share", "percentunit", ratio(DEAD, f"({DEAD} + {LIVE})"), above(0.2)),
            ("Since vacuum", "s", age("holdfast_database_table_last_vacuum_timestamp_seconds", "table")), alerts=("DatabaseDeadRowsHigh",),
        ),
        timeseries("Transaction age", "How fast do transaction ids run out?", "short", (largest("holdfast_database_transaction_age"), "oldest"), alerts=("DatabaseWraparound",)),
        timeseries(
            "Replication slots", "Does a slot without a reader keep WAL?", "short", (largest("holdfast_database_replication_slots", "state"), "{{state}}"), stack=True, alerts=("DatabaseReplicationSlotInactive",),
        ),
        timeseries("WAL kept", "How much disk does WAL that cannot go take?", "bytes", (largest("holdfast_database_wal_retained_bytes"), "kept"), limits=above(10e9), alerts=("DatabaseWalRetained",)),
    ],
)
