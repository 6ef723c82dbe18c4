"""The job queue: throughput, outcomes, schedules."""
from .grafana import Dashboard, above, below, choice, increase, largest, quantile, rate, ratio, row, selector, stat, table, timeline, timeseries

FINISHED = "holdfast_jobs_finished_total"

DASHBOARD = Dashboard(
    title="Jobs",
    question="Are jobs processed, do they succeed, and do schedules fire?",
    service="jobs",
    panels=[
        row("Now"),
        stat("Jobs waiting", "How many jobs wait?", "short", f"sum({largest('holdfast_jobs_queued', 'queue')})"),
        stat("Jobs running", "How many jobs run?", "short", f"sum({largest('holdfast_jobs_running', 'queue')})"),
        stat(
            "Longest wait of a due job", "How far behind is the slowest queue?", "s", largest("holdfast_jobs_oldest_due_seconds"),
            limits=above(900, 1800), alerts=("JobQueueBehind", "JobQueueStuck"),
        ),
        stat("Dead letters", "How many jobs failed for good and need attention?", "short", f"sum({largest('holdfast_jobs_dead_letters', 'queue')})", limits=above(1), alerts=("DeadLettersWaiting",)),
        stat("Paused queues", "Was a queue paused manually?", "short", f"sum({largest('holdfast_jobs_paused', 'queue')})", limits=above(1), alerts=("JobQueuePaused",)),
        stat("Most overdue schedule", "Does every schedule fire?", "s", largest("holdfast_jobs_schedule_overdue_seconds"), limits=above(900), alerts=("JobScheduleOverdue",)),
        row("Queues and workers"),
        timeseries("Jobs waiting by queue", "In which queue do jobs pile up? Includes delayed jobs.", "short", (largest("holdfast_jobs_queued", "queue"), "{{queue}}")),
        timeseries(
            "Longest wait of a due job by queue", "Which queue is behind?", "s", (largest("holdfast_jobs_oldest_due_seconds", "queue"), "{{queue}}"),
            limits=above(900, 1800), alerts=("JobQueueBehind", "JobQueueStuck", "JobWorkersIdle"),
        ),
        timeseries(
            "Live workers by queue", "Does each queue have a live worker?", "short", (largest("holdfast_jobs_workers", "queue"), "{{queue}}"), limits=below(critical=1), alerts=("JobWorkersStopped",),
        ),
        timeseries("Jobs running by queue", "Which queues are the workers busy with?", "short", (largest("holdfast_jobs_running", "queue"), "{{queue}}"), stack=True),
        timeseries(
            "Jobs per second: queued, started, finished", "Are more jobs queued than finished?", "cps",
            (rate("holdfast_jobs_enqueued_total"), "queued"), (rate("holdfast_jobs_started_total"), "started"), (rate(FINISHED), "finished"),
        ),
        timeseries(
            "Wait before a job starts by queue, p95", "How long do the slowest 5 % of the jobs wait?", "s", (quantile(0.95, "holdfast_jobs_wait_seconds", "queue"), "{{queue}}"),
            limits=above(60), alerts=("JobFreshnessBudgetBurning",), details="slo",
        ),
        timeseries("Duration of an attempt by queue, p95", "Which work is slow?", "s", (quantile(0.95, "holdfast_jobs_duration_seconds", "queue"), "{{queue}}"), exemplars=True, details="logs"),
        row("Outcomes"),
        timeseries("Attempts per second by outcome", "How do attempts end?", "cps", (rate(FINISHED, "outcome"), "{{outcome}}"), stack=True),
        timeseries(
            "Share of retried attempts by queue", "What share of the attempts fails and is retried?", "percentunit",
            (ratio(rate(FINISHED, "queue", 'outcome="retried"'), rate(FINISHED, "queue")), "{{queue}}"), limits=above(0.5), alerts=("JobRetriesHigh",), details="logs",
        ),
        timeseries("Jobs moved to dead letters by queue", "Which work failed for good?", "short", (increase(FINISHED, "queue", 'outcome="dead"'), "{{queue}}"), bars=True, alerts=("JobsDying",), details="logs"),
        timeseries("Dead letters by queue", "Does anyone handle the dead letters?", "short", (largest("holdfast_jobs_dead_letters", "queue"), "{{queue}}"), stack=True, alerts=("DeadLettersWaiting",)),
        timeseries(
            "Expired leases", "Do workers die or stall in the middle of a job?", "short",
            (increase("holdfast_jobs_leases_expired_total"), "leases expired"), (increase(FINISHED, where='outcome="lost"'), "taken over by another worker"),
            bars=True, alerts=("JobLeasesExpiring",),
        ),
        timeline("Paused queues over time", "Which queue was paused, and when?", choice((0, "running", "green"), (1, "paused", "orange")), (largest("holdfast_jobs_paused", "queue"), "{{queue}}"), alerts=("JobQueuePaused",)),
        row("Schedules"),
        timeseries(
            "Leaders by lease", "Does exactly one process hold each lease? None for a moment while another takes over.", "short",
            (f"sum by (lease) ({selector('holdfast_jobs_leader')})", "{{lease}}"), limits=below(critical=1), width=12, alerts=("JobLeaderMissing",),
        ),
        timeseries(
            "Leader changes by lease", "How often did a process take over a lease? None in normal operation.", "short",
            (increase("holdfast_jobs_elections_total", "lease"), "{{lease}}"), bars=True, width=12,
        ),
        table(
            "Schedules", "When did each schedule last succeed, and is it late?", "schedule",
            ("Last success", "dateTimeFromNow", f"{largest('holdfast_jobs_schedule_last_success_timestamp_seconds', 'schedule')} * 1000 > 0"),
            ("Overdue", "s", largest("holdfast_jobs_schedule_overdue_seconds", "schedule"), above(900)),
            ("Missed in the last day", "short", f"sum by (schedule) (increase({selector('holdfast_jobs_schedule_missed_total')}[1d]))", above(1)),
            width=12, alerts=("JobScheduleOverdue", "JobScheduleMissed"),
        ),
        timeseries(
            "Overdue time by schedule", "Which schedule is late?", "s", (largest("holdfast_jobs_schedule_overdue_seconds", "schedule"), "{{schedule}}"), limits=above(900), width=12, alerts=("JobScheduleOverdue",),
        ),
    ],
)
