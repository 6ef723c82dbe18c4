"""Monitors: are they checked in time, and what do checks find?"""
from .grafana import Dashboard, above, below, choice, increase, largest, quantile, row, stat, timeseries, total

CHECKS, LAG = "holdfast_uptime_checks_total", "holdfast_uptime_schedule_lag_seconds"
SKIPPED, TRANSITIONS = "holdfast_uptime_slots_skipped_total", "holdfast_uptime_transitions_total"
WRITE, ROWS = "holdfast_uptime_write_duration_seconds", "holdfast_uptime_batch_rows"
DURATION, ROLLUP = "holdfast_uptime_check_duration_seconds", "holdfast_uptime_rollup_duration_seconds"


DASHBOARD = Dashboard(
    title="Monitors",
    question="Are monitors checked in time, and what do checks find?",
    service="uptime",
    panels=[
        row("Now"),
        stat("Process that checks", "Does a process check the monitors?", "none", largest("holdfast_uptime_prober_active"), limits=below(critical=1), texts=choice((0, "none", "red"), (1, "yes", "green")), alerts=("UptimeProberMissing",)),
        stat("Delay of checks, p99", "How late do checks start?", "s", quantile(0.99, LAG), limits=above(5), alerts=("UptimeProberLagging",)),
        stat("Monitors down", "How many monitors are down?", "short", largest("holdfast_uptime_monitors", where='status="down"')),
        stat("Flapping monitors", "How many monitors change all the time?", "short", largest("holdfast_uptime_flapping"), limits=above(1), alerts=("UptimeMonitorFlapping",)),
        stat("Checks in memory", "Do checks wait for the database?", "short", largest("holdfast_uptime_checks_in_memory")),
        stat("Since the last write", "Since when can nothing be written?", "s", largest("holdfast_uptime_unwritten_seconds"), limits=above(critical=120), alerts=("UptimeChecksUnwritten",)),
        stat("File of monitors", "Is the file of monitors applied?", "none", largest("holdfast_uptime_file_applied"), texts=choice((0, "refused", "red"), (1, "applied", "green")), empty="no file", alerts=("UptimeFileRefused",)),
        row("Checks"),
        timeseries("Delay of checks, p99 and median", "Do checks start in time?", "s", (quantile(0.99, LAG), "99 %"), (quantile(0.5, LAG), "50 %"), limits=above(5), alerts=("UptimeProberLagging",)),
        timeseries("Checks by outcome", "What do checks find?", "short", (increase(CHECKS, "outcome"), "{{outcome}}"), bars=True, details="logs"),
        timeseries("Duration of checks, p95 by kind", "How fast do targets answer?", "s", (quantile(0.95, DURATION, "kind"), "{{kind}}")),
        timeseries("Checks that run", "How many checks run at once?", "short", (total("holdfast_uptime_in_flight", "instance"), "{{instance}}")),
        timeseries("Slots left out by reason", "Which planned checks were left out, and why?", "short", (increase(SKIPPED, "reason"), "{{reason}}"), bars=True, alerts=("UptimeSlotsSkipped",)),
        timeseries("Reports of heartbeats by outcome", "What becomes of reports of senders?", "short", (increase("holdfast_uptime_beats_total", "outcome"), "{{outcome}}"), bars=True, alerts=("UptimeReportsRefused",)),
        timeseries("Refused targets by reason", "Which monitors ask for addresses that they may not reach?", "short", (increase("holdfast_uptime_targets_refused_total", "reason"), "{{reason}}"), bars=True, alerts=("UptimeTargetsRefused",)),
        row("Monitors"),
        timeseries("Monitors by status", "How do the monitors do?", "short", (largest("holdfast_uptime_monitors", "status"), "{{status}}"), stack=True),
        timeseries("Changes of status", "How often does the status change?", "short", (increase(TRANSITIONS, "to"), "{{to}}"), bars=True, alerts=("UptimeMonitorFlapping",)),
        timeseries("Certificates that end soon", "How many certificates end within a week and within three?", "short", (largest("holdfast_uptime_certificates_ending", "within"), "{{within}}"), limits=above(1), alerts=("UptimeCertificateEnds",)),
        timeseries("Domains that end soon", "How many domains end within a week and within three?", "short", (largest("holdfast_uptime_domains_ending", "within"), "{{within}}"), limits=above(1), alerts=("UptimeDomainEnds",)),
        row("Writing"),
        timeseries("Duration of writing, p95 and median", "How long does a transaction of results take?", "s", (quantile(0.95, WRITE), "95 %"), (quantile(0.5, WRITE), "50 %")),
        timeseries("Checks in a transaction, median", "Are results written together?", "short", (quantile(0.5, ROWS), "50 %")),
        timeseries("Checks in memory over time", "Do results wait for the database?", "short", (largest("holdfast_uptime_checks_in_memory"), "waiting")),
        timeseries("Lost and folded results", "Was memory too small while the database was away?", "short", (increase("holdfast_uptime_checks_folded_total"), "checks folded into their minute"), (increase("holdfast_uptime_checks_dropped_total", "reason"), "checks dropped: {{reason}}"), (increase("holdfast_uptime_transitions_dropped_total", "reason"), "changes dropped: {{reason}}"), bars=True, alerts=("UptimeChecksInMemory", "UptimeRowsRefused")),
        timeseries("Hours that wait for their rollup", "Is history rolled up?", "short", (largest("holdfast_uptime_rollup_waiting"), "hours"), limits=above(3), alerts=("UptimeRollupBehind",)),
        timeseries("Duration of rolling up an hour, p95", "How long does the rollup of an hour take?", "s", (quantile(0.95, ROLLUP), "95 %")),
        timeseries("Jumps of the clock", "Does this host's clock jump?", "short", (increase("holdfast_uptime_clock_steps_total"), "jumps"), bars=True),
    ],
)
