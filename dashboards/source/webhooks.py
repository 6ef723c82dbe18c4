"""Webhooks: do messages get to their receivers?"""
from .grafana import Dashboard, above, increase, largest, quantile, row, stat, timeseries

DELIVERIES, DURATION = "holdfast_webhooks_deliveries_total", "holdfast_webhooks_attempt_duration_seconds"

DASHBOARD = Dashboard(
    title="Webhooks",
    question="Do messages get to their receivers, and how fast do these answer?",
    service="webhooks",
    panels=[
        row("Webhooks"),
        stat("Wait", "How many messages wait?", "short", largest("holdfast_webhooks_queued"), width=6),
        stat("Longest wait", "Is a message held up that could be sent?", "s", largest("holdfast_webhooks_oldest_queued_seconds"), limits=above(600), width=6, alerts=("WebhookDeliveriesStuck",)),
        stat("Given up", "How many messages were never delivered?", "short", increase(DELIVERIES, where='outcome="dead"'), width=6, alerts=("AlertsNotForwarded",)),
        stat("Disabled", "Was a webhook disabled?", "short", increase("holdfast_webhooks_endpoints_disabled_total"), limits=above(1), width=6, alerts=("WebhookEndpointDisabled",)),
        timeseries("Attempts by outcome", "How do attempts end?", "short", (increase(DELIVERIES, "outcome"), "{{outcome}}"), bars=True, width=12, details="logs"),
        timeseries("Attempts by origin", "For whom is it sent?", "short", (increase(DELIVERIES, "origin"), "{{origin}}"), bars=True, width=12),
        timeseries("Duration of an attempt", "How fast do receivers answer?", "s", (quantile(0.95, DURATION), "95 of 100"), (quantile(0.5, DURATION), "half"), width=12),
        timeseries("Endpoints by state", "How many fail?", "short", (largest("holdfast_webhooks_endpoints", "state"), "{{state}}"), stack=True, width=12, alerts=("WebhookEndpointDisabled",)),
    ],
)
