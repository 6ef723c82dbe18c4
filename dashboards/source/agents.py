"""Agents' answers: do they come, how soon, and with sources."""
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
        stat("Answers", "How much are agents asked?", "cps", rate(ANSWERS)),
        stat("In progress", "How many answers are being written?", "short", total("holdfast_agents_answers_in_progress")),
        stat("Failing", "Which share of the answers fails?", "percentunit", FAILING, empty="no traffic", alerts=("AnswerSuccessBudgetBurning",), details="slo"),
        stat("First words", "How long does one answer in twenty take at least to begin?", "s", quantile(0.95, FIRST), limits=above(5), empty="no traffic", alerts=("AnswerFirstTokenBudgetBurning",), details="slo"),
        stat("Uncited", "Which share of the answers cites nothing?", "percentunit", UNCITED, limits=above(0.5), empty="no traffic", alerts=("AgentAnswersUncited",)),
        stat("Turned away", "Was anyone turned away within the last day?", "short", "sum(increase(holdfast_agents_answers_refused_total{TARGET}[1d]))", limits=above(1), alerts=("AgentAnswersRefused",)),
        row("Answers"),
        timeseries("By outcome", "How do answers end?", "cps", (rate(ANSWERS, "outcome"), "{{outcome}}"), stack=True),
        timeseries("By the way they were asked for", "Who asks: people in the console, or programs?", "cps", (rate(ANSWERS, "surface"), "{{surface}}"), stack=True),
        timeseries("Fail", "When did answers fail?", "percentunit", (FAILING, "failed"), alerts=("AnswerSuccessBudgetBurning",), details="logs"),
        timeseries("Why they fail", "What do failed answers fail of?", "short", (increase("holdfast_agents_answers_failed_total", "reason"), "{{reason}}"), bars=True, stack=True, details="llm"),
        timeseries("Cut off", "When did answers reach the limit on their length?", "short", (increase("holdfast_agents_answers_cut_off_total"), "cut off"), bars=True),
        timeseries("Time to the first words", "How long do people wait?", "s", *[(quantile(share, FIRST), f"{share * 100:.0f} %") for share in (0.5, 0.95)], limits=above(5), exemplars=True, alerts=("AnswerFirstTokenBudgetBurning",)),
        timeseries("Time to the end", "How long does an answer take?", "s", *[(quantile(share, DURATION), f"{share * 100:.0f} %") for share in (0.5, 0.95)], exemplars=True),
        timeseries("Being written", "How near is agents.max_concurrent_answers?", "short", (total("holdfast_agents_answers_in_progress", "instance"), "{{instance}}"), stack=True),
        timeseries("Refused", "When were questions turned away?", "short", (increase("holdfast_agents_answers_refused_total"), "refused"), bars=True, alerts=("AgentAnswersRefused",)),
        timeseries("Without a source", "Do answers still cite?", "percentunit", (UNCITED, "uncited"), limits=above(0.5), alerts=("AgentAnswersUncited",), details="knowledge"),
        timeseries("What was found", "How often do the documents hold nothing for a question, or only weak matches?", "cps", (rate("holdfast_agents_questions_total", "found"), "{{found}}"), stack=True, details="knowledge"),
        timeseries("Left out", "What of a search did the model not see: passages that did not fit, the ends of long questions?", "short", (increase("holdfast_agents_left_out_total", "what"), "{{what}}"), bars=True, stack=True, details="knowledge"),
        timeseries("Searches for answers and people", "How much is looked up?", "cps", (rate("holdfast_knowledge_search_duration_seconds_count", "mode"), "{{mode}}"), stack=True, details="knowledge"),
    ],
)
