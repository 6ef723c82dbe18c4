"""Notes: how many are made, and how many go?"""
from .grafana import Dashboard, increase, row, stat, timeseries

CHANGES = "holdfast_notes_changes_total"

DASHBOARD = Dashboard(
    title="Notes",
    question="How many notes are created, and how many are deleted?",
    service="notes",
    panels=[
        row("Notes"),
        stat("Notes created", "How many notes were created?", "short", increase(CHANGES, where='change="created"'), width=12),
        stat("Notes deleted", "How many notes were deleted by people and programs?", "short", increase(CHANGES, where='change="deleted"'), width=12, alerts=("NotesDeletedInBulk",)),
        timeseries("Changes of notes by kind", "What happens to notes?", "short", (increase(CHANGES, "change"), "{{change}}"), bars=True, width=24, alerts=("NotesDeletedInBulk",)),
    ],
)
