"""Events between rooms: are they published, and do their readers keep up?"""
from .grafana import Dashboard, above, increase, largest, row, stat, timeseries

PUBLISHED, BACKLOG = "holdfast_events_published_total", "holdfast_events_reader_backlog_seconds"

DASHBOARD = Dashboard(
    title="Events",
    question="Which events are published, and do their readers keep up?",
    service="events",
    panels=[
        row("Events"),
        stat("Events published", "How many events were published?", "short", increase(PUBLISHED), width=12),
        stat("Age of the oldest unread event", "Does every reader keep up?", "s", largest(BACKLOG), limits=above(300), width=12, alerts=("EventsBehind",)),
        timeseries("Events published by topic", "Which events are published?", "short", (increase(PUBLISHED, "topic"), "{{topic}}"), bars=True, width=12),
        timeseries("Age of the oldest unread event by reader", "How far behind is each reader?", "s", (largest(BACKLOG, "reader"), "{{reader}}"), limits=above(300), width=12, alerts=("EventsBehind",)),
    ],
)
