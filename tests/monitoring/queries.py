"""PromQL and LogQL as the linter sees them: parsed by real parsers, after Grafana's variables are filled in."""
import json
import re
import subprocess
from datetime import timedelta
from functools import cache
from pathlib import Path

import promql_parser as promql

# Stands for $__rate_interval: a time that nobody writes by hand.
RATE_INTERVAL = timedelta(seconds=7919)
LOGQL = Path(__file__).resolve().parent.parent / "clients" / "logql.mjs"
COUNTER_FUNCTIONS = {"rate", "irate", "increase"}


def fill(expr, values=None, rate_interval="7919s", interval="15s", span="21600s"):
    """The expression with every variable filled in: Grafana's own, and the dashboard's, out of `values` or as `.+`."""
    fixed = {"__rate_interval": rate_interval, "__interval": interval, "__range": span, "__range_s": span.rstrip("s"), "__auto": interval}
    values = {**fixed, **(values or {})}
    return re.sub(r"\$\{?(\w+)(?::\w+)?\}?", lambda found: values.get(found[1], ".+"), expr)


@cache
def parse(expr):
    """Raises ValueError where it is no PromQL."""
    return promql.parse(expr)


def children(node):
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if isinstance(child, promql.Expr):
            yield child
    yield from getattr(node, "args", None) or []


def walk(node, parents=()):
    """Every node with those above it, nearest last."""
    yield node, parents
    for child in children(node):
        yield from walk(child, (*parents, node))


def selectors(node):
    return [(found, parents) for found, parents in walk(node) if isinstance(found, promql.VectorSelector)]


def matchers(selector):
    return selector.matchers.matchers


def name_of(selector):
    """The metric; None where the name is no constant."""
    return selector.name or next((m.value for m in matchers(selector) if m.name == "__name__" and m.op == promql.MatchOp.Equal), None)


def by(node):
    """The labels that an aggregation keeps; None where it is none, or says `without`."""
    if not isinstance(node, promql.AggregateExpr):
        return None
    modifier = node.modifier
    if modifier is None:
        return []
    return list(modifier.labels) if modifier.type == promql.AggModifierType.By else None


def output_labels(node):
    """The labels that a result can have at most; None where every label of its metrics can be there."""
    if isinstance(node, promql.ParenExpr):
        return output_labels(node.expr)
    if isinstance(node, promql.AggregateExpr):
        if str(node.op) in ("topk", "bottomk"):
            return output_labels(node.expr)
        return by(node)
    if isinstance(node, promql.Call):
        inner = [arg for arg in node.args if not isinstance(arg, (promql.NumberLiteral, promql.StringLiteral))]
        kept = output_labels(inner[0]) if len(inner) == 1 else None
        return [label for label in kept if label != "le"] if kept is not None and node.func.name == "histogram_quantile" else kept
    if isinstance(node, promql.BinaryExpr):
        sides = [output_labels(side) for side in (node.lhs, node.rhs) if not isinstance(side, promql.NumberLiteral)]
        sides = [side for side in sides if side is not None]
        grouped = getattr(node.modifier, "group_labels", None) if node.modifier else None
        if not sides:
            return None
        return sorted({label for side in sides for label in side} | set(getattr(grouped, "labels", None) or []))
    return None


def numbers(expr):
    """Every number that is written in a PromQL expression, sums and products included."""
    found = set()
    for node, _ in walk(parse(expr)):
        value = constant(node)
        if value is not None:
            found.add(value)
    return found


def constant(node):
    if isinstance(node, promql.NumberLiteral):
        return node.val
    if isinstance(node, promql.ParenExpr):
        return constant(node.expr)
    if isinstance(node, promql.BinaryExpr) and str(node.op) in "+-*/":
        left, right = constant(node.lhs), constant(node.rhs)
        if left is not None and right is not None:
            return {"+": left + right, "-": left - right, "*": left * right, "/": left / right if right else None}[str(node.op)]
    return None


@cache
def logql(expressions):
    """For each of a tuple of LogQL expressions what Grafana's grammar says: {errors, matchers, ranges, metric}."""
    if not expressions:
        return []
    result = subprocess.run(["node", str(LOGQL)], input=json.dumps(expressions), capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"LogQL cannot be parsed without `npm install` in tests/clients:\n{result.stderr}")
    return json.loads(result.stdout)
