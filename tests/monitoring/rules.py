"""What a dashboard has to be like. Those named *-rule are Grafana's dashboard-linter's, by its names; the others are ours.

A rule is a function of a Page that yields (panel or None, index of the target or None, message).
"""
import re
from collections import Counter
from dataclasses import dataclass, field

import promql_parser as promql

from queries import COUNTER_FUNCTIONS, RATE_INTERVAL, by, fill, logql, matchers, name_of, output_labels, parse, selectors, walk

RULES = {}
SCHEMA_VERSION = 39
DESCRIBED = {"stat", "timeseries", "table", "gauge", "bargauge", "heatmap", "logs", "state-timeline"}
WITH_UNIT = {"stat", "timeseries", "gauge", "heatmap", "table"}
# Of Grafana's units (packages/grafana-data/src/valueFormats/categories.ts) those that fit Prometheus' base units.
UNITS = set(
    "none string short percent percentunit bool bool_yes_no bool_on_off s dtdurations hertz bytes decbytes bits Bps binBps bps pps cps ops reqps rps wps iops "
    "dateTimeAsIso dateTimeAsLocal dateTimeFromNow celsius currencyUSD".split()
)
SOURCES = {"datasource", "prometheus_datasource", "loki_datasource"}


@dataclass
class Page:
    """A dashboard, and what it is compared with."""

    data: dict
    uids: set = field(default_factory=set)
    limits: dict = field(default_factory=dict)

    @property
    def variables(self):
        return self.data["templating"]["list"]

    @property
    def panels(self):
        return [panel for panel in self.data["panels"] if panel["type"] != "row"]

    def variable(self, name):
        return next((v for v in self.variables if v["name"] == name), None)

    def filled(self, expr):
        texts = {v["name"]: "" for v in self.variables if v["type"] == "textbox"}
        return fill(expr, texts)

    def targets(self, kind):
        """(panel, index, expression with its variables filled in, target) of the targets of one kind of source."""
        for panel in self.panels:
            for index, target in enumerate(panel.get("targets", [])):
                if target["datasource"]["type"] == kind:
                    yield panel, index, self.filled(target["expr"]), target

    def parsed(self):
        """(panel, index, syntax tree, target) of the PromQL that can be parsed; what cannot has a rule of its own."""
        for panel, index, expr, target in self.targets("prometheus"):
            try:
                yield panel, index, parse(expr), target
            except ValueError:
                pass


def rule(name):
    def register(function):
        RULES[name] = function
        return function

    return register


def lint(page):
    """[(rule, panel's title or "", index of the target or None, message)]"""
    found = []
    for name, check in RULES.items():
        for panel, index, message in check(page):
            found.append((name, panel["title"] if panel else "", index, message))
    return found


# Variables


@rule("template-datasource-rule")
def template_datasource(page):
    sources = [v for v in page.variables if v["type"] == "datasource"]
    if not sources:
        yield None, None, "has no variable for the data source"
    for source in sources:
        kind = source["query"]
        names = {f"{kind}_datasource": f"{kind.capitalize()} data source"}
        if len(sources) == 1:
            names["datasource"] = "Data source"
        if names.get(source["name"]) != source["label"]:
            yield None, None, f"the variable {source['name']}, {source['label']!r}, should be one of {names}"


def target_variable(page, name):
    variable = page.variable(name)
    if variable is None:
        yield None, None, f"has no variable {name}"
        return
    wanted = {"type": "query", "label": name.capitalize(), "multi": True, "includeAll": True, "allValue": ".+", "refresh": 2}
    for key, value in wanted.items():
        if variable.get(key) != value:
            yield None, None, f"the variable {name} has {key} {variable.get(key)!r}, not {value!r}"
    if variable.get("datasource", {}).get("uid") not in ("${datasource}", "${prometheus_datasource}"):
        yield None, None, f"the variable {name} does not use the variable of the data source"


@rule("template-job-rule")
def template_job(page):
    yield from target_variable(page, "job")


@rule("template-instance-rule")
def template_instance(page):
    yield from target_variable(page, "instance")


