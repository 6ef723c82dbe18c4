"""What a dashboard and its panels have to be like. Those named *-rule are Grafana's dashboard-linter's, by its names; the others are ours."""
import re
from collections import Counter

import promql_parser as promql

from page import rule
from queries import COUNTER_FUNCTIONS, name_of, parse, selectors, walk

SCHEMA_VERSION = 39
DESCRIBED = {"stat", "timeseries", "table", "gauge", "bargauge", "heatmap", "logs", "state-timeline"}
WITH_UNIT = {"stat", "timeseries", "gauge", "heatmap", "table"}
# Of Grafana's units (packages/grafana-data/src/valueFormats/categories.ts) those that fit Prometheus' base units.
UNITS = set(
    "none string short percent percentunit bool bool_yes_no bool_on_off s dtdurations hertz bytes decbytes bits Bps binBps bps pps cps ops reqps rps wps iops "
    "dateTimeAsIso dateTimeAsLocal dateTimeFromNow celsius currencyUSD".split()
)


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
    if not re.fullmatch(r"holdfast(-[a-z0-9_]+)+", data.get("uid") or ""):
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


@rule("panel-now")
def panel_now(page):
    """The last value of a range outlives the process that it came from, and Grafana shows nothing in the lowest threshold's colour."""
    for panel in page.panels:
        if panel["type"] != "stat":
            continue
        if not all(target.get("instant") and not target.get("range") for target in panel["targets"]):
            yield panel, None, "does not ask for the instant: it goes on showing what was before the process died"
        special = [m["options"] for m in panel["fieldConfig"]["defaults"].get("mappings", []) if m["type"] == "special"]
        if not any(s["match"] == "null+nan" and s["result"].get("text") and s["result"].get("color") == "text" for s in special):
            yield panel, None, "shows nothing in the colour of its lowest threshold"
