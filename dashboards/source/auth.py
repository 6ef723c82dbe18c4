"""Sign-ins and credentials."""
from .grafana import Dashboard, increase, quantile, rate, ratio, row, timeseries

LOGINS, LOOKUPS = "holdfast_auth_logins_total", "holdfast_auth_lookups_total"

DASHBOARD = Dashboard(
    title="Sign-in",
    question="Can people sign in, does someone guess passwords, and what does checking credentials cost?",
    service="auth",
    panels=[
        row("Sign-in"),
        timeseries("Sign-ins", "Who gets in?", "short", (increase(LOGINS, where='outcome="ok"'), "signed in"), bars=True, width=12),
        timeseries("Refused sign-ins", "Does someone guess passwords, or use an old one?", "short", (increase(LOGINS, "outcome", 'outcome!="ok"'), "{{outcome}}"), bars=True, stack=True, width=12, alerts=("LoginFailuresSpike",), details="logs"),
        timeseries("Time for a password", "How long does one hash take? It should take 20 to 250 ms.", "s", *[(quantile(share, "holdfast_auth_password_hash_seconds"), f"{share * 100:.0f} %") for share in (0.5, 0.95)]),
        timeseries("Too many at once", "Were sign-ins turned away because too many were waiting?", "short", (increase("holdfast_auth_password_hash_rejected_total"), "turned away"), bars=True, alerts=("LoginsBusy",)),
        timeseries("Credentials from the cache", "How many look-ups cost no query?", "percentunit", (ratio(rate(LOOKUPS, "credential", 'cache="hit"'), rate(LOOKUPS, "credential")), "{{credential}}")),
        timeseries("Credentials looked up", "Do people or programs ask?", "reqps", (rate(LOOKUPS, "credential"), "{{credential}}"), stack=True, width=24),
    ],
)