@rule("template-label-promql-rule")
def template_label(page):
    for variable in page.variables:
        if variable["type"] != "query" or variable["datasource"]["type"] != "prometheus":
            continue
        found = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"])
        try:
            if not found:
                raise ValueError("is not label_values(series, label)")
            parse(page.filled(found[1]))
        except ValueError as error:
            yield None, None, f"the variable {variable['name']}: {variable['query']}: {error}"


@rule("template-on-time-change-reload-rule")
def template_reload(page):
    for variable in page.variables:
        if variable["type"] == "query" and variable.get("refresh") != 2:
            yield None, None, f"the variable {variable['name']} is not read again when the time changes (refresh 2)"


# Panels


@rule("panel-datasource-rule")
def panel_datasource(page):
    known = {f"${{{v['name']}}}" for v in page.variables if v["type"] == "datasource"}
    for panel in page.panels:
        places = [panel["datasource"], *(t["datasource"] for t in panel.get("targets", []))]
        for uid in {place["uid"] for place in places} - known:
            yield panel, None, f"uses the data source {uid}, which is no variable"


@rule("panel-title-description-rule")
def panel_title_description(page):
    for panel in page.panels:
        for key in ("title", "description"):
            if panel["type"] in DESCRIBED and not panel.get(key, "").strip():
                yield panel, None, f"has no {key}"


@rule("panel-question")
def panel_question(page):
    for panel in page.panels:
        if "?" not in panel.get("description", ""):
            yield panel, None, "does not say which question it answers"


@rule("panel-units-rule")
def panel_units(page):
    for panel in page.panels:
        config = panel["fieldConfig"]
        units = [config["defaults"].get("unit")] + [p["value"] for o in config["overrides"] for p in o["properties"] if p["id"] == "unit"]
        for unit in units:
            if panel["type"] in WITH_UNIT and unit not in UNITS:
                yield panel, None, f"has the unit {unit!r}"


@rule("panel-no-targets-rule")
def panel_no_targets(page):
    for panel in page.panels:
        if not panel.get("targets"):
            yield panel, None, "shows nothing"


@rule("panel-limit")
def panel_limit(page):
    if len(page.panels) > 25:
        yield None, None, f"has {len(page.panels)} panels: more than 25 nobody reads"


@rule("panel-titles-unique")
def panel_titles(page):
    """Exclusions and the lists of the live check name panels by title."""
    for title, times in Counter(panel["title"] for panel in page.panels).items():
        if times > 1:
            yield None, None, f"has {times} panels {title!r}"


@rule("panel-grid")
def panel_grid(page):
    taken = {}
    for panel in page.data["panels"]:
        grid = panel["gridPos"]
        if grid["x"] + grid["w"] > 24:
            yield panel, None, f"is wider than the page: {grid}"
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                if (x, y) in taken:
                    yield panel, None, f"lies over {taken[x, y]!r}"
                    return
                taken[x, y] = panel["title"]


@rule("panel-min-zero")
def panel_min(page):
    for panel, _, tree, _ in page.parsed():
        if panel["type"] == "timeseries" and panel["fieldConfig"]["defaults"].get("min") != 0 and uses_counters(tree):
            yield panel, None, "shows a rate, which is never below 0, without min: 0"


def uses_counters(tree):
    return any(isinstance(node, promql.Call) and node.func.name in COUNTER_FUNCTIONS for node, _ in walk(tree))


@rule("panel-legend")
def panel_legend(page):
    for panel in page.panels:
        legend = panel["options"].get("legend", {})
        if panel["type"] == "timeseries" and not (legend.get("showLegend") and legend.get("calcs") and legend.get("placement")):
            yield panel, None, "has a legend without figures"


