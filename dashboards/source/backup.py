"""Backups and the drills that prove them."""
from .grafana import Dashboard, above, age, below, choice, increase, largest, quantile, row, stat, table, timeline, timeseries

SIZE, BEFORE = largest("holdfast_backup_database_size_bytes"), largest("holdfast_backup_previous_database_size_bytes")
NEEDED, FREE = largest("holdfast_backup_drill_space_needed_bytes"), "min(holdfast_backup_drill_space_free_bytes{TARGET})"

DASHBOARD = Dashboard(
    title="Backup",
    question="If this machine burnt down now: what would be lost, and would a restore work?",
    service="backup",
    panels=[
        row("Now"),
        stat("Configured", "Are backups made?", "none", largest("holdfast_backup_enabled"), texts=choice((1, "on", "green"), (0, "OFF", "orange")), alerts=("BackupsOff",)),
        stat("Newest whole backup", "How much work would be lost?", "s", age("holdfast_backup_last_verified_timestamp_seconds"), empty="none known", alerts=("BackupMissing", "BackupNeverMade")),
        stat("Restore last proven", "When did a trial restore last work?", "s", age("holdfast_backup_last_proven_timestamp_seconds"), empty="none known", alerts=("BackupDrillOverdue", "BackupDrillNeverProven")),
        stat("Restore takes", "How long would everything be down?", "s", largest("holdfast_backup_restore_duration_seconds")),
        stat("Restore reads", "How much would have to be fetched?", "bytes", largest("holdfast_backup_total_size_bytes")),
        stat("Key for drills", "Can drills open the backups?", "none", largest("holdfast_backup_key_missing"), texts=choice((0, "there", "green"), (1, "MISSING", "orange")), alerts=("BackupKeyMissing",)),
        row("Backups"),
        timeseries(
            "Age of the newest whole backup", "Was the schedule kept?", "s",
            (age("holdfast_backup_last_verified_timestamp_seconds"), "age"), (f"{largest('holdfast_backup_interval_seconds')} + 7200", "alert beyond"), alerts=("BackupMissing",), details="logs",
        ),
        timeseries(
            "Age of the last proof", "Was the schedule of drills kept?", "s",
            (age("holdfast_backup_last_proven_timestamp_seconds"), "age"), (f"{largest('holdfast_backup_drill_interval_seconds')} + 7200", "alert beyond"), alerts=("BackupDrillOverdue",), details="logs",
        ),
        timeseries("Backups", "How did those of the last six hours end?", "short", (largest("holdfast_backup_recent_runs", "outcome"), "{{outcome}}"), alerts=("BackupFailed", "BackupUnverified"), details="logs"),
        timeseries("Duration", "Do backups take longer and longer?", "s", (quantile(0.95, "holdfast_backup_run_duration_seconds"), "95 %")),
        timeseries("Size", "Did the data grow, or vanish?", "bytes", (SIZE, "newest"), (BEFORE, "the one before"), (largest("holdfast_backup_total_size_bytes"), "all that a restore reads"), alerts=("BackupSizeHalved",)),
        timeseries("Newest against the one before", "Is the newest suspiciously small?", "percentunit", (f"{SIZE} / ({BEFORE} > 0)", "ratio"), limits=below(critical=0.5), alerts=("BackupSizeHalved",)),
        row("Proof"),
        timeseries("Drills", "Did the trial restores of the last day work?", "short", (largest("holdfast_backup_recent_drills", "outcome"), "{{outcome}}"), alerts=("BackupDrillFailed",), details="logs"),
        timeseries("Copies read again", "Are the copies still what was written?", "short", (increase("holdfast_backup_verifications_total", "outcome"), "{{outcome}}"), bars=True, stack=True, alerts=("BackupCopyDamaged",), details="logs"),
        timeseries("Restore time", "Does a restore take longer and longer?", "s", (largest("holdfast_backup_restore_duration_seconds"), "last good drill")),
        table(
            "Destinations", "Where are whole backups, and did the last one get there?", "destination",
            ("Whole backups", "short", largest("holdfast_backup_destination_backups", "destination")), ("Last one missing", "bool_yes_no", largest("holdfast_backup_destination_failing", "destination"), above(1)),
            alerts=("BackupDestinationFailing",),
        ),
        timeline("Copies missing", "Which destination had no whole copy, and when?", choice((0, "whole", "green"), (1, "missing", "orange")), (largest("holdfast_backup_destination_failing", "destination"), "{{destination}}"), alerts=("BackupDestinationFailing",)),
        timeseries("Room for a drill", "Is there room in backup.work_dir for the next drill?", "bytes", (NEEDED, "needed"), (FREE, "free"), alerts=("BackupDrillDiskShort",), details="host"),
    ],
)
