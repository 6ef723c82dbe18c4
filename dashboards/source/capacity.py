"""When will it break: what grows, and where that ends at the present pace."""
from .grafana import Dashboard, above, below, largest, row, selector, stat, timeseries

MONTH = 30 * 24 * 3600
FREE, DISK = "holdfast_disk_free_bytes", "holdfast_disk_size_bytes"
NEEDED, ROOM = largest("holdfast_backup_drill_space_needed_bytes"), "min(holdfast_backup_drill_space_free_bytes{TARGET})"
CONNECTIONS = f"{largest('holdfast_database_connections')} / {largest('holdfast_database_max_connections')}"


def ahead(metric, by="", window="1d", seconds=MONTH):
    """A gauge in `seconds` from now, at the pace of the last `window`."""
    inner = f"predict_linear({selector(metric)}[{window}], {seconds})"
    return f"max by ({by}) ({inner})" if by else f"max({inner})"


DASHBOARD = Dashboard(
    title="Capacity",
    question="What grows, and when does it end? Forecasts go on as the last day went; a new installation needs that day first.",
    panels=[
        row("Disk"),
        timeseries("Free, by folder", "Which of Holdfast's folders is on a disk that fills?", "percentunit", (f"min by (folder) ({selector(FREE)} / {selector(DISK)})", "{{folder}}"), defaults={"max": 1}, alerts=("HostDiskAlmostFull",), details="host"),
        timeseries("Free in 30 days, by folder", "At the pace of the last day, which disk is full within a month?", "bytes", (f"clamp_min(min by (folder) (predict_linear({selector(FREE)}[1d], {MONTH})), 0)", "{{folder}}"), alerts=("HostDiskWillFill",), details="host"),
        timeseries("Days until full", "How many days are left for each disk? Empty: it does not fill.", "none", (f"min by (folder) ({selector(FREE)} / (-deriv({selector(FREE)}[1d]) > 0)) / 86400", "{{folder}}"), details="host"),
        row("Database and backups"),
        timeseries("Database", "How large is it, and in 30 days?", "bytes", (largest("holdfast_database_size_bytes"), "now"), (ahead("holdfast_database_size_bytes"), "in 30 days"), details="database"),
        timeseries("What a restore reads", "How large are backups, and in 30 days?", "bytes", (largest("holdfast_backup_total_size_bytes"), "now"), (ahead("holdfast_backup_total_size_bytes", window="7d"), "in 30 days"), details="backup"),
        timeseries("Room for a drill", "Will there be room for trial restores in 30 days?", "bytes", (NEEDED, "needed"), (ahead("holdfast_backup_drill_space_needed_bytes", window="7d"), "needed in 30 days"), (ROOM, "free"), alerts=("BackupDrillDiskShort",), details="backup"),
        timeseries("Connections", "How near do the peaks come to the server's limit?", "percentunit", (CONNECTIONS, "now"), (f"max_over_time(({CONNECTIONS})[1d:5m])", "highest of a day"), limits=above(0.8, 0.95), alerts=("DatabaseConnectionsHigh",), details="database"),
        row("Processor, memory, budgets"),
        timeseries("Memory of its limit", "How near do the peaks come to the limit?", "percentunit", (f"max({selector('holdfast_cgroup_memory_usage_bytes')} / {selector('holdfast_cgroup_memory_limit_bytes')})", "highest"), limits=above(0.85, 0.95), alerts=("HoldfastMemoryHigh",), details="host"),
        timeseries("Held back", "Is Holdfast kept from the processor by its container's limit?", "percentunit", (f"rate({selector('holdfast_cgroup_cpu_throttled_seconds_total')}[$__rate_interval])", "{{instance}}"), details="host"),
        timeseries("Pages left unread", "Is a day's budget for reading pages by a model used up, or why else are pages left unread?", "short", (f"sum by (reason) (increase({selector('holdfast_knowledge_pages_unread_total')}[$__rate_interval]))", "{{reason}}"), details="knowledge"),
        stat("Certificate ends in", "Does anything have to be renewed?", "s", f"min({selector('holdfast_http_public_certificate_end_timestamp_seconds')}) - time()", limits=below(21 * 24 * 3600, 3 * 24 * 3600), empty="none", width=8, alerts=("PublicCertificateExpiring",), details="http"),
    ],
)
