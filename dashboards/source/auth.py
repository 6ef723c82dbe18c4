"""Sign-ins and credentials."""
from .grafana import Dashboard, increase, quantile, rate, ratio, row, timeseries

LOGINS, LOOKUPS = "holdfast_auth_logins_total", "holdfast_auth_lookups_total"

DASHBOARD = Dashboard(
    title="Sign-in",
    question="Can people sign in, is someone guessing passwords, and what does checking credentials cost?",
    service="auth",
    panels=[
        row("Sign-in"),
        timeseries("Successful sign-ins", "How many people sign in?", "short", (increase(LOGINS, where='outcome="ok"'), "signed in"), bars=True, width=12),
        timeseries("Refused sign-ins by reason", "Is someone guessing passwords, or using an old one?", "short", (increase(LOGINS, "outcome", 'outcome!="ok"'), "{{outcome}}"), bars=True, stack=True, width=12, alerts=("LoginFailuresSpike",), details="logs"),
        timeseries("Duration of a password hash, p50 and p95", "How long does one hash take? It should take 20 to 250 ms.", "s", *[(quantile(share, "holdfast_auth_password_hash_seconds"), f"{share * 100:.0f} %") for share in (0.5, 0.95)]),
        timeseries("Sign-ins refused by the full hash queue", "Were sign-ins refused because too many were waiting?", "short", (increase("holdfast_auth_password_hash_rejected_total"), "refused"), bars=True, alerts=("LoginsBusy",)),
        timeseries("Cache hit ratio of credentials", "What share of the look-ups needs no query?", "percentunit", (ratio(rate(LOOKUPS, "credential", 'cache="hit"'), rate(LOOKUPS, "credential")), "{{credential}}")),
        timeseries("Credential look-ups per second", "Do people or API clients send requests?", "reqps", (rate(LOOKUPS, "credential"), "{{credential}}"), stack=True, width=24),
    ],
)
