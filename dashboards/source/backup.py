"""Backups and the drills that prove them."""
from .grafana import Dashboard, above, age, below, choice, increase, largest, quantile, row, stat, table, timeline, timeseries

SIZE, BEFORE = largest("holdfast_backup_database_size_bytes"), largest("holdfast_backup_previous_database_size_bytes")
NEEDED, FREE = largest("holdfast_backup_drill_space_needed_bytes"), "min(holdfast_backup_drill_space_free_bytes{TARGET})"

DASHBOARD = Dashboard(
    title="Backup",
    question="If this machine were destroyed now: what would be lost, and would a restore work?",
    service="backup",
    panels=[
        row("Now"),
        stat("Backups configured", "Are backups made?", "none", largest("holdfast_backup_enabled"), texts=choice((1, "on", "green"), (0, "OFF", "orange")), alerts=("BackupsOff",)),
        stat("Age of the newest complete backup (now)", "How much work would be lost?", "s", age("holdfast_backup_last_verified_timestamp_seconds"), empty="none known", alerts=("BackupMissing", "BackupNeverMade")),
        stat("Age of the last passed drill (now)", "When did a restore drill last pass?", "s", age("holdfast_backup_last_proven_timestamp_seconds"), empty="none known", alerts=("BackupDrillOverdue", "BackupDrillNeverProven")),
        stat("Duration of a restore", "How long would a restore take?", "s", largest("holdfast_backup_restore_duration_seconds")),
        stat("Size of a restore", "How much data would a restore read?", "bytes", largest("holdfast_backup_total_size_bytes")),
        stat("Key file for drills", "Can drills decrypt the backups?", "none", largest("holdfast_backup_key_missing"), texts=choice((0, "there", "green"), (1, "MISSING", "orange")), alerts=("BackupKeyMissing",)),
        row("Backups"),
        timeseries(
            "Age of the newest complete backup", "Was the schedule kept?", "s",
            (age("holdfast_backup_last_verified_timestamp_seconds"), "age"), (f"{largest('holdfast_backup_interval_seconds')} + 7200", "alert beyond"), alerts=("BackupMissing",), details="logs",
        ),
        timeseries(
            "Age of the last passed drill", "Was the schedule of drills kept?", "s",
            (age("holdfast_backup_last_proven_timestamp_seconds"), "age"), (f"{largest('holdfast_backup_drill_interval_seconds')} + 7200", "alert beyond"), alerts=("BackupDrillOverdue",), details="logs",
        ),
        timeseries("Backup runs of the last six hours by outcome", "How did recent backups end?", "short", (largest("holdfast_backup_recent_runs", "outcome"), "{{outcome}}"), alerts=("BackupFailed", "BackupUnverified"), details="logs"),
        timeseries("Duration of backup runs, p95", "Do backups take ever longer?", "s", (quantile(0.95, "holdfast_backup_run_duration_seconds"), "95 %")),
        timeseries("Size of backups", "Did the data grow, or disappear?", "bytes", (SIZE, "newest"), (BEFORE, "the one before"), (largest("holdfast_backup_total_size_bytes"), "all that a restore reads"), alerts=("BackupSizeHalved",)),
        timeseries("Dump size relative to the previous one", "Is the newest suspiciously small?", "percentunit", (f"{SIZE} / ({BEFORE} > 0)", "ratio"), limits=below(critical=0.5), alerts=("BackupSizeHalved",)),
        row("Restore drills"),
        timeseries("Restore drills of the last day by outcome", "Did recent restore drills pass?", "short", (largest("holdfast_backup_recent_drills", "outcome"), "{{outcome}}"), alerts=("BackupDrillFailed",), details="logs"),
        timeseries("Copies re-read by outcome", "Are the copies still intact?", "short", (increase("holdfast_backup_verifications_total", "outcome"), "{{outcome}}"), bars=True, stack=True, alerts=("BackupCopyDamaged",), details="logs"),
        timeseries("Duration of passed drills", "Do restores take ever longer?", "s", (largest("holdfast_backup_restore_duration_seconds"), "last good drill")),
        table(
            "Destinations", "Where are complete backups, and did the last one get there?", "destination",
            ("Whole backups", "short", largest("holdfast_backup_destination_backups", "destination")), ("Last one missing", "bool_yes_no", largest("holdfast_backup_destination_failing", "destination"), above(1)),
            alerts=("BackupDestinationFailing",),
        ),
        timeline("Destinations without the last backup", "Which destination had no complete copy, and when?", choice((0, "whole", "green"), (1, "missing", "orange")), (largest("holdfast_backup_destination_failing", "destination"), "{{destination}}"), alerts=("BackupDestinationFailing",)),
        timeseries("Disk space for a drill", "Is there enough space in backup.work_dir for the next drill?", "bytes", (NEEDED, "needed"), (FREE, "free"), alerts=("BackupDrillDiskShort",), details="host"),
    ],
)
