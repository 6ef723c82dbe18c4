"""Status pages: are they up to date, and how fast are they served?"""
from .grafana import Dashboard, above, choice, increase, largest, quantile, row, stat, timeseries, total

REQUESTS, DURATION = "holdfast_status_page_requests_total", "holdfast_status_page_request_duration_seconds"
RENDERS, RENDERING = "holdfast_status_page_renders_total", "holdfast_status_page_render_duration_seconds"
MAILS = "holdfast_status_page_subscriber_mails_total"

DASHBOARD = Dashboard(
    title="Status pages",
    question="Are status pages up to date, and how fast are they served?",
    service="status_page",
    panels=[
        row("Now"),
        stat("Age of the oldest page", "How old is what visitors see?", "s", largest("holdfast_status_page_age_seconds"), limits=above(300), alerts=("StatusPageStale",)),
        stat("Pages served as stale", "Are visitors told that a page could not be brought up to date?", "none", largest("holdfast_status_page_stale"), texts=choice((0, "no", "green"), (1, "yes", "red"))),
        stat("Largest page", "How large is the largest page, before compression?", "bytes", largest("holdfast_status_page_largest_page_bytes")),
        stat("Subscribers", "How many people get updates by mail?", "short", largest("holdfast_status_page_subscribers", where='state="confirmed"')),
        row("Served"),
        timeseries("Requests by what", "What is asked for?", "short", (increase(REQUESTS, "what"), "{{what}}"), bars=True, details="logs"),
        timeseries("Requests by result", "How is it answered?", "short", (increase(REQUESTS, "result"), "{{result}}"), bars=True),
        timeseries("Time in the handler, p99 and median", "How fast is an answer found in memory?", "s", (quantile(0.99, DURATION), "99 %"), (quantile(0.5, DURATION), "50 %")),
        row("Rendered"),
        timeseries("Age of the oldest page over time", "Are pages rendered each minute?", "s", (largest("holdfast_status_page_age_seconds"), "oldest"), limits=above(300), alerts=("StatusPageStale",)),
        timeseries("Pages rendered by reason", "Why are pages rendered?", "short", (increase(RENDERS, "reason"), "{{reason}}"), bars=True),
        timeseries("Time to read and render a page, p95 and median", "How long does a page take?", "s", (quantile(0.95, RENDERING), "95 %"), (quantile(0.5, RENDERING), "50 %")),
        row("Mailed"),
        timeseries("Subscribers over time", "Do people subscribe?", "short", (total("holdfast_status_page_subscribers", "state"), "{{state}}")),
        timeseries("Mails to subscribers by outcome", "Are subscribers told?", "short", (increase(MAILS, "outcome"), "{{outcome}}"), bars=True, alerts=("StatusPageSubscribersFailing",)),
    ],
)
