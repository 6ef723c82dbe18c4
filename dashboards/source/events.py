"""Events between rooms: what happens, and is it handed on?"""
from .grafana import Dashboard, above, increase, largest, row, stat, timeseries

PUBLISHED, BACKLOG = "holdfast_events_published_total", "holdfast_events_reader_backlog_seconds"

DASHBOARD = Dashboard(
    title="Events",
    question="What happens in the house, and do those who react to it hear of it?",
    service="events",
    panels=[
        row("Events"),
        stat("Published", "How many events happened?", "short", increase(PUBLISHED), width=12),
        stat("Furthest behind", "Does every reader keep up?", "s", largest(BACKLOG), limits=above(300), width=12, alerts=("EventsBehind",)),
        timeseries("Published by topic", "What happens?", "short", (increase(PUBLISHED, "topic"), "{{topic}}"), bars=True, width=12),
        timeseries("Backlog of readers", "How old is what a reader has not read?", "s", (largest(BACKLOG, "reader"), "{{reader}}"), limits=above(300), width=12, alerts=("EventsBehind",)),
    ],
)
