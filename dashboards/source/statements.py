"""What the database does: statements, who waits for whom, checkpoints."""
from .grafana import Dashboard, choice, largest, ratio, row, server_rate, stat, timeseries

STATEMENTS, SECONDS = "holdfast_database_statements_total", "holdfast_database_statements_seconds_total"

DASHBOARD = Dashboard(
    title="Statements and locks",
    question="Which share of the time goes into statements, who waits for a lock, and how much do checkpoints write?",
    service="database",
    panels=[
        row("Statements, where the server has pg_stat_statements"),
        stat("Counted", "Does the server count statements?", "none", largest("holdfast_database_statements_tracked"), texts=choice((1, "yes", "green"), (0, "no", "text")), width=8),
        stat("Slowest", "How long does the slowest statement take on average, of those with ten calls?", "s", largest("holdfast_database_slowest_statement_mean_seconds"), empty="not counted", width=8),
        stat("Mean", "How long does a statement take?", "s", ratio(server_rate(SECONDS), server_rate(STATEMENTS)), empty="not counted", width=8),
        timeseries("Statements", "How many statements run?", "ops", (server_rate(STATEMENTS), "statements"), width=12),
        timeseries("At work", "How many statements run at a time, on average?", "none", (server_rate(SECONDS), "statements at a time"), width=12),
        row("Locks"),
        timeseries("Sessions that wait", "Does somebody hold a lock that others need?", "short", (largest("holdfast_database_lock_waiters"), "waiting"), width=12, alerts=("DatabaseLockHeld",)),
        timeseries("Longest wait", "How long has the one who waits longest waited?", "s", (largest("holdfast_database_longest_lock_wait_seconds"), "longest"), width=12, alerts=("DatabaseLockHeld",)),
        row("Checkpoints"),
        timeseries("Checkpoints", "Are they forced by full WAL, or do they come in their time?", "short", (server_rate("holdfast_database_checkpoints_total", "kind", change="increase"), "{{kind}}"), bars=True, stack=True, width=12),
        timeseries(
            "Time of checkpoints", "Do they keep the disk busy?", "percentunit",
            (server_rate("holdfast_database_checkpoint_write_seconds_total"), "write"), (server_rate("holdfast_database_checkpoint_sync_seconds_total"), "sync"), width=12,
        ),
    ],
)
