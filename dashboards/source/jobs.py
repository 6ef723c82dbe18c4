"""The queue: is work taken, does it end well, do schedules fire."""
from .grafana import Dashboard, above, below, choice, increase, largest, quantile, rate, ratio, row, selector, stat, table, timeline, timeseries

FINISHED = "holdfast_jobs_finished_total"

DASHBOARD = Dashboard(
    title="Jobs",
    question="Is background work taken, does it end well, and do schedules fire?",
    service="jobs",
    panels=[
        row("Now"),
        stat("Wait", "How many jobs wait?", "short", f"sum({largest('holdfast_jobs_queued', 'queue')})"),
        stat("Run", "How many jobs run?", "short", f"sum({largest('holdfast_jobs_running', 'queue')})"),
        stat(
            "Longest wait", "How far behind is the slowest queue?", "s", largest("holdfast_jobs_oldest_due_seconds"),
            limits=above(900, 1800), alerts=("JobQueueBehind", "JobQueueStuck"),
        ),
        stat("Given up", "How many jobs gave up and wait for someone to look?", "short", f"sum({largest('holdfast_jobs_dead_letters', 'queue')})", limits=above(1), alerts=("DeadLettersWaiting",)),
        stat("Queues paused", "Was a queue stopped by hand?", "short", f"sum({largest('holdfast_jobs_paused', 'queue')})", limits=above(1), alerts=("JobQueuePaused",)),
        stat("Most overdue schedule", "Does every schedule fire?", "s", largest("holdfast_jobs_schedule_overdue_seconds"), limits=above(900), alerts=("JobScheduleOverdue",)),
        row("Is work taken?"),
        timeseries("Waiting", "In which queue do jobs pile up? Delayed ones are counted too.", "short", (largest("holdfast_jobs_queued", "queue"), "{{queue}}")),
        timeseries(
            "Longest wait of a due job", "Which queue is behind?", "s", (largest("holdfast_jobs_oldest_due_seconds", "queue"), "{{queue}}"),
            limits=above(900, 1800), alerts=("JobQueueBehind", "JobQueueStuck", "JobWorkersIdle"),
        ),
        timeseries(
            "Workers", "Does each queue have a worker that lives?", "short", (largest("holdfast_jobs_workers", "queue"), "{{queue}}"), limits=below(critical=1), alerts=("JobWorkersStopped",),
        ),
        timeseries("Running", "Which queues are the workers busy with?", "short", (largest("holdfast_jobs_running", "queue"), "{{queue}}"), stack=True),
        timeseries(
            "In and out", "Is more queued than is worked off?", "cps",
            (rate("holdfast_jobs_enqueued_total"), "queued"), (rate("holdfast_jobs_started_total"), "begun"), (rate(FINISHED), "ended"),
        ),
        timeseries(
            "Wait before the begin", "How long does one job in twenty wait at least?", "s", (quantile(0.95, "holdfast_jobs_wait_seconds", "queue"), "{{queue}}"),
            limits=above(60), alerts=("JobFreshnessBudgetBurning",), details="slo",
        ),
        timeseries("Duration of an attempt", "Which work is slow?", "s", (quantile(0.95, "holdfast_jobs_duration_seconds", "queue"), "{{queue}}"), exemplars=True, details="logs"),
        row("Does it end well?"),
        timeseries("Attempts by end", "How do attempts end?", "cps", (rate(FINISHED, "outcome"), "{{outcome}}"), stack=True),
        timeseries(
            "Tried again", "Which share of the attempts fails and comes again?", "percentunit",
            (ratio(rate(FINISHED, "queue", 'outcome="retried"'), rate(FINISHED, "queue")), "{{queue}}"), limits=above(0.5), alerts=("JobRetriesHigh",), details="logs",
        ),
        timeseries("Gave up", "Which work was not done, for good?", "short", (increase(FINISHED, "queue", 'outcome="dead"'), "{{queue}}"), bars=True, alerts=("JobsDying",), details="logs"),
        timeseries("Dead letters", "Does anyone look after what gave up?", "short", (largest("holdfast_jobs_dead_letters", "queue"), "{{queue}}"), stack=True, alerts=("DeadLettersWaiting",)),
        timeseries(
            "Workers lost", "Do workers die or stall in the middle of a job?", "short",
            (increase("holdfast_jobs_leases_expired_total"), "leases run out"), (increase(FINISHED, where='outcome="lost"'), "found taken by another"),
            bars=True, alerts=("JobLeasesExpiring",),
        ),
        timeline("Paused", "Which queue was stopped, and when?", choice((0, "runs", "green"), (1, "paused", "orange")), (largest("holdfast_jobs_paused", "queue"), "{{queue}}"), alerts=("JobQueuePaused",)),
        row("Do schedules fire?"),
        timeseries(
            "Leaders", "Does exactly one process have each duty? None for a moment while another takes over.", "short",
            (f"sum by (lease) ({selector('holdfast_jobs_leader')})", "{{lease}}"), limits=below(critical=1), alerts=("JobLeaderMissing",),
        ),
        table(
            "Schedules", "When did each schedule last succeed, and is it late?", "schedule",
            ("Last success", "dateTimeFromNow", f"{largest('holdfast_jobs_schedule_last_success_timestamp_seconds', 'schedule')} * 1000 > 0"),
            ("Overdue", "s", largest("holdfast_jobs_schedule_overdue_seconds", "schedule"), above(900)),
            ("Missed in the last day", "short", f"sum by (schedule) (increase({selector('holdfast_jobs_schedule_missed_total')}[1d]))", above(1)),
            width=12, alerts=("JobScheduleOverdue", "JobScheduleMissed"),
        ),
        timeseries(
            "Overdue", "Which schedule is late?", "s", (largest("holdfast_jobs_schedule_overdue_seconds", "schedule"), "{{schedule}}"), limits=above(900), width=12, alerts=("JobScheduleOverdue",),
        ),
    ],
)