@rule("panel-thresholds")
def panel_thresholds(page):
    for panel in page.panels:
        config = panel["fieldConfig"]
        steps = list(config["defaults"].get("thresholds", {}).get("steps", []))
        steps += [step for o in config["overrides"] for p in o["properties"] if p["id"] == "thresholds" for step in p["value"]["steps"]]
        named = alerts_named(panel)
        for alert in named:
            if alert not in page.limits:
                yield panel, None, f"names the alert {alert}, which does not exist"
        numbers = set().union(*(page.limits.get(alert, set()) for alert in named)) if named else set()
        for value in [step["value"] for step in steps if step["value"] is not None]:
            if not any(abs(value - n) <= 1e-9 * max(1, abs(n)) or n == 0 < value <= 1 for n in numbers):
                yield panel, None, f"changes its colour at {value}, which no alert that it names ({', '.join(named) or 'none'}) compares with"


def alerts_named(panel):
    found = re.search(r"Alerts?: ([\w, ]+)\.$", panel.get("description", ""))
    return found[1].split(", ") if found else []


@rule("panel-links")
def panel_links(page):
    for panel in page.panels:
        for link in panel.get("links", []):
            uid = re.match(r"/d/([\w-]+)\?.*\$\{__url_time_range\}", link["url"])
            if not uid or uid[1] not in page.uids:
                yield panel, None, f"leads to {link['url']}, which is no dashboard here, or loses the time"


# Targets


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
            for node in parents:
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


# The dashboard


@rule("uneditable-dashboard")
def uneditable(page):
    if page.data.get("editable") is not False:
        yield None, None, "can be edited in Grafana, and loses that with the next start"


@rule("dashboard-fixed")
def dashboard_fixed(page):
    data = page.data
    if data.get("id", 0) is not None:
        yield None, None, "has an id of some database; null is right"
    if data.get("schemaVersion") != SCHEMA_VERSION:
        yield None, None, f"has schemaVersion {data.get('schemaVersion')}, not {SCHEMA_VERSION}"
    if not re.fullmatch(r"holdfast(-[a-z0-9]+)+", data.get("uid") or ""):
        yield None, None, f"has the uid {data.get('uid')!r}"
    for key in ("__inputs", "__requires"):
        if key in data:
            yield None, None, f"has {key}, which provisioning does not read"
    ids = [panel["id"] for panel in data["panels"]]
    if len(ids) != len(set(ids)):
        yield None, None, "has two panels of one id"


@rule("dashboard-time")
def dashboard_time(page):
    data = page.data
    if data.get("time") != {"from": "now-6h", "to": "now"}:
        yield None, None, f"begins with {data.get('time')}, not with six hours"
    if data.get("timezone") != "browser":
        yield None, None, f"shows times of {data.get('timezone')!r}, not the reader's"
    refresh = re.fullmatch(r"(\d+)(s|m)", data.get("refresh") or "")
    if not refresh or int(refresh[1]) * (60 if refresh[2] == "m" else 1) < 30:
        yield None, None, f"is read again every {data.get('refresh')!r}: at least 30 s"


@rule("dashboard-found")
def dashboard_found(page):
    data = page.data
    if "holdfast" not in data.get("tags", []) or not any(link["type"] == "dashboards" and link["tags"] == ["holdfast"] and link["keepTime"] for link in data["links"]):
        yield None, None, "lacks the tag holdfast, or the links to the others"


@rule("dashboard-annotations")
def dashboard_annotations(page):
    found = {a["name"]: a for a in page.data["annotations"]["list"]}
    for name, metrics in (("Starts and deploys", {"holdfast_process_start_time_seconds", "holdfast_build_info"}), ("Alerts", {"ALERTS"})):
        if name not in found or not found[name]["enable"]:
            yield None, None, f"does not mark {name.lower()}"
            continue
        try:
            used = {name_of(selector) for selector, _ in selectors(parse(page.filled(found[name]["expr"])))}
        except ValueError as error:
            yield None, None, f"{name}: {error}"
            continue
        if not metrics <= used:
            yield None, None, f"{name}: goes by {used}, not {metrics}"


@rule("panel-states")
def panel_states(page):
    """A state without words is a number that one has to know."""
    for panel in page.panels:
        if panel["type"] == "state-timeline" and not panel["fieldConfig"]["defaults"].get("mappings"):
            yield panel, None, "shows states without words"
