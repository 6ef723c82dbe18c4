"""Incidents: is somebody told, and does somebody work on it?"""
from .grafana import Dashboard, above, increase, largest, quantile, row, stat, timeseries

TOLD, HELD, DELAY = "holdfast_incidents_told_total", "holdfast_incidents_held_total", "holdfast_incidents_tell_delay_seconds"

DASHBOARD = Dashboard(
    title="Incidents",
    question="Is something wrong, is somebody told, and does somebody work on it?",
    service="incidents",
    panels=[
        row("Incidents"),
        stat("Open critical incidents", "Is something critical wrong?", "short", largest("holdfast_incidents_open", where='severity="critical"'), limits=above(1), width=6),
        stat("Longest without an acknowledgement", "Does nobody work on a critical incident?", "s", largest("holdfast_incidents_unacknowledged_seconds"), limits=above(3600), width=6, alerts=("IncidentUnacknowledged",)),
        stat("Channels that fail", "Is somebody not told?", "short", largest("holdfast_incidents_channels_failing"), limits=above(1), width=6, alerts=("IncidentNotificationFailing",)),
        stat("Messages without a receiver", "How many messages had no address, a channel that is disabled, or could not be written?", "short", increase(TOLD, where='outcome="unable"'), limits=above(1), width=6),
        timeseries("Open incidents by severity", "What is open?", "short", (largest("holdfast_incidents_open", "severity"), "{{severity}}"), stack=True, width=12),
        timeseries("Incidents opened by source", "What opens them?", "short", (increase("holdfast_incidents_opened_total", "source"), "{{source}}"), bars=True, width=12, details="logs"),
        timeseries("Messages by channel", "Which channels are told?", "short", (increase(TOLD, "channel"), "{{channel}}"), bars=True, width=12),
        timeseries("From opening to the outbox, p95 and median", "How fast is the first message written?", "s", (quantile(0.95, DELAY), "95 %"), (quantile(0.5, DELAY), "50 %"), width=12),
        timeseries("Messages held back by reason", "What is not told, or not yet?", "short", (increase(HELD, "reason"), "{{reason}}"), bars=True, width=12),
        timeseries("Escalations by outcome", "How do steps of escalations end?", "short", (increase("holdfast_incidents_escalations_total", "outcome"), "{{outcome}}"), bars=True, width=12),
        timeseries("Channels of organisations that fail", "Is an organisation not told? Its administrators are mailed.", "short", (largest("holdfast_incidents_organisations_channels_failing"), "failing"), width=12),
        timeseries("Causes that joined", "How much is one incident instead of many?", "short", (increase("holdfast_incidents_merged_total"), "joined"), bars=True, width=12),
    ],
)
