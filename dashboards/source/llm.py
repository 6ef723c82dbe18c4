"""Calls to models: rate, outcome, duration and usage."""
from .grafana import Dashboard, above, increase, quantile, rate, ratio, row, selector, stat, timeseries

REQUESTS, MODELS = "holdfast_llm_requests_total", "holdfast_llm_model_requests_total"
FAILED, OURS = 'outcome=~"timeout|provider_error"', 'outcome!~"client_error|cancelled"'
HITS = ratio(rate("holdfast_llm_embedding_cache_total", "cache", 'result="hit"'), rate("holdfast_llm_embedding_cache_total", "cache"))

DASHBOARD = Dashboard(
    title="Models",
    question="Do calls to models succeed, how fast do they begin, and how many tokens do they take?",
    service="llm",
    panels=[
        row("Now"),
        stat("Model calls per second", "How much are models used?", "reqps", rate(REQUESTS)),
        stat(
            "Failed calls", "What share times out or fails at the provider?", "percentunit", ratio(rate(REQUESTS, where=FAILED), rate(REQUESTS, where=OURS)),
            limits=above(0.1, 0.5), empty="no traffic", alerts=("LlmProviderFailing",),
        ),
        stat("Time to first token, p95", "How long do the slowest 5 % of the streams take to begin?", "s", quantile(0.95, "holdfast_llm_first_token_seconds"), limits=above(5), empty="no streams", alerts=("LlmFirstTokenSlow",)),
        stat("Input tokens per second", "How much is sent to models?", "cps", rate("holdfast_llm_tokens_total", where='direction="input"')),
        stat("Output tokens per second", "How much do models write?", "cps", rate("holdfast_llm_tokens_total", where='direction="output"')),
        stat("Usage rows lost, last day", "Is every call of the last day recorded?", "short", 'sum(increase(holdfast_llm_usage_rows_lost_total{TARGET}[1d]))', limits=above(1), alerts=("LlmUsageRowsLost",)),
        row("Rate and errors"),
        timeseries("Calls per second by operation and backend", "What is asked of which kind of model?", "reqps", (rate(REQUESTS, "operation, backend"), "{{operation}} {{backend}}"), stack=True),
        timeseries("Calls per second by outcome", "How do calls end?", "reqps", (rate(REQUESTS, "outcome"), "{{outcome}}"), stack=True),
        timeseries(
            "Share of failed calls by provider", "Which provider fails?", "percentunit", (ratio(rate(MODELS, "provider", FAILED), rate(MODELS, "provider", OURS)), "{{provider}}"),
            limits=above(0.1, 0.5), alerts=("LlmProviderFailing",), details="logs",
        ),
        timeseries(
            "Share of rate-limited calls by provider", "What share is refused by a provider's rate limit?", "percentunit", (ratio(rate(MODELS, "provider", 'outcome="rate_limited"'), rate(MODELS, "provider")), "{{provider}}"),
            limits=above(0.1), alerts=("LlmRateLimited",),
        ),
        timeseries("Internal errors", "Do calls fail inside Holdfast?", "short", (increase(REQUESTS, "operation, backend", 'outcome="internal_error"'), "{{operation}} {{backend}}"), bars=True, alerts=("LlmInternalErrors",), details="logs"),
        timeseries("Cancelled calls per second", "How often does the caller disconnect first?", "cps", (rate(REQUESTS, "backend", 'outcome="cancelled"'), "{{backend}}"), stack=True),
        timeseries(
            "Provider failures by kind", "Which provider fails, and how?", "short", (increase("holdfast_llm_provider_failures_total", "provider, failure"), "{{provider}} {{failure}}"),
            bars=True, alerts=("LlmProviderFailing",), details="logs",
        ),
        timeseries("Adapted requests", "What in our requests do providers not accept?", "short", (increase("holdfast_llm_adaptations_total", "adaptation"), "{{adaptation}}"), bars=True),
        row("Duration"),
        timeseries(
            "Time to first token by backend, p95", "How long do the slowest 5 % of the streams take to begin?", "s", (quantile(0.95, "holdfast_llm_first_token_seconds", "backend"), "{{backend}}"),
            limits=above(5), exemplars=True, alerts=("LlmFirstTokenSlow",),
        ),
        timeseries("Duration of chat calls by backend, p95", "How long do the slowest 5 % of the answers take?", "s", (quantile(0.95, "holdfast_llm_request_duration_seconds", "backend", 'operation="chat"'), "{{backend}}"), exemplars=True),
        timeseries("Duration of embedding calls by backend, p95", "How long do the slowest 5 % of the calls take?", "s", (quantile(0.95, "holdfast_llm_request_duration_seconds", "backend", 'operation="embedding"'), "{{backend}}"), exemplars=True),
        row("Usage and cost"),
        timeseries("Calls per second by model", "Which models are asked?", "reqps", (rate(MODELS, "provider, model"), "{{provider}} {{model}}"), stack=True),
        timeseries("Tokens per second by model", "Which models take how many tokens?", "cps", (rate("holdfast_llm_model_tokens_total", "provider, model, direction"), "{{provider}} {{model}} {{direction}}"), stack=True),
        timeseries(
            "Cost per hour by model", "What do models cost, at the configured or the provider's prices? In the currency of the prices.", "none",
            (f"sum by (provider, model) (rate({selector('holdfast_llm_model_cost_total')}[$__rate_interval])) * 3600", "{{provider}} {{model}}"), stack=True,
        ),
        timeseries("Tokens per second by backend", "Who uses how many tokens?", "cps", (rate("holdfast_llm_tokens_total", "backend, direction"), "{{backend}} {{direction}}"), stack=True),
        timeseries("Embedded texts per second", "How much is embedded?", "cps", (rate("holdfast_llm_embedded_texts_total", "backend"), "{{backend}}"), stack=True),
        timeseries("Cache hit ratio of vectors", "What share of the vectors did not have to be computed?", "percentunit", (HITS, "{{cache}}")),
        timeseries(
            "Usage rows, written and lost", "Is usage recorded?", "short", (increase("holdfast_llm_usage_rows_written_total"), "written"), (increase("holdfast_llm_usage_rows_lost_total"), "lost"),
            bars=True, alerts=("LlmUsageRowsLost",),
        ),
        timeseries("Rows removed by retention", "Does retention remove what is old?", "short", (increase("holdfast_llm_expired_rows_total", "kept"), "{{kept}}"), bars=True),
    ],
)
