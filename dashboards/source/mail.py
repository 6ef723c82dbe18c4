"""Mail: is it sent, and does it arrive?"""
from .grafana import Dashboard, above, age, choice, increase, largest, quantile, ratio, row, stat, timeseries, total

MESSAGES, ATTEMPTS, DURATION = "holdfast_mail_messages_total", "holdfast_mail_attempts_total", "holdfast_mail_send_duration_seconds"
BOUNCES, SUPPRESSIONS = "holdfast_mail_bounces_total", "holdfast_mail_suppressions_total"
REPORTS, IGNORED = "holdfast_mail_reports_total", "holdfast_mail_bounces_ignored_total"


def day(metric, where):
    """Events of a day."""
    return f"sum(increase({metric}{{TARGET, {where}}}[1d]))"


DASHBOARD = Dashboard(
    title="Mail",
    question="Is mail sent, and does it arrive?",
    service="mail",
    panels=[
        row("Now"),
        stat("SMTP server", "Can mail be sent?", "none", largest("holdfast_mail_account_failing"), limits=above(1), texts=choice((0, "works", "green"), (1, "fails", "red")), alerts=("MailProviderFailing",)),
        stat("SMTP server set", "Is there a server to send to?", "none", largest("holdfast_mail_configured"), texts=choice((0, "no", "orange"), (1, "yes", "green")), alerts=("MailNotConfiguredButWaiting",)),
        stat("Messages due", "How many messages wait although their time has come?", "short", largest("holdfast_mail_waiting"), alerts=("MailQueueStuck",)),
        stat("Age of the oldest due message", "For how long has a message been due?", "s", largest("holdfast_mail_oldest_waiting_seconds"), limits=above(1800), alerts=("MailOldestWaiting",)),
        stat("Time since the last accepted message", "When did the server last accept a message?", "s", age("holdfast_mail_last_success_timestamp_seconds"), empty="never"),
        stat("Suppressed addresses", "To how many addresses is nothing sent?", "short", largest("holdfast_mail_suppressed_addresses")),
        row("Sending"),
        timeseries("Messages by outcome", "What becomes of messages?", "short", (increase(MESSAGES, "outcome"), "{{outcome}}"), bars=True, details="logs"),
        timeseries("Attempts by outcome", "How do attempts end?", "short", (increase(ATTEMPTS, "outcome"), "{{outcome}}"), bars=True, alerts=("MailQueueStuck", "MailNothingSent", "MailProviderFailing"), details="logs"),
        timeseries("Messages put off or without a server", "Does the server put mail off, or is there none for what programs send?", "short", (largest("holdfast_mail_put_off"), "put off"), (largest("holdfast_mail_waiting_lasting"), "due, of programs and tests"), alerts=("MailNothingSent", "MailNotConfiguredButWaiting")),
        timeseries("Duration of attempts, p95 and median", "How fast does the server answer?", "s", (quantile(0.95, DURATION), "95 %"), (quantile(0.5, DURATION), "50 %")),
        timeseries("Messages due over time", "Does mail pile up?", "short", (largest("holdfast_mail_waiting"), "due"), alerts=("MailQueueStuck",)),
        timeseries("Age of the oldest due message over time", "Does mail leave late?", "s", (largest("holdfast_mail_oldest_waiting_seconds"), "oldest"), limits=above(1800), alerts=("MailOldestWaiting",)),
        timeseries("Connections to the SMTP server", "How many connections are open?", "short", (total("holdfast_mail_smtp_connections", "instance"), "{{instance}}")),
        row("What comes back"),
        timeseries("Bounces by kind", "What comes back, and why?", "short", (increase(BOUNCES, "kind"), "{{kind}}"), bars=True),
        timeseries("Share refused or bounced for good in a day", "How much mail goes to addresses that do not work?", "percentunit", (ratio(f"""({day(BOUNCES, 'kind="hard"')} + {day(MESSAGES, 'outcome="failed"')})""", day(MESSAGES, 'outcome=~"sent|failed"')), "refused or bounced"), limits=above(0.05), alerts=("MailBounceRateHigh",)),
        timeseries("Share refused for sender or content in a day", "How much mail do receivers refuse that the mail service took?", "percentunit", (ratio(day(BOUNCES, 'kind="refused"'), day(MESSAGES, 'outcome="sent"')), "refused"), limits=above(0.1), alerts=("MailBounceRateHigh",)),
        timeseries("Share of complaints in a day", "How much mail do recipients call spam?", "percentunit", (ratio(day(BOUNCES, 'kind="complaint"'), day(MESSAGES, 'outcome="sent"')), "complaints"), limits=above(0.003), alerts=("MailBounceRateHigh",)),
        timeseries("New suppressions by reason", "Which addresses get nothing more, and why?", "short", (increase(SUPPRESSIONS, "reason"), "{{reason}}"), bars=True, alerts=("MailSuppressionsGrowing",)),
        timeseries("Reports of providers by outcome", "Are reports of bounces understood?", "short", (increase(REPORTS, "source, outcome"), "{{source}}: {{outcome}}"), bars=True, details="logs"),
        timeseries("Sources of reports that take nothing", "Which webhook, or the mailbox, takes no reports?", "short", (largest("holdfast_mail_sources_failing", "source"), "{{source}}"), limits=above(1), alerts=("MailBouncesNotTaken",)),
        timeseries("Bounces without effect by reason", "Which reports change nothing, and why?", "short", (increase(IGNORED, "reason"), "{{reason}}"), bars=True),
    ],
)
