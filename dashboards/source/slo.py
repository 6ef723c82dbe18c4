"""Service level objectives: targets, error budgets and burn rates."""
from .grafana import Dashboard, above, below, query_variable, row, table, timeseries

ERROR = "slo:sli_error:ratio_rate{}{{slo=~\"$slo\"}}"
OBJECTIVE = 'slo:objective:ratio{slo=~"$slo"}'
LEFT = 'slo:error_budget_remaining:ratio30d{slo=~"$slo"}'
EVENTS = 'slo:events:rate5m{slo=~"$slo"}'


def burn(window):
    """Burn rate: at 1 the error budget of 30 days lasts exactly 30 days."""
    return f"{ERROR.format(window)} / on (slo) (1 - {OBJECTIVE})"


def burning(long, short, factor, alerts):
    return timeseries(
        f"Burn rate over {long} and {short}", f"Is the error budget consumed more than {factor} times too fast, over {long} and still over {short}?", "none",
        (burn(long), f"{{{{slo}}}} {long}"), (burn(short), f"{{{{slo}}}} {short}"), limits=above(critical=factor) if factor > 3 else above(factor), width=12, alerts=alerts,
    )


PAGES = ("ApiAvailabilityBudgetBurning", "ApiLatencyBudgetBurning", "AnswerSuccessBudgetBurning")
TICKETS = (*PAGES, "JobFreshnessBudgetBurning", "AnswerFirstTokenBudgetBurning")

DASHBOARD = Dashboard(
    title="Objectives",
    question="Are the objectives met, how much of the error budget is left, and how fast is it consumed? Objectives: alerts/objectives.toml.",
    service=".+",
    by_target=False,
    variables=[lambda source: query_variable("slo", "label_values(slo:objective:ratio, slo)", source)],
    panels=[
        table(
            "Objectives", "What is the target, and is it met?", "slo",
            ("Objective", "percentunit", OBJECTIVE), ("Budget left", "percentunit", LEFT, below(critical=0)), ("Error ratio, 1 h", "percentunit", ERROR.format("1h")),
            ("Error ratio, 3 d", "percentunit", ERROR.format("3d")), ("Burn rate, 1 h", "none", burn("1h"), above(critical=14.4)), ("Events", "cps", EVENTS), width=24, height=7, alerts=TICKETS,
        ),
        timeseries("Error budget left over 30 days", "How much of the 30-day error budget is left?", "percentunit", (LEFT, "{{slo}}"), minimum=None, defaults={"max": 1}, width=12),
        timeseries("Error ratio over 5 minutes", "What share of the events of the last five minutes missed the objective?", "percentunit", (ERROR.format("5m"), "{{slo}}"), width=12, alerts=TICKETS, details="logs"),
        row("Burn rates. An alert fires when both windows of a pair are above the line."),
        burning("1h", "5m", 14.4, PAGES),
        burning("6h", "30m", 6, PAGES),
        burning("1d", "2h", 3, TICKETS),
        burning("3d", "6h", 1, TICKETS),
        row("Traffic"),
        timeseries("Events per second by objective", "Is there enough traffic for a ratio to be meaningful?", "cps", (EVENTS, "{{slo}}"), width=24),
    ],
)
