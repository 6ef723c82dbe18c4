"""Calls to models: how many, how they end, how long they take, and what is counted."""
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
        stat("Calls", "How much are models used?", "reqps", rate(REQUESTS)),
        stat(
            "Failing", "Which share times out or fails at the provider?", "percentunit", ratio(rate(REQUESTS, where=FAILED), rate(REQUESTS, where=OURS)),
            limits=above(0.1, 0.5), empty="no traffic", alerts=("LlmProviderFailing",),
        ),
        stat("Begin of an answer", "How long does one stream in twenty take at least to begin?", "s", quantile(0.95, "holdfast_llm_first_token_seconds"), limits=above(5), empty="no streams", alerts=("LlmFirstTokenSlow",)),
        stat("Tokens in", "How much is sent to models?", "cps", rate("holdfast_llm_tokens_total", where='direction="input"')),
        stat("Tokens out", "How much do models write?", "cps", rate("holdfast_llm_tokens_total", where='direction="output"')),
        stat("Usage not recorded", "Is every call of the last day in the reports?", "short", 'sum(increase(holdfast_llm_usage_rows_lost_total{TARGET}[1d]))', limits=above(1), alerts=("LlmUsageRowsLost",)),
        row("Rate and errors"),
        timeseries("Calls by kind", "What is asked of which kind of model?", "reqps", (rate(REQUESTS, "operation, backend"), "{{operation}} {{backend}}"), stack=True),
        timeseries("Calls by outcome", "How do calls end?", "reqps", (rate(REQUESTS, "outcome"), "{{outcome}}"), stack=True),
        timeseries(
            "Fail", "Which provider fails?", "percentunit", (ratio(rate(MODELS, "provider", FAILED), rate(MODELS, "provider", OURS)), "{{provider}}"),
            limits=above(0.1, 0.5), alerts=("LlmProviderFailing",), details="logs",
        ),
        timeseries(
            "Rate limited", "Which share is told to wait?", "percentunit", (ratio(rate(MODELS, "provider", 'outcome="rate_limited"'), rate(MODELS, "provider")), "{{provider}}"),
            limits=above(0.1), alerts=("LlmRateLimited",),
        ),
        timeseries("Defects", "Do calls fail inside Holdfast?", "short", (increase(REQUESTS, "operation, backend", 'outcome="internal_error"'), "{{operation}} {{backend}}"), bars=True, alerts=("LlmInternalErrors",), details="logs"),
        timeseries("Given up", "How often does the caller go away first?", "cps", (rate(REQUESTS, "backend", 'outcome="cancelled"'), "{{backend}}"), stack=True),
        timeseries(
            "Providers fail", "Which provider fails, and with what?", "short", (increase("holdfast_llm_provider_failures_total", "provider, failure"), "{{provider}} {{failure}}"),
            bars=True, alerts=("LlmProviderFailing",), details="logs",
        ),
        timeseries("Adapted requests", "What do providers not take as it is usual?", "short", (increase("holdfast_llm_adaptations_total", "adaptation"), "{{adaptation}}"), bars=True),
        row("Duration"),
        timeseries(
            "First token", "How long does one stream in twenty take at least to begin?", "s", (quantile(0.95, "holdfast_llm_first_token_seconds", "backend"), "{{backend}}"),
            limits=above(5), exemplars=True, alerts=("LlmFirstTokenSlow",),
        ),
        timeseries("Chat", "How long does one answer in twenty take at least?", "s", (quantile(0.95, "holdfast_llm_request_duration_seconds", "backend", 'operation="chat"'), "{{backend}}"), exemplars=True),
        timeseries("Embedding", "How long does one call in twenty take at least?", "s", (quantile(0.95, "holdfast_llm_request_duration_seconds", "backend", 'operation="embedding"'), "{{backend}}"), exemplars=True),
        row("What is used, and what does it cost?"),
        timeseries("Calls by model", "Which models are asked?", "reqps", (rate(MODELS, "provider, model"), "{{provider}} {{model}}"), stack=True),
        timeseries("Tokens by model", "Which models take how many tokens?", "cps", (rate("holdfast_llm_model_tokens_total", "provider, model, direction"), "{{provider}} {{model}} {{direction}}"), stack=True),
        timeseries(
            "Cost in an hour", "What do models cost, at the configured prices or as their provider says? In the currency of the prices.", "none",
            (f"sum by (provider, model) (rate({selector('holdfast_llm_model_cost_total')}[$__rate_interval])) * 3600", "{{provider}} {{model}}"), stack=True,
        ),
        timeseries("Tokens", "Who uses how many tokens?", "cps", (rate("holdfast_llm_tokens_total", "backend, direction"), "{{backend}} {{direction}}"), stack=True),
        timeseries("Embedded texts", "How much is embedded?", "cps", (rate("holdfast_llm_embedded_texts_total", "backend"), "{{backend}}"), stack=True),
        timeseries("Vectors from caches", "Which share of the vectors did not have to be computed?", "percentunit", (HITS, "{{cache}}")),
        timeseries(
            "Usage rows", "Is use recorded?", "short", (increase("holdfast_llm_usage_rows_written_total"), "written"), (increase("holdfast_llm_usage_rows_lost_total"), "lost"),
            bars=True, alerts=("LlmUsageRowsLost",),
        ),
        timeseries("Rows expired", "Does retention remove what is old?", "short", (increase("holdfast_llm_expired_rows_total", "kept"), "{{kept}}"), bars=True),
    ],
)
