"""The object store: operations, errors, throughput."""
from .grafana import Dashboard, above, quantile, rate, ratio, row, stat, timeseries

OPERATIONS, DURATION = "holdfast_storage_operations_total", "holdfast_storage_operation_duration_seconds"

DASHBOARD = Dashboard(
    title="Storage",
    question="Does the object store store and return objects without errors?",
    service="storage",
    panels=[
        row("Object store"),
        stat("Operations per second", "How much is it used?", "ops", rate(OPERATIONS), width=6),
        stat("Failed operations", "What share of the operations fails?", "percentunit", ratio(rate(OPERATIONS, where='outcome="error"'), rate(OPERATIONS)), limits=above(0.01), empty="no traffic", width=6, alerts=("StorageFailing",)),
        stat("Bytes written per second", "How much is stored?", "Bps", rate("holdfast_storage_written_bytes_total"), width=6),
        stat("Bytes read per second", "How much is read?", "Bps", rate("holdfast_storage_read_bytes_total"), width=6),
        timeseries("Operations per second by kind", "Which operations are made?", "ops", (rate(OPERATIONS, "operation"), "{{operation}}"), stack=True, width=12),
        timeseries("Operations per second by outcome", "How do operations end?", "ops", (rate(OPERATIONS, "outcome"), "{{outcome}}"), stack=True, width=12),
        timeseries(
            "Share of failed operations by kind", "Which operations fail?", "percentunit", (ratio(rate(OPERATIONS, "operation", 'outcome="error"'), rate(OPERATIONS, "operation")), "{{operation}}"),
            limits=above(0.01), width=12, alerts=("StorageFailing",), details="logs",
        ),
        timeseries("Duration of operations by kind, p95", "How long do the slowest 5 % of the operations take? For a read, until its first byte.", "s", (quantile(0.95, DURATION, "operation"), "{{operation}}"), width=12),
    ],
)
