"""Log lines in Loki, and whether they all get there."""
from .grafana import LOKI, Dashboard, choice, increase, largest, logs, quantile, query_variable, row, stat, text_variable, timeseries, total

STREAM = '{service="holdfast", env=~"$env", level=~"$level"}'
LINES = f"{STREAM} |= `$trace_id` |= `$search`"
SOURCE = {"type": LOKI, "uid": "${loki_datasource}"}

DASHBOARD = Dashboard(
    title="Logs",
    question="What does Holdfast say, what is it that fails, and does every line get to Loki? A trace id shows one request or job from begin to end.",
    service="logs",
    loki=True,
    variables=[
        query_variable("env", 'label_values({service="holdfast"}, env)', SOURCE),
        query_variable("level", 'label_values({service="holdfast"}, level)', SOURCE),
        text_variable("trace_id", "Trace id"),
        text_variable("search", "Text"),
    ],
    panels=[
        timeseries("Lines found", "When was it said, and how bad was it?", "short", (f"sum by (level) (count_over_time({LINES} [$__auto]))", "{{level}}"), bars=True, stack=True, source=LOKI, width=24, height=6),
        logs("Lines", "What was said? A line opens to all of its fields; its trace id leads to everything of the same request or job.", LINES, height=16),
        timeseries(
            "What warns and fails", "Which part of the program says so?", "short",
            ('topk(8, sum by (target) (count_over_time({service="holdfast", env=~"$env", level=~"warn|error"} | json target="target" [$__auto])))', "{{target}}"), bars=True, stack=True, source=LOKI, width=12,
        ),
        timeseries(
            "Slow requests and jobs", "Which requests and jobs took longer than a second?", "short",
            ('sum by (message) (count_over_time({service="holdfast", env=~"$env"} | json message="message", duration_ms="duration_ms" | duration_ms > 1000 [$__auto]))', "{{message}}"), bars=True, stack=True, source=LOKI, width=12,
        ),
        row("Does every line get there?"),
        stat("Loki", "Are lines sent to Loki?", "none", largest("holdfast_log_loki_enabled"), texts=choice((1, "on", "green"), (0, "off", "orange"))),
        stat("Lost", "How many lines of the last day are missing in Loki?", "short", "sum(increase(holdfast_log_lines_lost_total{TARGET}[1d]))", alerts=("LogLinesDropped",)),
        stat("Waiting", "How much waits in memory to be sent?", "bytes", total("holdfast_log_buffer_bytes")),
        timeseries("Lines written", "Is more written than usual, and how bad is it?", "cps", ("sum by (level) (rate(holdfast_log_lines_total{TARGET}[$__rate_interval]))", "{{level}}"), stack=True, width=12, alerts=("LogErrorsHigh",)),
        timeseries("Lines lost", "Why are lines missing?", "short", (increase("holdfast_log_lines_lost_total", "reason"), "{{reason}}"), bars=True, stack=True, alerts=("LogLinesDropped",)),
        timeseries("Pushes", "Does Loki take what is sent?", "short", (increase("holdfast_log_pushes_total", "outcome"), "{{outcome}}"), bars=True, stack=True, alerts=("LogPushFailing",)),
        timeseries("Time of a push", "How long does Loki take?", "s", *[(quantile(share, "holdfast_log_push_duration_seconds"), f"{share * 100:.0f} %") for share in (0.5, 0.95)]),
        row("Do traces get to their collector?"),
        stat("Traces", "Are traces sent to a collector?", "none", largest("holdfast_traces_enabled"), texts=choice((1, "on", "green"), (0, "off", "orange"))),
        stat("Spans waiting", "How much waits in memory to be sent?", "bytes", total("holdfast_traces_buffer_bytes")),
        timeseries("Spans sent", "How much does the collector take?", "cps", ("sum(rate(holdfast_traces_spans_exported_total{TARGET}[$__rate_interval]))", "taken")),
        timeseries("Spans lost", "Why do traces have gaps?", "short", (increase("holdfast_traces_spans_lost_total", "reason"), "{{reason}}"), bars=True, stack=True, alerts=("TraceSpansDropped",)),
        timeseries("Pushes of spans", "Does the collector take what is sent?", "short", (increase("holdfast_traces_pushes_total", "outcome"), "{{outcome}}"), bars=True, stack=True, alerts=("TracePushFailing",)),
        timeseries("Time of a push of spans", "How long does the collector take?", "s", *[(quantile(share, "holdfast_traces_push_duration_seconds"), f"{share * 100:.0f} %") for share in (0.5, 0.95)]),
    ],
)
