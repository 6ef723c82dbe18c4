"""Requests: rate, errors, duration, and what limits them."""
from .grafana import Dashboard, above, heatmap, increase, quantile, rate, ratio, row, selector, stat, timeseries, total

# Probes come every few seconds and say nothing about users.
USERS = 'surface!="health"'
FAILED = 'outcome=~"server_error|unavailable"'
REQUESTS, DURATION = "holdfast_http_requests_total", "holdfast_http_request_duration_seconds"

DASHBOARD = Dashboard(
    title="HTTP",
    question="Are requests answered, how fast, and what limits them? Rate, errors and duration by surface; probes are left out.",
    service="http",
    panels=[
        row("Now"),
        stat("Requests", "How much is asked?", "reqps", rate(REQUESTS, where=USERS)),
        stat(
            "Fail", "Which share fails on our side?", "percentunit", ratio(rate(REQUESTS, where=f"{USERS}, {FAILED}"), rate(REQUESTS, where=USERS)),
            empty="no traffic", alerts=("ApiAvailabilityBudgetBurning",), details="slo",
        ),
        stat("Slowest twentieth", "How long does the slowest twentieth take at least?", "s", quantile(0.95, DURATION, where=USERS), empty="no traffic"),
        stat("Being answered", "How many requests are being answered?", "short", total("holdfast_http_requests_in_flight")),
        stat("Clients", "How many clients are connected?", "short", total("holdfast_http_connections")),
        stat("Panics", "Did a defect end requests within the last six hours?", "short", f"sum(increase({selector('holdfast_http_panics_total')}[6h]))", limits=above(1), alerts=("HttpPanics",)),
        row("Rate"),
        timeseries("By surface", "Who asks: browsers, the API, OpenAI clients?", "reqps", (rate(REQUESTS, "surface", USERS), "{{surface}}"), stack=True),
        timeseries("By method", "Is it read or written?", "reqps", (rate(REQUESTS, "method", USERS), "{{method}}"), stack=True),
        timeseries("By outcome", "How do requests end?", "reqps", (rate(REQUESTS, "outcome", USERS), "{{outcome}}"), stack=True),
        row("Errors"),
        timeseries(
            "Fail on our side", "On which surface do requests fail?", "percentunit",
            (ratio(rate(REQUESTS, "surface", f"{USERS}, {FAILED}"), rate(REQUESTS, "surface", USERS)), "{{surface}}"), alerts=("ApiAvailabilityBudgetBurning", "ApiAvailabilityFewEvents"), details="logs",
        ),
        timeseries(
            "Shed", "Which share is turned away because something is used up?", "percentunit",
            (ratio(rate(REQUESTS, where=f'{USERS}, outcome="unavailable"'), rate(REQUESTS, where=USERS)), "answered 503"),
            limits=above(0.01), alerts=("HttpShedding",),
        ),
        timeseries(
            "Clients' errors", "Do clients ask for what does not exist or is not theirs?", "percentunit",
            (ratio(rate(REQUESTS, "surface", f'{USERS}, outcome="client_error"'), rate(REQUESTS, "surface", USERS)), "{{surface}}"), details="logs",
        ),
        row("Duration"),
        timeseries(
            "Quantiles", "How long do requests take? The dots are traces: a click opens their log lines.", "s",
            *[(quantile(share, DURATION, where=USERS), f"{share * 100:.0f} %") for share in (0.5, 0.95, 0.99)], exemplars=True,
        ),
        timeseries("Slowest twentieth by surface", "Which surface is slow?", "s", (quantile(0.95, DURATION, "surface", USERS), "{{surface}}"), exemplars=True),
        timeseries(
            "Reads, to their first byte", "How long is waited for an answer to begin? What an answer takes to write or a file to fetch is not in it.", "s",
            (quantile(0.95, "holdfast_http_first_byte_seconds", "surface", f'{USERS}, method="get"'), "{{surface}}"), exemplars=True, alerts=("ApiLatencyBudgetBurning", "ApiLatencyFewEvents"), details="slo",
        ),
        heatmap("All requests", "Is there one crowd of requests, or a fast and a slow one?", "s", increase(f"{DURATION}_bucket", "le", USERS)),
        row("What limits"),
        timeseries(
            "Connections", "How near is the limit of connections, server.max_connections?", "short",
            (total("holdfast_http_connections", "instance"), "{{instance}}"), limits=above(3276), alerts=("HttpConnectionsHigh",),
        ),
        timeseries(
            "Connections closed", "Does someone hold or flood connections?", "short",
            (increase("holdfast_http_connections_refused_total"), "too many of one address"), (increase("holdfast_http_connections_rejected_total"), "sent no request in time"),
            (increase("holdfast_http_left_bodies_total", "end"), "answered before the body was read: {{end}}"),
            bars=True, alerts=("HttpConnectionsRefused",),
        ),
        timeseries(
            "Rate limited", "Whose limit is reached?", "short", (increase("holdfast_http_rate_limited_total", "limit"), "{{limit}}"), bars=True, alerts=("HttpRateLimited",),
        ),
        timeseries(
            "Bytes", "How much goes in and out?", "Bps",
            (rate("holdfast_http_request_size_bytes_sum"), "in"), (rate("holdfast_http_response_size_bytes_sum"), "out"),
        ),
        timeseries(
            "Large bodies", "How large are the largest bodies?", "bytes",
            (quantile(0.99, "holdfast_http_request_size_bytes"), "request, 99 %"), (quantile(0.99, "holdfast_http_response_size_bytes"), "response, 99 %"),
        ),
        timeseries("In flight", "Do requests pile up?", "short", (total("holdfast_http_requests_in_flight", "instance"), "{{instance}}")),
    ],
)
