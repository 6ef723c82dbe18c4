"""Webhooks: are messages delivered?"""
from .grafana import Dashboard, above, increase, largest, quantile, row, stat, timeseries

DELIVERIES, DURATION = "holdfast_webhooks_deliveries_total", "holdfast_webhooks_attempt_duration_seconds"

DASHBOARD = Dashboard(
    title="Webhooks",
    question="Are messages delivered, and how fast do receivers answer?",
    service="webhooks",
    panels=[
        row("Webhooks"),
        stat("Queued messages", "How many messages wait?", "short", largest("holdfast_webhooks_queued"), width=6),
        stat("Age of the oldest sendable message", "Is a message not sent although its receiver works?", "s", largest("holdfast_webhooks_oldest_queued_seconds"), limits=above(600), width=6, alerts=("WebhookDeliveriesStuck",)),
        stat("Messages given up", "How many messages were never delivered?", "short", increase(DELIVERIES, where='outcome="dead"'), width=6, alerts=("AlertsNotForwarded",)),
        stat("Endpoints disabled", "Was an endpoint disabled?", "short", increase("holdfast_webhooks_endpoints_disabled_total"), limits=above(1), width=6, alerts=("WebhookEndpointDisabled",)),
        timeseries("Delivery attempts by outcome", "How do attempts end?", "short", (increase(DELIVERIES, "outcome"), "{{outcome}}"), bars=True, width=12, details="logs"),
        timeseries("Delivery attempts by origin", "Who configured the receivers?", "short", (increase(DELIVERIES, "origin"), "{{origin}}"), bars=True, width=12),
        timeseries("Duration of delivery attempts, p95 and median", "How fast do receivers answer?", "s", (quantile(0.95, DURATION), "95 %"), (quantile(0.5, DURATION), "50 %"), width=12),
        timeseries("Endpoints by state", "How many endpoints fail?", "short", (largest("holdfast_webhooks_endpoints", "state"), "{{state}}"), stack=True, width=12, alerts=("WebhookEndpointDisabled",)),
    ],
)
