"""The first page: health, use, and what is about to fail."""
from .grafana import Dashboard, above, age, below, choice, increase, largest, quantile, rate, ratio, row, selector, stat, table, timeseries, total

DISKS = 'fstype!~"tmpfs|ramfs|overlay|squashfs|nsfs|iso9660|erofs"'
ASKED = 'surface=~"api|openai|console"'

DASHBOARD = Dashboard(
    title="Overview",
    question="Does the installation work, is it used, and what will fail next? Each panel links to the dashboard with the details.",
    series="up",
    panels=[
        row("Health"),
        stat(
            "Targets up", "Does every part of the installation answer Prometheus?", "percentunit", f"avg({selector('up')})",
            limits=below(critical=1), alerts=("TargetDown", "HoldfastDown"), details="monitoring",
        ),
        stat(
            "PostgreSQL up", "Does PostgreSQL answer?", "none", "min(holdfast_database_up{TARGET})",
            texts=choice((1, "up", "green"), (0, "DOWN", "red")), alerts=("DatabaseDown",), details="database",
        ),
        stat(
            "Alerts firing by severity", "How many alerts does Alertmanager report to Holdfast now?", "short",
            (total("holdfast_alerting_firing", "severity", 'severity!="none"'), "{{severity}}"), details="monitoring",
        ),
        stat(
            "Age of the newest complete backup", "How much work would be lost if this machine were destroyed now?", "s", age("holdfast_backup_last_verified_timestamp_seconds"),
            empty="none known", alerts=("BackupMissing", "BackupNeverMade"), details="backup",
        ),
        stat(
            "Age of the last passed drill", "When did a restore drill last pass?", "s", age("holdfast_backup_last_proven_timestamp_seconds"),
            empty="none known", alerts=("BackupDrillOverdue", "BackupDrillNeverProven"), details="backup",
        ),
        stat(
            "Free space of the fullest disk", "How much of the fullest disk is free?", "percentunit",
            f"min({selector('node_filesystem_avail_bytes', DISKS)} / {selector('node_filesystem_size_bytes', DISKS)})",
            limits=below(0.10, 0.05), alerts=("HostDiskAlmostFull",), details="host",
        ),
        table(
            "Firing alerts", "Which alerts fire, how severe are they, and which dashboard has details?", "alertname",
            ("Since", "dateTimeAsIso", 'min by (alertname, severity, service) (ALERTS_FOR_STATE{alertname!="Watchdog"}) * 1000 and on (alertname, severity) ALERTS{alertstate="firing"}'),
            width=12, height=7, details="monitoring",
        ),
        timeseries(
            "Error budget left by objective", "How much of the 30-day error budget is left?", "percentunit",
            ("slo:error_budget_remaining:ratio30d", "{{slo}}"), width=12, height=7, minimum=None, details="slo",
        ),
        row("Requests and answers"),
        timeseries("Requests per second by surface", "Who asks how much?", "reqps", (rate("holdfast_http_requests_total", "surface", ASKED), "{{surface}}"), stack=True, details="http"),
        timeseries(
            "Share of failed requests by surface", "What share of the requests fails on our side?", "percentunit",
            (ratio(rate("holdfast_http_requests_total", "surface", f'{ASKED}, outcome=~"server_error|unavailable"'), rate("holdfast_http_requests_total", "surface", ASKED)), "{{surface}}"),
            details="http",
        ),
        timeseries(
            "Request duration by surface, p95", "How long do the slowest 5 % of the requests take?", "s",
            (quantile(0.95, "holdfast_http_request_duration_seconds", "surface", ASKED), "{{surface}}"), exemplars=True, details="http",
        ),
        timeseries("Answers per second by outcome", "How do the agents' answers end?", "cps", (rate("holdfast_agents_answers_total", "outcome"), "{{outcome}}"), stack=True, details="agents"),
        timeseries(
            "Model calls per second by outcome", "How do calls to models end?", "reqps", (rate("holdfast_llm_requests_total", "outcome"), "{{outcome}}"), stack=True, details="llm",
        ),
        timeseries("Searches per second by mode", "How many searches are made, and in which mode?", "cps", (rate("holdfast_knowledge_search_duration_seconds_count", "mode"), "{{mode}}"), stack=True, details="knowledge"),
        row("Background work and resources"),
        timeseries(
            "Longest wait of a due job by queue", "Is any queue behind?", "s", (largest("holdfast_jobs_oldest_due_seconds", "queue"), "{{queue}}"),
            limits=above(900, 1800), alerts=("JobQueueBehind", "JobQueueStuck"), details="jobs",
        ),
        timeseries(
            "Jobs moved to dead letters by queue", "Which work failed for good?", "short", (increase("holdfast_jobs_finished_total", "queue", 'outcome="dead"'), "{{queue}}"),
            bars=True, alerts=("JobsDying",), details="jobs",
        ),
        timeseries(
            "Documents in progress by status", "Do uploads become searchable?", "short",
            (largest("holdfast_knowledge_documents", "status", 'status!="ready"'), "{{status}}"), stack=True, alerts=("KnowledgeDocumentsStuck",), details="knowledge",
        ),
        timeseries(
            "CPU usage, host and Holdfast", "Is the machine busy, and how much of that is Holdfast?", "percentunit",
            ('1 - avg(rate(node_cpu_seconds_total{TARGET, mode="idle"}[$__rate_interval]))', "machine"),
            ("sum(rate(holdfast_process_cpu_seconds_total{TARGET}[$__rate_interval])) / scalar(count(node_cpu_seconds_total{TARGET, mode=\"idle\"}))", "Holdfast"),
            details="host",
        ),
        timeseries(
            "Memory, available and of Holdfast", "How much memory is available, and how much does Holdfast use?", "bytes",
            (f"sum({selector('node_memory_MemAvailable_bytes')})", "available on the machine"), (total("holdfast_process_resident_memory_bytes"), "Holdfast"), details="host",
        ),
        timeseries(
            "Log lines lost by reason", "Are the logs complete?", "short", (increase("holdfast_log_lines_lost_total", "reason"), "{{reason}}"),
            bars=True, alerts=("LogLinesDropped",), details="logs",
        ),
    ],
)
