"""Capacity: what grows, and when it reaches its limit at the current rate."""
from .grafana import Dashboard, above, below, largest, row, selector, stat, timeseries

MONTH = 30 * 24 * 3600
FREE, DISK = "holdfast_disk_free_bytes", "holdfast_disk_size_bytes"
NEEDED, ROOM = largest("holdfast_backup_drill_space_needed_bytes"), "min(holdfast_backup_drill_space_free_bytes{TARGET})"
CONNECTIONS = f"{largest('holdfast_database_connections')} / {largest('holdfast_database_max_connections')}"


def ahead(metric, by="", window="1d", seconds=MONTH):
    """A gauge extrapolated by `seconds`, at the rate of the last `window`."""
    inner = f"predict_linear({selector(metric)}[{window}], {seconds})"
    return f"max by ({by}) ({inner})" if by else f"max({inner})"


DASHBOARD = Dashboard(
    title="Capacity",
    question="What grows, and when does it reach its limit? Forecasts extrapolate the last day; a new installation needs a day of data first.",
    panels=[
        row("Disk"),
        timeseries("Free disk space by folder", "Which of Holdfast's folders is on a disk that is filling up?", "percentunit", (f"min by (folder) ({selector(FREE)} / {selector(DISK)})", "{{folder}}"), defaults={"max": 1}, alerts=("HostDiskAlmostFull",), details="host"),
        timeseries("Free disk space in 30 days by folder", "At the rate of the last day, which disk is full within a month?", "bytes", (f"clamp_min(min by (folder) (predict_linear({selector(FREE)}[1d], {MONTH})), 0)", "{{folder}}"), alerts=("HostDiskWillFill",), details="host"),
        timeseries("Days until a disk is full", "How many days are left for each disk? Empty: it is not filling up.", "none", (f"min by (folder) ({selector(FREE)} / (-deriv({selector(FREE)}[1d]) > 0)) / 86400", "{{folder}}"), details="host"),
        row("Database and backups"),
        timeseries("Database size, now and in 30 days", "How large is it, and in 30 days?", "bytes", (largest("holdfast_database_size_bytes"), "now"), (ahead("holdfast_database_size_bytes"), "in 30 days"), details="database"),
        timeseries("Backup size, now and in 30 days", "How large are backups, and in 30 days?", "bytes", (largest("holdfast_backup_total_size_bytes"), "now"), (ahead("holdfast_backup_total_size_bytes", window="7d"), "in 30 days"), details="backup"),
        timeseries("Disk space for a drill, now and in 30 days", "Will there be enough space for restore drills in 30 days?", "bytes", (NEEDED, "needed"), (ahead("holdfast_backup_drill_space_needed_bytes", window="7d"), "needed in 30 days"), (ROOM, "free"), alerts=("BackupDrillDiskShort",), details="backup"),
        timeseries("Database connections, share of the limit", "How close do the peaks come to the server's limit?", "percentunit", (CONNECTIONS, "now"), (f"max_over_time(({CONNECTIONS})[1d:5m])", "highest of the day"), limits=above(0.8, 0.95), alerts=("DatabaseConnectionsHigh",), details="database"),
        row("CPU, memory, budgets"),
        timeseries("Memory, share of the limit", "How close do the peaks come to the limit?", "percentunit", (f"max({selector('holdfast_cgroup_memory_usage_bytes')} / {selector('holdfast_cgroup_memory_limit_bytes')})", "highest"), limits=above(0.85, 0.95), alerts=("HoldfastMemoryHigh",), details="host"),
        timeseries("CPU throttling, share of the time", "Is Holdfast throttled by its container's CPU limit?", "percentunit", (f"rate({selector('holdfast_cgroup_cpu_throttled_seconds_total')}[$__rate_interval])", "{{instance}}"), details="host"),
        timeseries("Unread pages by reason", "Why are pages left unread: is a day's token budget for vision models used up?", "short", (f"sum by (reason) (increase({selector('holdfast_knowledge_pages_unread_total')}[$__rate_interval]))", "{{reason}}"), details="knowledge"),
        stat("Certificate expires in", "Does anything have to be renewed?", "s", f"min({selector('holdfast_http_public_certificate_end_timestamp_seconds')}) - time()", limits=below(21 * 24 * 3600, 3 * 24 * 3600), empty="none", width=8, alerts=("PublicCertificateExpiring",), details="http"),
    ],
)
