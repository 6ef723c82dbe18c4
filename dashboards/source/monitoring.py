"""The monitoring itself: would anyone be told?"""
from .grafana import Dashboard, above, age, below, choice, increase, rate, row, selector, stat, timeline, timeseries, total

LOKI = 'job="loki"'
LOADED = choice((1, "in force", "green"), (0, "OLD", "red"))

DASHBOARD = Dashboard(
    title="Monitoring",
    question="If something broke now, would it be measured, evaluated, delivered and read?",
    series="up",
    service="meta|logs",
    panels=[
        row("Would anyone be told?"),
        stat("Parts that answer", "Does Prometheus reach everything?", "percentunit", f"avg({selector('up')})", limits=below(critical=1), alerts=("TargetDown", "HoldfastDown")),
        stat("Since the watchdog", "How long ago did an alert last make it to Holdfast? One is sent every few minutes.", "s", age("holdfast_alerting_watchdog_timestamp_seconds"), limits=above(900), empty="none known", alerts=("AlertPathBroken",)),
        stat("Prometheus' rules", "Is the current configuration in force?", "none", f"min({selector('prometheus_config_last_reload_successful')})", texts=LOADED, alerts=("PrometheusBadConfig",)),
        stat("Alertmanager's routes", "Is the current configuration in force?", "none", f"min({selector('alertmanager_config_last_reload_successful')})", texts=LOADED, alerts=("AlertmanagerBadConfig",)),
        stat("Alerts firing", "How much is being told now?", "short", (total("holdfast_alerting_firing", "severity", 'severity!="none"'), "{{severity}}")),
        stat("Since retention in Loki", "Are old log lines removed, before the disk is full?", "s", age("loki_compactor_apply_retention_last_successful_run_timestamp_seconds"), empty="none known"),
        row("Measured"),
        timeline("Parts", "Which part did not answer, and when?", choice((1, "answers", "green"), (0, "DOWN", "red")), (f"min by (job, instance) ({selector('up')})", "{{job}} {{instance}}"), alerts=("TargetDown", "TargetMissing")),
        timeseries("Time of a scrape", "How long does reading the metrics take?", "s", (selector("scrape_duration_seconds"), "{{job}}"), limits=above(1), alerts=("HoldfastScrapeSlow",)),
        timeseries("Series of each part", "Does a part export too much?", "short", (selector("scrape_samples_post_metric_relabeling"), "{{job}}"), limits=above(10000), alerts=("HoldfastSeriesHigh",)),
        timeseries("Samples stored", "Does Prometheus store what it reads?", "cps", (rate("prometheus_tsdb_head_samples_appended_total"), "samples"), alerts=("PrometheusNotIngestingSamples",)),
        timeseries("Prometheus' disk", "How much disk does the history take?", "bytes", (total("prometheus_tsdb_storage_blocks_bytes"), "blocks")),
        timeseries(
            "Trouble with files", "Can Prometheus write and read its files?", "short",
            (increase("prometheus_tsdb_compactions_failed_total"), "compactions failed"), (increase("prometheus_tsdb_wal_corruptions_total"), "log corrupted"), bars=True, alerts=("PrometheusStorageFailing",),
        ),
        timeseries("Starts", "Does a part start again and again?", "short", (f"changes({selector('process_start_time_seconds')}[30m])", "{{job}}"), limits=above(2), bars=True, alerts=("TargetRestarting",)),
        row("Evaluated"),
        timeseries(
            "Rules", "Do rules fail, or come too rarely?", "short",
            (increase("prometheus_rule_evaluation_failures_total"), "failed"), (increase("prometheus_rule_group_iterations_missed_total"), "skipped"), bars=True, alerts=("PrometheusRuleFailures", "PrometheusRulesMissed"),
        ),
        timeseries("Time for a group of rules", "Which group takes long? It comes again every 15 s.", "s", (f"topk(5, {selector('prometheus_rule_group_last_duration_seconds')})", "{{rule_group}}"), alerts=("PrometheusRulesMissed",)),
        timeseries(
            "To Alertmanager", "Do alerts get from Prometheus to Alertmanager?", "short",
            (increase("prometheus_notifications_sent_total"), "sent"), (increase("prometheus_notifications_errors_total"), "failed"), (increase("prometheus_notifications_dropped_total"), "dropped"),
            alerts=("PrometheusNotificationsLost", "PrometheusNotConnectedToAlertmanagers"),
        ),
        row("Delivered"),
        timeseries(
            "From Alertmanager", "Which receiver does not take them?", "short",
            (increase("alertmanager_notifications_total", "integration"), "{{integration}} sent"), (increase("alertmanager_notifications_failed_total", "integration"), "{{integration}} failed"), alerts=("AlertmanagerCannotDeliver",),
        ),
        timeseries(
            "To Holdfast", "Does Holdfast take them, and is there news in them?", "short",
            (increase("holdfast_alerting_notifications_total", "outcome"), "notifications {{outcome}}"), (increase("holdfast_alerting_alerts_total", "status"), "alerts {{status}}"), alerts=("AlertsRefused",),
        ),
        timeseries(
            "Onwards", "Do they get to the webhook, and the heartbeat out of the house?", "short",
            (increase("holdfast_webhooks_deliveries_total", "outcome", 'origin="alerting"'), "webhook {{outcome}}"), (increase("holdfast_alerting_heartbeats_total", "outcome"), "heartbeat {{outcome}}"), alerts=("AlertsNotForwarded", "HeartbeatFailing"),
        ),
        row("Read"),
        timeseries("Lines taken by Loki", "Do log lines arrive?", "Bps", (rate("loki_distributor_bytes_received_total"), "received"), details="logs"),
        timeseries(
            "Trouble in Loki", "Does Loki fail, or refuse lines?", "cps",
            (rate("loki_request_duration_seconds_count", "route", 'status_code=~"5.."'), "{{route}} failed"), (rate("loki_discarded_samples_total", "reason"), "refused: {{reason}}"),
        ),
        timeseries(
            "Loki's memory", "Will Loki reach its limit? It will, beyond 105 % of what it tries to keep to.", "percentunit",
            (f"{selector('process_resident_memory_bytes', LOKI)} / {selector('go_gc_gomemlimit_bytes', LOKI)}", "{{instance}}"), limits=above(1.05), alerts=("LokiMemoryHigh",),
        ),
        timeseries("Grafana", "Do these pages load?", "reqps", (rate("grafana_http_request_duration_seconds_count", "status_code"), "{{status_code}}"), stack=True),
    ],
)
