"""The first page: is it well, is it used, what is about to break."""
from .grafana import Dashboard, above, age, below, choice, increase, largest, quantile, rate, ratio, row, selector, stat, table, timeseries, total

DISKS = 'fstype!~"tmpfs|ramfs|overlay|squashfs|nsfs|iso9660|erofs"'
ASKED = 'surface=~"api|openai|console"'

DASHBOARD = Dashboard(
    title="Overview",
    question="Does the installation work, is it used, and what will break next? Each panel links to the page with the details.",
    series="up",
    panels=[
        row("Is it well?"),
        stat(
            "Parts that answer", "Does every part of the installation answer Prometheus?", "percentunit", f"avg({selector('up')})",
            limits=below(critical=1), alerts=("TargetDown", "HoldfastDown"), details="monitoring",
        ),
        stat(
            "Database", "Does PostgreSQL answer?", "none", "min(holdfast_database_up{TARGET})",
            texts=choice((1, "up", "green"), (0, "DOWN", "red")), alerts=("DatabaseDown",), details="database",
        ),
        stat(
            "Alerts firing", "What is Alertmanager telling Holdfast about now?", "short",
            (total("holdfast_alerting_firing", "severity", 'severity!="none"'), "{{severity}}"), details="monitoring",
        ),
        stat(
            "Newest backup", "How much work would be lost if this machine burnt down now?", "s", age("holdfast_backup_last_verified_timestamp_seconds"),
            empty="none known", alerts=("BackupMissing", "BackupNeverMade"), details="backup",
        ),
        stat(
            "Restore last proven", "When did a trial restore last work?", "s", age("holdfast_backup_last_proven_timestamp_seconds"),
            empty="none known", alerts=("BackupDrillOverdue", "BackupDrillNeverProven"), details="backup",
        ),
        stat(
            "Fullest disk", "How much of the fullest disk is free?", "percentunit",
            f"min({selector('node_filesystem_avail_bytes', DISKS)} / {selector('node_filesystem_size_bytes', DISKS)})",
            limits=below(0.10, 0.05), alerts=("HostDiskAlmostFull",), details="host",
        ),
        table(
            "What is firing", "Which alerts fire, how bad is it, and whose page has more?", "alertname",
            ("Since", "dateTimeAsIso", 'min by (alertname, severity, service) (ALERTS_FOR_STATE{alertname!="Watchdog"}) * 1000 and on (alertname, severity) ALERTS{alertstate="firing"}'),
            width=12, height=7, details="monitoring",
        ),
        timeseries(
            "Error budget left", "How much of what each promise allows to go wrong within 30 days is left?", "percentunit",
            ("slo:error_budget_remaining:ratio30d", "{{slo}}"), width=12, height=7, minimum=None, details="slo",
        ),
        row("Is it used, and does it answer?"),
        timeseries("Requests", "Who asks how much?", "reqps", (rate("holdfast_http_requests_total", "surface", ASKED), "{{surface}}"), stack=True, details="http"),
        timeseries(
            "Requests that fail", "Which share of the requests fails on our side?", "percentunit",
            (ratio(rate("holdfast_http_requests_total", "surface", f'{ASKED}, outcome=~"server_error|unavailable"'), rate("holdfast_http_requests_total", "surface", ASKED)), "{{surface}}"),
            details="http",
        ),
        timeseries(
            "Slow requests", "How long do the slowest twentieth of the requests take?", "s",
            (quantile(0.95, "holdfast_http_request_duration_seconds", "surface", ASKED), "{{surface}}"), exemplars=True, details="http",
        ),
        timeseries("Answers", "How do the agents' answers end?", "cps", (rate("holdfast_agents_answers_total", "outcome"), "{{outcome}}"), stack=True, details="agents"),
        timeseries(
            "Calls to models", "How do calls to models end?", "reqps", (rate("holdfast_llm_requests_total", "outcome"), "{{outcome}}"), stack=True, details="llm",
        ),
        timeseries("Searches", "How much is searched, and how?", "cps", (rate("holdfast_knowledge_search_duration_seconds_count", "mode"), "{{mode}}"), stack=True, details="knowledge"),
        row("Does work get done, and what runs out?"),
        timeseries(
            "Longest wait in a queue", "Is any queue behind?", "s", (largest("holdfast_jobs_oldest_due_seconds", "queue"), "{{queue}}"),
            limits=above(900, 1800), alerts=("JobQueueBehind", "JobQueueStuck"), details="jobs",
        ),
        timeseries(
            "Jobs that gave up", "Which work was not done, for good?", "short", (increase("holdfast_jobs_finished_total", "queue", 'outcome="dead"'), "{{queue}}"),
            bars=True, alerts=("JobsDying",), details="jobs",
        ),
        timeseries(
            "Documents not ready yet", "Do uploads become searchable?", "short",
            (largest("holdfast_knowledge_documents", "status", 'status!="ready"'), "{{status}}"), stack=True, alerts=("KnowledgeDocumentsStuck",), details="knowledge",
        ),
        timeseries(
            "Processors", "Is the machine busy, and how much of that is Holdfast?", "percentunit",
            ('1 - avg(rate(node_cpu_seconds_total{TARGET, mode="idle"}[$__rate_interval]))', "machine"),
            ("sum(rate(holdfast_process_cpu_seconds_total{TARGET}[$__rate_interval])) / scalar(count(node_cpu_seconds_total{TARGET, mode=\"idle\"}))", "Holdfast"),
            details="host",
        ),
        timeseries(
            "Memory", "How much memory is there to take, and how much has Holdfast?", "bytes",
            (f"sum({selector('node_memory_MemAvailable_bytes')})", "available on the machine"), (total("holdfast_process_resident_memory_bytes"), "Holdfast"), details="host",
        ),
        timeseries(
            "Log lines lost", "Is what the logs say complete?", "short", (increase("holdfast_log_lines_lost_total", "reason"), "{{reason}}"),
            bars=True, alerts=("LogLinesDropped",), details="logs",
        ),
    ],
)
