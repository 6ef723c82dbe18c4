"""Objectives: what is promised, what is left of the budget, how fast it burns."""
from .grafana import Dashboard, above, below, query_variable, row, table, timeseries

ERROR = "slo:sli_error:ratio_rate{}{{slo=~\"$slo\"}}"
OBJECTIVE = 'slo:objective:ratio{slo=~"$slo"}'
LEFT = 'slo:error_budget_remaining:ratio30d{slo=~"$slo"}'
EVENTS = 'slo:events:rate5m{slo=~"$slo"}'


def burn(window):
    """How many times faster than it may: at 1 the budget of 30 days lasts for 30 days."""
    return f"{ERROR.format(window)} / on (slo) (1 - {OBJECTIVE})"


def burning(long, short, factor, alerts):
    return timeseries(
        f"Burning over {long} and {short}", f"Is the budget used up {factor} times faster than it may, over {long} and still over {short}?", "none",
        (burn(long), f"{{{{slo}}}} {long}"), (burn(short), f"{{{{slo}}}} {short}"), limits=above(critical=factor) if factor > 3 else above(factor), width=12, alerts=alerts,
    )


PAGES = ("ApiAvailabilityBudgetBurning", "ApiLatencyBudgetBurning", "AnswerSuccessBudgetBurning")
TICKETS = (*PAGES, "JobFreshnessBudgetBurning", "AnswerFirstTokenBudgetBurning")

DASHBOARD = Dashboard(
    title="Objectives",
    question="Is what was promised kept, how much of the month's budget is left, and how fast does it go? Objectives: alerts/objectives.toml.",
    service=".+",
    by_target=False,
    variables=[lambda source: query_variable("slo", "label_values(slo:objective:ratio, slo)", source)],
    panels=[
        table(
            "Objectives", "What is promised, and is it kept?", "slo",
            ("Promised", "percentunit", OBJECTIVE), ("Budget left", "percentunit", LEFT, below(critical=0)), ("Broken, 1 h", "percentunit", ERROR.format("1h")),
            ("Broken, 3 d", "percentunit", ERROR.format("3d")), ("Burning, 1 h", "none", burn("1h"), above(critical=14.4)), ("Events", "cps", EVENTS), width=24, height=7, alerts=TICKETS,
        ),
        timeseries("Budget left", "How much of what may go wrong within 30 days is left?", "percentunit", (LEFT, "{{slo}}"), minimum=None, defaults={"max": 1}, width=12),
        timeseries("Broken now", "Which share of the events of the last five minutes broke its promise?", "percentunit", (ERROR.format("5m"), "{{slo}}"), width=12, alerts=TICKETS, details="logs"),
        row("How fast is it used up? Both windows of a pair beyond the line raise the alert."),
        burning("1h", "5m", 14.4, PAGES),
        burning("6h", "30m", 6, PAGES),
        burning("1d", "2h", 3, TICKETS),
        burning("3d", "6h", 1, TICKETS),
        row("On how much is that based?"),
        timeseries("Events", "Is there enough traffic for a ratio to mean something?", "cps", (EVENTS, "{{slo}}"), width=24),
    ],
)
