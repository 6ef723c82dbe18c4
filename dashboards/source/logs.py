"""Log lines in Loki, and whether they all get there."""
from .grafana import LOKI, Dashboard, choice, increase, largest, logs, quantile, query_variable, row, stat, text_variable, timeseries, total

STREAM = '{service="holdfast", env=~"$env", level=~"$level"}'
LINES = f"{STREAM} |= `$trace_id` |= `$search`"
SOURCE = {"type": LOKI, "uid": "${loki_datasource}"}

DASHBOARD = Dashboard(
    title="Logs",
    question="What does Holdfast log, what fails, and does every line reach Loki? A trace id shows one request or job from start to end.",
    service="logs",
    loki=True,
    variables=[
        query_variable("env", 'label_values({service="holdfast"}, env)', SOURCE),
        query_variable("level", 'label_values({service="holdfast"}, level)', SOURCE),
        text_variable("trace_id", "Trace id"),
        text_variable("search", "Text"),
    ],
    panels=[
        timeseries("Matching lines by level", "When were they logged, and at which level?", "short", (f"sum by (level) (count_over_time({LINES} [$__auto]))", "{{level}}"), bars=True, stack=True, source=LOKI, width=24, height=6),
        logs("Matching lines", "What was logged? A line opens to all of its fields; its trace id leads to everything of the same request or job.", LINES, height=16),
        timeseries(
            "Warnings and errors by module", "Which module logs them?", "short",
            ('topk(8, sum by (target) (count_over_time({service="holdfast", env=~"$env", level=~"warn|error"} | json target="target" [$__auto])))', "{{target}}"), bars=True, stack=True, source=LOKI, width=12,
        ),
        timeseries(
            "Slow requests and jobs", "Which requests and jobs took longer than a second?", "short",
            ('sum by (message) (count_over_time({service="holdfast", env=~"$env"} | json message="message", duration_ms="duration_ms" | duration_ms > 1000 [$__auto]))', "{{message}}"), bars=True, stack=True, source=LOKI, width=12,
        ),
        row("Shipping of log lines"),
        stat("Shipping to Loki", "Are lines shipped to Loki?", "none", largest("holdfast_log_loki_enabled"), texts=choice((1, "on", "green"), (0, "off", "orange"))),
        stat("Lines lost, last day", "How many lines of the last day are missing in Loki?", "short", "sum(increase(holdfast_log_lines_lost_total{TARGET}[1d]))", alerts=("LogLinesDropped",)),
        stat("Memory of unshipped lines", "How much is buffered in memory?", "bytes", total("holdfast_log_buffer_bytes")),
        timeseries("Lines per second by level", "Is more logged than usual, and at which level?", "cps", ("sum by (level) (rate(holdfast_log_lines_total{TARGET}[$__rate_interval]))", "{{level}}"), stack=True, width=12, alerts=("LogErrorsHigh",)),
        timeseries("Lines lost by reason", "Why are lines missing?", "short", (increase("holdfast_log_lines_lost_total", "reason"), "{{reason}}"), bars=True, stack=True, alerts=("LogLinesDropped",)),
        timeseries("Pushes to Loki by outcome", "Does Loki accept the lines?", "short", (increase("holdfast_log_pushes_total", "outcome"), "{{outcome}}"), bars=True, stack=True, alerts=("LogPushFailing",)),
        timeseries("Duration of a push to Loki, p50 and p95", "How long does Loki take?", "s", *[(quantile(share, "holdfast_log_push_duration_seconds"), f"{share * 100:.0f} %") for share in (0.5, 0.95)]),
        row("Export of traces"),
        stat("Trace export", "Are traces sent to a collector?", "none", largest("holdfast_traces_enabled"), texts=choice((1, "on", "green"), (0, "off", "orange"))),
        stat("Memory of unsent spans", "How much is buffered in memory?", "bytes", total("holdfast_traces_buffer_bytes")),
        timeseries("Spans exported per second", "How much does the collector accept?", "cps", ("sum(rate(holdfast_traces_spans_exported_total{TARGET}[$__rate_interval]))", "exported")),
        timeseries("Spans lost by reason", "Why do traces have gaps?", "short", (increase("holdfast_traces_spans_lost_total", "reason"), "{{reason}}"), bars=True, stack=True, alerts=("TraceSpansDropped",)),
        timeseries("Pushes to the collector by outcome", "Does the collector accept the spans?", "short", (increase("holdfast_traces_pushes_total", "outcome"), "{{outcome}}"), bars=True, stack=True, alerts=("TracePushFailing",)),
        timeseries("Duration of a push to the collector, p50 and p95", "How long does the collector take?", "s", *[(quantile(share, "holdfast_traces_push_duration_seconds"), f"{share * 100:.0f} %") for share in (0.5, 0.95)]),
    ],
)
