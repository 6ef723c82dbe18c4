"""Notices: is anybody told by mail of what happens?"""
from .grafana import Dashboard, below, increase, largest, row, stat, timeseries

MADE, UNMADE = "holdfast_notices_made_total", "holdfast_notices_unmade_total"

DASHBOARD = Dashboard(
    title="Notices",
    question="Is anybody told by mail of alerts and backups?",
    service="notices",
    panels=[
        row("Notices"),
        stat("People who are told", "Does anybody hear of alerts and failed backups?", "short", largest("holdfast_notices_recipients"), limits=below(critical=1), empty="off", width=8, alerts=("NoticesReachNobody",)),
        stat("Mails of notices", "How many mails were written?", "short", increase(MADE), width=8),
        stat("Notices not made", "Was somebody not told?", "short", increase(UNMADE), width=8, alerts=("NoticesReachNobody",)),
        timeseries("Mails of notices by kind", "What are people told?", "short", (increase(MADE, "kind"), "{{kind}}"), bars=True, width=12),
        timeseries("Notices not made by reason", "Why was somebody not told?", "short", (increase(UNMADE, "reason"), "{{reason}}"), bars=True, width=12, details="logs"),
    ],
)
