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
        stat("Requests", "How much is asked?", "reqps", rate(REQUESTS, where=USERS)),
        stat(
            "Fail", "Which share fails on our side?", "percentunit", ratio(rate(REQUESTS, where=f"{USERS}, {FAILED}"), rate(REQUESTS, where=USERS)),
            empty="no traffic", alerts=("ApiAvailabilityBudgetBurning",), details="slo",
        ),
        stat("Slowest twentieth", "How long does the slowest twentieth take at least?", "s", quantile(0.95, DURATION, where=USERS), empty="no traffic"),
        stat(
            "Public address", "Does the address that people use answer, through proxy, name and certificate?", "none", largest("holdfast_http_public_up"),
            texts=choice((1, "answers", "green"), (0, "DOWN", "red")), empty="not asked", alerts=("PublicAddressDown",),
        ),
        stat(
            "Certificate ends in", "Was it renewed in time?", "s", f"min({selector('holdfast_http_public_certificate_end_timestamp_seconds')}) - time()", limits=below(21 * 24 * 3600, 3 * 24 * 3600),
            empty="none", alerts=("PublicCertificateExpiring",),
        ),
        stat("Panics", "Did a defect end requests within the last six hours?", "short", f"sum(increase({selector('holdfast_http_panics_total')}[6h]))", limits=above(1), alerts=("HttpPanics",)),
        row("Rate"),
        timeseries("By surface", "Who asks: browsers, the API, OpenAI clients?", "reqps", (rate(REQUESTS, "surface", USERS), "{{surface}}"), stack=True),
        timeseries("By outcome", "How do requests end?", "reqps", (rate(REQUESTS, "outcome", USERS), "{{outcome}}"), stack=True),
        timeseries(
            "By route", "Which routes are asked most?", "reqps", (f"topk(10, {rate(ROUTES, 'route, method')})", "{{method}} {{route}}"), stack=True, width=12,
        ),
        timeseries(
            "Slowest routes", "Which page or call is slow? To the head of the answer, one in twenty.", "s",
            (f"topk(10, {quantile(0.95, 'holdfast_http_route_first_byte_seconds', 'route, method')})", "{{method}} {{route}}"), exemplars=True, width=12, details="logs",
        ),
        row("Errors"),
        timeseries(
            "Routes that fail", "Which page or call fails on our side?", "reqps", (f"topk(10, {rate(ROUTES, 'route, method', FAILED)} > 0)", "{{method}} {{route}}"), details="logs",
        ),
        timeseries(
            "Fail on our side", "On which surface do requests fail?", "percentunit",
            (ratio(rate(REQUESTS, "surface", f"{USERS}, {FAILED}"), rate(REQUESTS, "surface", USERS)), "{{surface}}"), alerts=("ApiAvailabilityBudgetBurning",), details="logs",
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
            (quantile(0.95, "holdfast_http_first_byte_seconds", "surface", f'{USERS}, method="get"'), "{{surface}}"), exemplars=True, alerts=("ApiLatencyBudgetBurning",), details="slo",
        ),
        heatmap("All requests", "Is there one crowd of requests, or a fast and a slow one?", "s", increase(f"{DURATION}_bucket", "le", USERS)),
        row("What limits"),
        timeseries(
            "Connections", "How near is the limit of connections, server.max_connections?", "percentunit",
            (f"{selector('holdfast_http_connections')} / {selector('holdfast_http_max_connections')}", "{{instance}}"), limits=above(0.8), alerts=("HttpConnectionsHigh",),
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
        timeseries("Public address, time to answer", "Is the way from outside slow?", "s", (largest("holdfast_http_public_probe_seconds"), "from the appliance itself")),
    ],
)
