"""The work of the database: statements, locks, checkpoints."""
from .grafana import Dashboard, choice, largest, ratio, row, server_rate, stat, timeseries

STATEMENTS, SECONDS = "holdfast_database_statements_total", "holdfast_database_statements_seconds_total"

DASHBOARD = Dashboard(
    title="Statements and locks",
    question="How much time do statements take, who waits for a lock, and how much do checkpoints write?",
    service="database",
    panels=[
        row("Statements (requires pg_stat_statements)"),
        stat("Statements counted", "Does the server count statements?", "none", largest("holdfast_database_statements_tracked"), texts=choice((1, "yes", "green"), (0, "no", "text")), width=8),
        stat("Highest mean duration of a statement", "What is the mean duration of the slowest statement with at least ten calls?", "s", largest("holdfast_database_slowest_statement_mean_seconds"), empty="not counted", width=8),
        stat("Mean duration of a statement", "How long does a statement take?", "s", ratio(server_rate(SECONDS), server_rate(STATEMENTS)), empty="not counted", width=8),
        timeseries("Statements per second", "How many statements run?", "ops", (server_rate(STATEMENTS), "statements"), width=12),
        timeseries("Statements running concurrently, average", "How many statements run at the same time, on average?", "none", (server_rate(SECONDS), "statements"), width=12),
        row("Locks"),
        timeseries("Sessions waiting for a lock", "Does a session hold a lock that others need?", "short", (largest("holdfast_database_lock_waiters"), "waiting"), width=12, alerts=("DatabaseLockHeld",)),
        timeseries("Longest wait for a lock", "How long has the one who waits longest waited?", "s", (largest("holdfast_database_longest_lock_wait_seconds"), "longest"), width=12, alerts=("DatabaseLockHeld",)),
        row("Checkpoints"),
        timeseries("Checkpoints by trigger", "Are they forced by WAL size, or on schedule?", "short", (server_rate("holdfast_database_checkpoints_total", "kind", change="increase"), "{{kind}}"), bars=True, stack=True, width=12),
        timeseries(
            "Time spent in checkpoints, share", "Do they keep the disk busy?", "percentunit",
            (server_rate("holdfast_database_checkpoint_write_seconds_total"), "write"), (server_rate("holdfast_database_checkpoint_sync_seconds_total"), "sync"), width=12,
        ),
    ],
)
