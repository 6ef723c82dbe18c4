alerting-title = Alerts
alerting-lead = What Prometheus noticed and Alertmanager sent here
alerting-off = No alerts are taken
alerting-off-text = Alertmanager needs a token to send alerts here. Make one, restart Holdfast with it, and give the same file to Alertmanager's webhook receiver:
alerting-firing-now = Firing
alerting-firing = firing
alerting-resolved = resolved
alerting-watchdog = Watchdog heard of
alerting-no-watchdog = no Watchdog yet: alerts may not get here
alerting-nothing-fires = Nothing fires
alerting-nothing-fires-text = Alerts appear here within seconds of Alertmanager sending them.
alerting-alert = Alert
alerting-severity = Severity
alerting-any-severity = Any severity
alerting-since = Since
alerting-began = Began
alerting-ended = Ended
alerting-lasted = Lasted
alerting-received = First told of
alerting-heard = Last told of
alerting-expression = Expression
alerting-in-prometheus = Open in Prometheus
alerting-history = History
alerting-no-history = No alert has ended yet
alerting-no-history-text = Alerts that have ended stay here, with when they began and how long they lasted.
alerting-search = Name, summary or label
alerting-from = From day (UTC)
alerting-to = To day (UTC)
alerting-minutes = { $n } min
alerting-hours = { $n } h
alerting-days = { $n ->
    [one] { $n } day
   *[other] { $n } days
}
alerting-labels = Labels
alerting-annotations = Annotations
alerting-deliveries = Passed on
alerting-no-deliveries = To no webhook: none is configured for this severity.
alerting-webhook = Webhook
alerting-event = Event
alerting-attempts = Attempts
alerting-last-attempt = Last attempt
alerting-delivery-queued = waiting
alerting-delivery-delivered = delivered
alerting-delivery-dead = given up
alerting-silences = Silences
alerting-silences-lead = Alertmanager sends nothing about alerts that fit a silence in force
alerting-silences-known = Known to Alertmanager
alerting-no-silences = Nothing is silenced
alerting-no-silences-text = Silence what you are working on, so that others are not called for it.
alerting-silence-active = in force
alerting-silence-pending = to come
alerting-silence-expired = over
alerting-is-silenced = silenced
alerting-silence-now = Silence 2 h
alerting-silence-more = Silence…
alerting-silence-new = New silence
alerting-silence-create = Silence
alerting-silenced = Alerts that fit are silenced.
alerting-expired = The silence has ended.
alerting-refused = That did not work: { $why }
alerting-expire = End now
alerting-matchers = Matchers
alerting-matchers-hint = One on each line: name, then =, !=, =~ (fits the expression) or !~, then the value. An alert is silenced that fits all of them.
alerting-until = Until
alerting-duration = For
alerting-comment = Why
alerting-comment-hint = For those who find it
alerting-runbook = Runbook
alerting-runbooks = Runbooks
alerting-runbooks-lead = What an alert means, what it does to users, how to look and what to do
alerting-no-runbooks = No runbooks
alerting-no-runbooks-text = This build holds none.
alerting-when-it-fired = When it fired
error-alertmanager-not-configured = Silences are Alertmanager's: set alerting.alertmanager_url to its address, such as http://alertmanager:9093.
error-alertmanager-unreachable = Alertmanager cannot be reached at alerting.alertmanager_url. Does it run, and is that its address?
error-invalid-matcher = This is no matcher. Write one on each line, such as alertname="JobsStuck".

# Navigation and overview
alerting-overview-firing = { $n ->
    [one] { $n } alert fires
   *[other] { $n } alerts fire
}
alerting-overview-all = All alerts
alerting-overview-runbook = Runbook
alerting-severity-critical = critical
alerting-severity-warning = warning
alerting-severity-info = info
alerting-severity-none = none
