"""The object store: what is kept, read and refused."""
from .grafana import Dashboard, above, quantile, rate, ratio, row, stat, timeseries

OPERATIONS, DURATION = "holdfast_storage_operations_total", "holdfast_storage_operation_duration_seconds"

DASHBOARD = Dashboard(
    title="Storage",
    question="Does the object store take and give what it is asked for?",
    service="storage",
    panels=[
        row("Object store"),
        stat("In use", "How much is it used?", "ops", rate(OPERATIONS), width=6),
        stat("Failing", "Which share of the operations fails?", "percentunit", ratio(rate(OPERATIONS, where='outcome="error"'), rate(OPERATIONS)), limits=above(0.01), empty="no traffic", width=6, alerts=("StorageFailing",)),
        stat("Written", "How much is stored?", "Bps", rate("holdfast_storage_written_bytes_total"), width=6),
        stat("Read", "How much is read?", "Bps", rate("holdfast_storage_read_bytes_total"), width=6),
        timeseries("Operations", "What is done?", "ops", (rate(OPERATIONS, "operation"), "{{operation}}"), stack=True, width=12),
        timeseries("By outcome", "How do operations end?", "ops", (rate(OPERATIONS, "outcome"), "{{outcome}}"), stack=True, width=12),
        timeseries(
            "Fail by operation", "What fails?", "percentunit", (ratio(rate(OPERATIONS, "operation", 'outcome="error"'), rate(OPERATIONS, "operation")), "{{operation}}"),
            limits=above(0.01), width=12, alerts=("StorageFailing",), details="logs",
        ),
        timeseries("Time until the answer", "How long does one operation in twenty take at least? For a read, until its first byte.", "s", (quantile(0.95, DURATION, "operation"), "{{operation}}"), width=12),
    ],
)
