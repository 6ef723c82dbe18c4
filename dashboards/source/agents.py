"""Agents' answers: success, latency, citations."""
from .grafana import Dashboard, above, increase, quantile, rate, ratio, row, stat, timeseries, total

ANSWERS, FIRST, DURATION = "holdfast_agents_answers_total", "holdfast_agents_first_token_seconds", "holdfast_agents_answer_duration_seconds"
UNCITED = ratio(rate("holdfast_agents_answers_uncited_total"), rate(ANSWERS, where='outcome="complete"'))
FAILING = ratio(rate(ANSWERS, where='outcome="failed"'), rate(ANSWERS, where='outcome=~"complete|failed"'))

DASHBOARD = Dashboard(
    title="Agents",
    question="Do agents answer, how soon, and do their answers cite sources?",
    service="agents",
    panels=[
        row("Now"),
        stat("Answers per second", "How many answers are requested?", "cps", rate(ANSWERS)),
        stat("Answers in progress", "How many answers are being written?", "short", total("holdfast_agents_answers_in_progress")),
        stat("Failed answers", "What share of the answers fails?", "percentunit", FAILING, empty="no traffic", alerts=("AnswerSuccessBudgetBurning",), details="slo"),
        stat("Time to first token, p95", "How long do the slowest 5 % of the answers take to begin?", "s", quantile(0.95, FIRST), limits=above(5), empty="no traffic", alerts=("AnswerFirstTokenBudgetBurning",), details="slo"),
        stat("Answers without citation", "What share of the answers cites nothing?", "percentunit", UNCITED, limits=above(0.5), empty="no traffic", alerts=("AgentAnswersUncited",)),
        stat("Refused questions, last day", "Was a question refused within the last day?", "short", "sum(increase(holdfast_agents_answers_refused_total{TARGET}[1d]))", limits=above(1), alerts=("AgentAnswersRefused",)),
        row("Answers"),
        timeseries("Answers per second by outcome", "How do answers end?", "cps", (rate(ANSWERS, "outcome"), "{{outcome}}"), stack=True),
        timeseries("Answers per second by surface", "Who asks: people in the console, or API clients?", "cps", (rate(ANSWERS, "surface"), "{{surface}}"), stack=True),
        timeseries("Share of failed answers", "When did answers fail?", "percentunit", (FAILING, "failed"), alerts=("AnswerSuccessBudgetBurning",), details="logs"),
        timeseries("Failed answers by reason", "Why do answers fail?", "short", (increase("holdfast_agents_answers_failed_total", "reason"), "{{reason}}"), bars=True, stack=True, details="llm"),
        timeseries("Answers cut off at the length limit", "When did answers reach the length limit?", "short", (increase("holdfast_agents_answers_cut_off_total"), "cut off"), bars=True),
        timeseries("Time to first token, p50 and p95", "How long do users wait for an answer to begin?", "s", *[(quantile(share, FIRST), f"{share * 100:.0f} %") for share in (0.5, 0.95)], limits=above(5), exemplars=True, alerts=("AnswerFirstTokenBudgetBurning",)),
        timeseries("Duration of answers, p50 and p95", "How long does an answer take?", "s", *[(quantile(share, DURATION), f"{share * 100:.0f} %") for share in (0.5, 0.95)], exemplars=True),
        timeseries("Answers in progress by instance", "How close is the limit agents.max_concurrent_answers?", "short", (total("holdfast_agents_answers_in_progress", "instance"), "{{instance}}"), stack=True),
        timeseries("Refused questions", "When were questions refused?", "short", (increase("holdfast_agents_answers_refused_total"), "refused"), bars=True, alerts=("AgentAnswersRefused",)),
        timeseries("Share of answers without citation", "Do answers still cite?", "percentunit", (UNCITED, "uncited"), limits=above(0.5), alerts=("AgentAnswersUncited",), details="knowledge"),
        timeseries("Questions per second by search result", "How often do the documents contain nothing about a question, or only weak matches?", "cps", (rate("holdfast_agents_questions_total", "found"), "{{found}}"), stack=True, details="knowledge"),
        timeseries("Context left out of prompts", "What did the model not see: passages that did not fit, the ends of long questions?", "short", (increase("holdfast_agents_left_out_total", "what"), "{{what}}"), bars=True, stack=True, details="knowledge"),
        timeseries("Searches per second by mode", "How many searches are made?", "cps", (rate("holdfast_knowledge_search_duration_seconds_count", "mode"), "{{mode}}"), stack=True, details="knowledge"),
    ],
)
