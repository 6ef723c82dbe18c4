"""Requests: rate, errors, duration, and what limits them."""
from .grafana import Dashboard, above, below, choice, heatmap, increase, largest, quantile, rate, ratio, row, selector, stat, timeseries, total

# Probes come every few seconds and say nothing about users.
USERS = 'surface!="health"'
FAILED = 'outcome=~"server_error|unavailable"'
REQUESTS, DURATION = "holdfast_http_requests_total", "holdfast_http_request_duration_seconds"
ROUTES = "holdfast_http_route_requests_total"

DASHBOARD = Dashboard(
    title="HTTP",
    question="Are requests answered, how fast, and what limits them? Rate, errors and duration by surface; probes are left out.",
    service="http",
    panels=[
        row("Now"),
        stat("Requests per second", "How many requests are made?", "reqps", rate(REQUESTS, where=USERS)),
        stat(
            "Failed requests", "What share fails on our side?", "percentunit", ratio(rate(REQUESTS, where=f"{USERS}, {FAILED}"), rate(REQUESTS, where=USERS)),
            empty="no traffic", alerts=("ApiAvailabilityBudgetBurning",), details="slo",
        ),
        stat("Duration, p95", "How long do the slowest 5 % of the requests take?", "s", quantile(0.95, DURATION, where=USERS), empty="no traffic"),
        stat(
            "Public address up", "Does the public address answer, through proxy, DNS name and certificate?", "none", largest("holdfast_http_public_up"),
            texts=choice((1, "answers", "green"), (0, "DOWN", "red")), empty="not asked", alerts=("PublicAddressDown",),
        ),
        stat(
            "Certificate expires in", "Was it renewed in time?", "s", f"min({selector('holdfast_http_public_certificate_end_timestamp_seconds')}) - time()", limits=below(21 * 24 * 3600, 3 * 24 * 3600),
            empty="none", alerts=("PublicCertificateExpiring",),
        ),
        stat("Panics, last 6 hours", "Did a bug abort requests within the last six hours?", "short", f"sum(increase({selector('holdfast_http_panics_total')}[6h]))", limits=above(1), alerts=("HttpPanics",)),
        row("Rate"),
        timeseries("Requests per second by surface", "Who asks: browsers, the API, OpenAI clients?", "reqps", (rate(REQUESTS, "surface", USERS), "{{surface}}"), stack=True),
        timeseries("Requests per second by status class", "How do requests end?", "reqps", (rate(REQUESTS, "outcome", USERS), "{{outcome}}"), stack=True),
        timeseries(
            "Requests per second by route", "Which routes are requested most?", "reqps", (f"topk(10, {rate(ROUTES, 'route, method')})", "{{method}} {{route}}"), stack=True, width=12,
        ),
        timeseries(
            "Time to first byte by route, p95 (10 slowest)", "Which page or call is slow, up to the response header?", "s",
            (f"topk(10, {quantile(0.95, 'holdfast_http_route_first_byte_seconds', 'route, method')})", "{{method}} {{route}}"), exemplars=True, width=12, details="logs",
        ),
        row("Errors"),
        timeseries(
            "Failed requests per second by route", "Which page or call fails on our side?", "reqps", (f"topk(10, {rate(ROUTES, 'route, method', FAILED)} > 0)", "{{method}} {{route}}"), details="logs",
        ),
        timeseries(
            "Share of failed requests by surface", "On which surface do requests fail on our side?", "percentunit",
            (ratio(rate(REQUESTS, "surface", f"{USERS}, {FAILED}"), rate(REQUESTS, "surface", USERS)), "{{surface}}"), alerts=("ApiAvailabilityBudgetBurning",), details="logs",
        ),
        timeseries(
            "Share of requests answered 503", "What share is refused because a limit is reached?", "percentunit",
            (ratio(rate(REQUESTS, where=f'{USERS}, outcome="unavailable"'), rate(REQUESTS, where=USERS)), "answered 503"),
            limits=above(0.01), alerts=("HttpShedding",),
        ),
        timeseries(
            "Share of client errors by surface", "Do clients request things that do not exist or that they may not see?", "percentunit",
            (ratio(rate(REQUESTS, "surface", f'{USERS}, outcome="client_error"'), rate(REQUESTS, "surface", USERS)), "{{surface}}"), details="logs",
        ),
        row("Duration"),
        timeseries(
            "Request duration, p50, p95 and p99", "How long do requests take? The dots are traces: a click opens their log lines.", "s",
            *[(quantile(share, DURATION, where=USERS), f"{share * 100:.0f} %") for share in (0.5, 0.95, 0.99)], exemplars=True,
        ),
        timeseries("Request duration by surface, p95", "Which surface is slow?", "s", (quantile(0.95, DURATION, "surface", USERS), "{{surface}}"), exemplars=True),
        timeseries(
            "Time to first byte of reads by surface, p95", "How long does a response take to begin? Excludes writing an answer or sending a file.", "s",
            (quantile(0.95, "holdfast_http_first_byte_seconds", "surface", f'{USERS}, method="get"'), "{{surface}}"), exemplars=True, alerts=("ApiLatencyBudgetBurning",), details="slo",
        ),
        heatmap("Distribution of request durations", "Is there one group of requests, or a fast and a slow one?", "s", increase(f"{DURATION}_bucket", "le", USERS)),
        row("Limits"),
        timeseries(
            "Open connections, share of the limit", "How close is the limit server.max_connections?", "percentunit",
            (f"{selector('holdfast_http_connections')} / {selector('holdfast_http_max_connections')}", "{{instance}}"), limits=above(0.8), alerts=("HttpConnectionsHigh",),
        ),
        timeseries(
            "Connections closed by reason", "Does a client hold or flood connections?", "short",
            (increase("holdfast_http_connections_refused_total"), "limit per address"), (increase("holdfast_http_connections_rejected_total"), "no request in time"),
            (increase("holdfast_http_left_bodies_total", "end"), "answered before the body was read: {{end}}"),
            bars=True, alerts=("HttpConnectionsRefused",),
        ),
        timeseries(
            "Rate-limited requests by limit", "Which limit is reached?", "short", (increase("holdfast_http_rate_limited_total", "limit"), "{{limit}}"), bars=True, alerts=("HttpRateLimited",),
        ),
        timeseries(
            "Bytes per second, in and out", "How much goes in and out?", "Bps",
            (rate("holdfast_http_request_size_bytes_sum"), "in"), (rate("holdfast_http_response_size_bytes_sum"), "out"),
        ),
        timeseries(
            "Size of large bodies, p99", "How large are the largest bodies?", "bytes",
            (quantile(0.99, "holdfast_http_request_size_bytes"), "request, 99 %"), (quantile(0.99, "holdfast_http_response_size_bytes"), "response, 99 %"),
        ),
        timeseries("Requests in progress", "Do requests pile up?", "short", (total("holdfast_http_requests_in_flight", "instance"), "{{instance}}")),
        timeseries("Duration of a probe of the public address", "Is the path from outside slow?", "s", (largest("holdfast_http_public_probe_seconds"), "from the appliance itself")),
    ],
)
