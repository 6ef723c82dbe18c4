alerting-title = Alerts
alerting-lead = Alerts from Prometheus, sent by Alertmanager
alerting-off = Alerts are switched off
alerting-off-text = Alertmanager needs a token to send alerts here. Create one, restart Holdfast with it, and give the same file to Alertmanager's webhook receiver:
alerting-firing-now = Firing
alerting-firing = firing
alerting-resolved = resolved
alerting-watchdog = Last Watchdog
alerting-no-watchdog = no Watchdog received yet: alerts may not arrive here
alerting-nothing-fires = No alerts firing
alerting-nothing-fires-text = Alerts appear here within seconds of Alertmanager sending them.
alerting-alert = Alert
alerting-severity = Severity
alerting-any-severity = Any severity
alerting-since = Since
alerting-began = Started
alerting-ended = Ended
alerting-lasted = Duration
alerting-received = First notification
alerting-heard = Latest notification
alerting-expression = Expression
alerting-in-prometheus = Open in Prometheus
alerting-history = History
alerting-no-history = No past alerts yet
alerting-no-history-text = Resolved alerts stay here, with their start and duration.
alerting-search = Name, summary or label
alerting-from = From (UTC)
alerting-to = To (UTC)
alerting-minutes = { $n } min
alerting-hours = { $n } h
alerting-days = { $n ->
    [one] { $n } day
   *[other] { $n } days
}
alerting-labels = Labels
alerting-annotations = Annotations
alerting-deliveries = Forwarded to
alerting-no-deliveries = Not forwarded: no webhook is configured for this severity.
alerting-webhook = Webhook
alerting-event = Event
alerting-attempts = Attempts
alerting-last-attempt = Last attempt
alerting-delivery-queued = waiting
alerting-delivery-delivered = delivered
alerting-delivery-dead = failed
alerting-silences = Silences
alerting-silences-lead = Alertmanager sends no notifications for alerts that match an active silence
alerting-silences-known = Silences in Alertmanager
alerting-no-silences = No silences
alerting-no-silences-text = Silence the alerts you are already working on, so that nobody else is called for them.
alerting-silence-active = active
alerting-silence-pending = pending
alerting-silence-expired = expired
alerting-is-silenced = silenced
alerting-silence-now = Silence 2 h
alerting-silence-more = Silence…
alerting-silence-new = New silence
alerting-silence-create = Silence
alerting-silenced = Matching alerts are silenced.
alerting-expired = The silence has ended.
alerting-refused = That did not work: { $why }
alerting-expire = End now
alerting-matchers = Matchers
alerting-matchers-hint = One per line: label name, then =, !=, =~ (matches the regular expression) or !~, then the value. An alert is silenced when all of them match.
alerting-until = Until
alerting-duration = Duration
alerting-comment = Reason
alerting-comment-hint = Visible to everyone who sees the silence
alerting-runbook = Runbook
alerting-runbooks = Runbooks
alerting-runbooks-lead = What each alert means, its effect on users, how to diagnose it and what to do
alerting-no-runbooks = No runbooks
alerting-no-runbooks-text = This build contains none.
alerting-when-it-fired = When it fired
error-alertmanager-not-configured = Silences are kept by Alertmanager: set alerting.alertmanager_url to its address, such as http://alertmanager:9093.
error-alertmanager-unreachable = Alertmanager cannot be reached at alerting.alertmanager_url. Is it running, and is the address right?
error-invalid-matcher = This is not a matcher. Write one per line, such as alertname="JobsStuck".

# Navigation and overview
alerting-overview-firing = { $n ->
    [one] { $n } alert firing
   *[other] { $n } alerts firing
}
alerting-overview-all = All alerts
alerting-overview-runbook = Runbook
alerting-severity-critical = critical
alerting-severity-warning = warning
alerting-severity-info = info
alerting-severity-none = none
