"""What the queries of a dashboard have to be like. Those named *-rule are Grafana's dashboard-linter's, by its names; the others are ours."""
import re

import promql_parser as promql

from page import rule
from queries import COUNTER_FUNCTIONS, RATE_INTERVAL, by, logql, matchers, name_of, output_labels, parse, selectors, walk


@rule("target-promql-rule")
def target_promql(page):
    for panel, index, expr, _ in page.targets("prometheus"):
        try:
            parse(expr)
        except ValueError as error:
            yield panel, index, f"{expr}: {error}"


@rule("target-rate-interval-rule")
def target_rate_interval(page):
    for panel, index, tree, target in page.parsed():
        for node, parents in walk(tree):
            if not isinstance(node, promql.MatrixSelector) or not parents:
                continue
            call = parents[-1]
            if node.range == RATE_INTERVAL and not isinstance(call, promql.Call):
                yield panel, index, f"{target['expr']}: $__rate_interval outside of a function"
            if node.range != RATE_INTERVAL and isinstance(call, promql.Call) and call.func.name in ("rate", "irate"):
                yield panel, index, f"{target['expr']}: {call.func.name} over {node.range}, not $__rate_interval"


def required_matcher(page, label):
    for panel, index, tree, target in page.parsed():
        for selector, _ in selectors(tree):
            found = [m for m in matchers(selector) if m.name == label and m.op == promql.MatchOp.Re and f'{label}=~"${label}"' in target["expr"]]
            if not found:
                yield panel, index, f'{name_of(selector)} lacks {label}=~"${label}"'


@rule("target-job-rule")
def target_job(page):
    yield from required_matcher(page, "job")


@rule("target-instance-rule")
def target_instance(page):
    yield from required_matcher(page, "instance")


@rule("target-counter-agg-rule")
def target_counter(page):
    for panel, index, tree, _ in page.parsed():
        for selector, parents in selectors(tree):
            if not (name_of(selector) or "").endswith("_total"):
                continue
            above = [*parents[-2:]]
            in_range = len(above) == 2 and isinstance(above[1], promql.MatrixSelector) and isinstance(above[0], promql.Call)
            if not in_range or above[0].func.name not in COUNTER_FUNCTIONS:
                yield panel, index, f"the counter {name_of(selector)} is shown without rate or increase"


@rule("target-bucket")
def target_bucket(page):
    for panel, index, tree, _ in page.parsed():
        for selector, parents in selectors(tree):
            if not (name_of(selector) or "").endswith("_bucket") or any(m.name == "le" for m in matchers(selector)):
                continue
            # What is above a quantile has no `le` any more.
            quantiles = [place for place, node in enumerate(parents) if isinstance(node, promql.Call) and node.func.name == "histogram_quantile"]
            for node in parents[max(quantiles, default=-1) + 1 :]:
                kept = by(node)
                if kept is not None and "le" not in kept:
                    yield panel, index, f"sums {name_of(selector)} over le"


@rule("target-legend")
def target_legend(page):
    for panel, index, tree, target in page.parsed():
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        kept = output_labels(tree)
        if kept is not None and panel["type"] != "heatmap" and named - set(kept):
            yield panel, index, f"the legend names {sorted(named - set(kept))}; the result has {kept}"
        if kept and panel["type"] == "timeseries" and set(kept) - named:
            yield panel, index, f"the legend does not tell series apart by {sorted(set(kept) - named)}"


@rule("target-no-default")
def target_no_default(page):
    for panel, index, tree, target in page.parsed():
        for node, _ in walk(tree):
            if isinstance(node, promql.BinaryExpr) and str(node.op) == "or" and "vector(" in str(node.rhs):
                yield panel, index, f"{target['expr']}: hides with vector() that there is no data"


@rule("target-logql-rule")
def target_logql(page):
    for panel, index, found, _ in parsed_logql(page):
        for error in found["errors"]:
            yield panel, index, f"LogQL: {error}"
        # A stream is chosen by its labels; anything else would have to be a filter.
        stream = {re.match(r"\w+", m)[0]: m for m in found["matchers"]}
        if 'service="holdfast"' not in stream.values() or set(stream) - {"service", "env", "level"}:
            yield panel, index, f"LogQL: chooses streams by {sorted(stream.values())}; they have service=\"holdfast\", env and level"


@rule("target-logql-auto-rule")
def target_logql_auto(page):
    for panel, index, found, target in parsed_logql(page):
        if found["ranges"] and target["expr"].count("[$__auto]") != len(found["ranges"]):
            yield panel, index, "LogQL: a fixed range instead of [$__auto]"


def parsed_logql(page):
    targets = list(page.targets("loki"))
    for (panel, index, _, target), found in zip(targets, logql(tuple(expr for _, _, expr, _ in targets)), strict=True):
        yield panel, index, found, target
