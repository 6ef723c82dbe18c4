"""The monitoring itself: would anyone be told?"""
from .grafana import Dashboard, above, age, below, choice, increase, rate, row, selector, stat, timeline, timeseries, total

LOKI = 'job="loki"'
LOADED = choice((1, "in force", "green"), (0, "OLD", "red"))

DASHBOARD = Dashboard(
    title="Monitoring",
    question="If something broke now, would it be scraped, evaluated, delivered and seen?",
    series="up",
    service="meta|logs",
    panels=[
        row("Alert delivery"),
        stat("Targets up", "Does Prometheus reach every target?", "percentunit", f"avg({selector('up')})", limits=below(critical=1), alerts=("TargetDown", "HoldfastDown")),
        stat("Time since the last Watchdog", "How long ago did an alert last reach Holdfast? One is sent every few minutes.", "s", age("holdfast_alerting_watchdog_timestamp_seconds"), limits=above(900), empty="none known", alerts=("AlertPathBroken",)),
        stat("Prometheus configuration loaded", "Is the current configuration active?", "none", f"min({selector('prometheus_config_last_reload_successful')})", texts=LOADED, alerts=("PrometheusBadConfig",)),
        stat("Alertmanager configuration loaded", "Is the current configuration active?", "none", f"min({selector('alertmanager_config_last_reload_successful')})", texts=LOADED, alerts=("AlertmanagerBadConfig",)),
        stat("Alerts firing by severity", "How many alerts are firing?", "short", (total("holdfast_alerting_firing", "severity", 'severity!="none"'), "{{severity}}")),
        stat("Time since retention in Loki", "Are old log lines deleted before the disk is full?", "s", age("loki_compactor_apply_retention_last_successful_run_timestamp_seconds"), empty="none known"),
        row("Scraping"),
        timeline("Targets up over time", "Which target was down, and when?", choice((1, "answers", "green"), (0, "DOWN", "red")), (f"min by (job, instance) ({selector('up')})", "{{job}} {{instance}}"), alerts=("TargetDown", "TargetMissing")),
        timeseries("Scrape duration by job", "How long does a scrape take?", "s", (selector("scrape_duration_seconds"), "{{job}}"), limits=above(1), alerts=("HoldfastScrapeSlow",)),
        timeseries("Series per scrape by job", "Does a target export too many series?", "short", (selector("scrape_samples_post_metric_relabeling"), "{{job}}"), limits=above(10000), alerts=("HoldfastSeriesHigh",)),
        timeseries("Samples stored per second", "Does Prometheus store what it scrapes?", "cps", (rate("prometheus_tsdb_head_samples_appended_total"), "samples"), alerts=("PrometheusNotIngestingSamples",)),
        timeseries("Disk space of Prometheus", "How much disk space does the history take?", "bytes", (total("prometheus_tsdb_storage_blocks_bytes"), "blocks")),
        timeseries(
            "Storage errors of Prometheus", "Can Prometheus write and read its files?", "short",
            (increase("prometheus_tsdb_compactions_failed_total"), "compactions failed"), (increase("prometheus_tsdb_wal_corruptions_total"), "WAL corrupted"), bars=True, alerts=("PrometheusStorageFailing",),
        ),
        timeseries("Process starts by job", "Does a target restart again and again?", "short", (f"changes({selector('process_start_time_seconds')}[30m])", "{{job}}"), limits=above(2), bars=True, alerts=("TargetRestarting",)),
        row("Rule evaluation"),
        timeseries(
            "Failed and missed rule evaluations", "Do rule evaluations fail or come too late?", "short",
            (increase("prometheus_rule_evaluation_failures_total"), "failed"), (increase("prometheus_rule_group_iterations_missed_total"), "skipped"), bars=True, alerts=("PrometheusRuleFailures", "PrometheusRulesMissed"),
        ),
        timeseries("Evaluation time by rule group", "Which group is slow? Evaluated every 15 s.", "s", (f"topk(5, {selector('prometheus_rule_group_last_duration_seconds')})", "{{rule_group}}"), alerts=("PrometheusRulesMissed",)),
        timeseries(
            "Notifications from Prometheus to Alertmanager", "Do alerts get from Prometheus to Alertmanager?", "short",
            (increase("prometheus_notifications_sent_total"), "sent"), (increase("prometheus_notifications_errors_total"), "failed"), (increase("prometheus_notifications_dropped_total"), "dropped"),
            alerts=("PrometheusNotificationsLost", "PrometheusNotConnectedToAlertmanagers"),
        ),
        row("Notifications"),
        timeseries(
            "Notifications of Alertmanager by receiver", "Which receiver does not accept them?", "short",
            (increase("alertmanager_notifications_total", "integration"), "{{integration}} sent"), (increase("alertmanager_notifications_failed_total", "integration"), "{{integration}} failed"), alerts=("AlertmanagerCannotDeliver",),
        ),
        timeseries(
            "Alerts received by Holdfast", "Does Holdfast accept them, and do they bring news?", "short",
            (increase("holdfast_alerting_notifications_total", "outcome"), "notifications {{outcome}}"), (increase("holdfast_alerting_alerts_total", "status"), "alerts {{status}}"), alerts=("AlertsRefused",),
        ),
        timeseries(
            "Notifications forwarded by Holdfast", "Do they reach the webhooks and the outside heartbeat?", "short",
            (increase("holdfast_webhooks_deliveries_total", "outcome", 'origin="alerting"'), "webhook {{outcome}}"), (increase("holdfast_alerting_heartbeats_total", "outcome"), "heartbeat {{outcome}}"), alerts=("AlertsNotForwarded", "HeartbeatFailing"),
        ),
        row("Loki and Grafana"),
        timeseries("Bytes received by Loki per second", "Do log lines arrive?", "Bps", (rate("loki_distributor_bytes_received_total"), "received"), details="logs"),
        timeseries(
            "Errors of Loki per second", "Does Loki fail, or reject lines?", "cps",
            (rate("loki_request_duration_seconds_count", "route", 'status_code=~"5.."'), "{{route}} failed"), (rate("loki_discarded_samples_total", "reason"), "rejected: {{reason}}"),
        ),
        timeseries(
            "Memory of Loki, share of its target", "Will Loki reach its limit? It will above 105 % of its target.", "percentunit",
            (f"{selector('process_resident_memory_bytes', LOKI)} / {selector('go_gc_gomemlimit_bytes', LOKI)}", "{{instance}}"), limits=above(1.05), alerts=("LokiMemoryHigh",),
        ),
        timeseries("Requests to Grafana per second by status", "Do these pages load?", "reqps", (rate("grafana_http_request_duration_seconds_count", "status_code"), "{{status_code}}"), stack=True),
    ],
)
