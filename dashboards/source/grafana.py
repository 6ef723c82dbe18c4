"""Builds Grafana's dashboard JSON from the few panel types that Holdfast uses.

In expressions `TARGET` stands for the matchers of the variables job and instance: `up{TARGET}`.
Thresholds are those of the alerts that a panel names: tests/monitoring/dashboards.py compares them with alerts/*.yml.
"""
from dataclasses import dataclass, field

TARGET = 'job=~"$job", instance=~"$instance"'
SCHEMA_VERSION = 39
GREEN, ORANGE, RED = "green", "orange", "red"
PROMETHEUS, LOKI = "prometheus", "loki"
# Start times of processes with their versions: a deploy is a start with another version.
STARTS = "max by (instance, version) (holdfast_process_start_time_seconds * on (job, instance) group_left (version) holdfast_build_info) * 1000"


# Expressions


def selector(metric, where=""):
    return f"{metric}{{{', '.join(filter(None, ['TARGET', where]))}}}"


def aggregate(function, by, expr):
    return f"{function} by ({by}) ({expr})" if by else f"{function}({expr})"


def rate(metric, by="", where=""):
    """Events per second of a counter, summed."""
    return aggregate("sum", by, f"rate({selector(metric, where)}[$__rate_interval])")


def increase(metric, by="", where=""):
    """Events of a counter per step of the chart: for rare events, whose rate would be 0.0001."""
    return aggregate("sum", by, f"increase({selector(metric, where)}[$__rate_interval])")


def quantile(share, metric, by="", where=""):
    """A quantile of a histogram; `metric` without `_bucket`."""
    return f"histogram_quantile({share}, {rate(metric + '_bucket', ', '.join(filter(None, [by, 'le'])), where)})"


def largest(metric, by="", where=""):
    """A gauge that every process reads from the same place: must not be summed."""
    return aggregate("max", by, selector(metric, where))


def total(metric, by="", where=""):
    """A gauge that is separate in every process: summed."""
    return aggregate("sum", by, selector(metric, where))


def server_rate(metric, by="", change="rate"):
    """Events per second of a counter that every process reads from the same server: must not be summed."""
    return aggregate("max", by, f"{change}({selector(metric)}[$__rate_interval])")


def ratio(part, whole):
    """A ratio; no value, rather than NaN, when the divisor is 0."""
    return f"{part} / ({whole} > 0)"


def age(metric, by=""):
    """Seconds since a timestamp; no value if it never happened (0)."""
    return f"time() - {aggregate('max', by, selector(metric) + ' > 0')}"


# Thresholds: (colour below the first value, (value, colour), ...)


def above(warning=None, critical=None):
    """Thresholds for values that are bad when high."""
    return [(None, GREEN), *[step for step in ((warning, ORANGE), (critical, RED)) if step[0] is not None]]


def below(warning=None, critical=None):
    """Thresholds for values that are bad when low."""
    if critical is None:
        return [(None, ORANGE), (warning, GREEN)]
    return [(None, RED), (critical, GREEN)] if warning is None else [(None, RED), (critical, ORANGE), (warning, GREEN)]


def choice(*options):
    """Texts for values: (value, text, colour), ..."""
    return [{"type": "value", "options": {str(value): {"text": text, "color": colour, "index": index} for index, (value, text, colour) in enumerate(options)}}]


# Panels


@dataclass
class Panel:
    """One panel. `question`: the question that it answers; `alerts`: the alerts on the same figure."""

    kind: str
    title: str
    question: str = ""
    unit: str = "none"
    queries: tuple = ()
    width: int = 8
    height: int = 8
    alerts: tuple = ()
    limits: list = None
    defaults: dict = field(default_factory=dict)
    overrides: list = field(default_factory=list)
    options: dict = field(default_factory=dict)
    transformations: list = None
    source: str = PROMETHEUS
    instant: bool = False
    format: str = "time_series"
    exemplars: bool = False
    details: str = ""

    def build(self, number, x, y, uids):
        position = {"h": self.height, "w": self.width, "x": x, "y": y}
        if self.kind == "row":
            return {"id": number, "type": "row", "title": self.title, "gridPos": position, "collapsed": False, "panels": []}
        where = {"type": self.source, "uid": f"${{{uids[self.source]}}}"}
        watched = f" Alert{'s' if len(self.alerts) > 1 else ''}: {', '.join(self.alerts)}." if self.alerts else ""
        defaults = {"unit": self.unit, **self.defaults}
        if self.limits:
            defaults["thresholds"] = {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in self.limits]}
        panel = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.question + watched,
            "gridPos": position,
            "datasource": where,
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides},
            "options": self.options,
            "targets": [self.target(index, query, where) for index, query in enumerate(self.queries)],
        }
        if self.transformations:
            panel["transformations"] = self.transformations
        if self.details:
            panel["links"] = [{"title": f"{self.details.capitalize()} in detail", "url": f"/d/holdfast-{self.details}?${{__url_time_range}}"}]
        return panel

    def target(self, index, query, where):
        expr, legend = query if isinstance(query, tuple) else (query, "")
        target = {"refId": chr(ord("A") + index), "datasource": where, "expr": expr.replace("TARGET", TARGET), "legendFormat": legend}
        if self.source == LOKI:
            return {**target, "queryType": "range"}
        target |= {"format": self.format, "instant": self.instant, "range": not self.instant}
        return {**target, "exemplar": True} if self.exemplars else target


def row(title):
    return Panel("row", title, width=24, height=1)


def timeseries(title, question, unit, *queries, stack=False, minimum=0, limits=None, bars=False, **more):
    style = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 1,
        "fillOpacity": 60 if bars else 25 if stack else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    defaults = {"custom": style, **({} if minimum is None else {"min": minimum}), **more.pop("defaults", {})}
    options = {
        "legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["mean", "max", "lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel("timeseries", title, question, unit, queries, limits=limits, defaults=defaults, options=options, **more)


def stat(title, question, unit, *queries, limits=None, texts=None, empty="no data", width=4, height=4, **more):
    """The current value of one number: an instant query, because the last value of a range would outlive its process.

    Without a value it shows `empty` uncoloured; by default Grafana would use the colour of the lowest threshold, which is green.
    """
    nothing = {"type": "special", "options": {"match": "null+nan", "result": {"text": empty, "color": "text", "index": 9}}}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value" if limits or texts else "none",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
    }
    defaults = {"mappings": [*(texts or []), nothing]}
    return Panel("stat", title, question, unit, queries, width=width, height=height, limits=limits, defaults=defaults, options=options, instant=True, **more)


def heatmap(title, question, unit, bucket, **more):
    """`bucket`: an expression by `le`."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "reverse": False},
        "exemplars": {"color": "rgba(0,120,255,0.8)"},
        "yAxis": {"unit": unit, "axisPlacement": "left"},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": True},
        "rowsFrame": {"layout": "auto"},
    }
    return Panel("heatmap", title, question, unit, ((bucket, "{{le}}"),), options=options, format="heatmap", exemplars=True, **more)


def timeline(title, question, texts, *queries, **more):
    """States over time, as coloured bars."""
    options = {"mergeValues": True, "showValue": "never", "rowHeight": 0.8, "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "single"}}
    return Panel("state-timeline", title, question, "none", queries, defaults={"mappings": texts, "custom": {"fillOpacity": 70, "lineWidth": 0}}, options=options, **more)


def table(title, question, key, *columns, **more):
    """Rows by label `key`; columns: (heading, unit, expression) or (heading, unit, expression, limits)."""
    overrides, renamed = [], {key: key.replace("_", " ").capitalize()}
    for index, (heading, unit, _, *limits) in enumerate(columns):
        renamed["Value" if len(columns) == 1 else f"Value #{chr(ord('A') + index)}"] = heading
        properties = [{"id": "unit", "value": unit}]
        if limits:
            steps = [{"value": value, "color": colour} for value, colour in limits[0]]
            properties += [{"id": "thresholds", "value": {"mode": "absolute", "steps": steps}}, {"id": "custom.cellOptions", "value": {"type": "color-text"}}]
        overrides.append({"matcher": {"id": "byName", "options": heading}, "properties": properties})
    changes = [{"id": "merge", "options": {}}, {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": renamed}}]
    queries = tuple(column[2] for column in columns)
    return Panel(
        "table", title, question, "none", queries, overrides=overrides, transformations=changes, options={"showHeader": True, "cellHeight": "sm"}, instant=True, format="table", **more
    )


def logs(title, question, expr, **more):
    options = {
        "showTime": True,
        "wrapLogMessage": True,
        "prettifyLogMessage": False,
        "enableLogDetails": True,
        "showLabels": False,
        "sortOrder": "Descending",
        "dedupStrategy": "none",
    }
    return Panel("logs", title, question, "none", ((expr, ""),), options=options, source=LOKI, width=24, **more)


# Dashboards


@dataclass
class Dashboard:
    """A page. `series` is one that every target of it has: the variables job and instance come from its labels.

    `service`: whose alerts are marked in the pictures, by their label of that name; empty for all.
    """

    title: str
    question: str
    panels: list
    series: str = "holdfast_build_info"
    service: str = ""
    loki: bool = False
    by_target: bool = True
    variables: list = field(default_factory=list)

    def build(self, name):
        uids = {PROMETHEUS: "prometheus_datasource" if self.loki else "datasource", LOKI: "loki_datasource"}
        prometheus = {"type": PROMETHEUS, "uid": f"${{{uids[PROMETHEUS]}}}"}
        variables = [source_variable(PROMETHEUS, uids)] + ([source_variable(LOKI, uids)] if self.loki else [])
        if self.by_target:
            bare, _, where = self.series.rstrip("}").partition("{")
            narrowed = ", ".join(filter(None, [where, 'job=~"$job"']))
            variables.append(query_variable("job", f"label_values({self.series}, job)", prometheus))
            variables.append(query_variable("instance", f"label_values({bare}{{{narrowed}}}, instance)", prometheus))
        variables += [variable(prometheus) if callable(variable) else variable for variable in self.variables]
        return {
            "id": None,
            "uid": f"holdfast-{name}",
            "title": f"Holdfast / {self.title}",
            "description": self.question,
            "tags": ["holdfast"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": "now-6h", "to": "now"},
            "refresh": "30s",
            "links": [links()],
            "annotations": {"list": annotations(prometheus, self.service)},
            "templating": {"list": variables},
            "panels": place(self.panels, uids),
        }


def source_variable(kind, uids):
    label = "Data source" if uids[kind] == "datasource" else f"{kind.capitalize()} data source"
    return {"name": uids[kind], "label": label, "type": "datasource", "query": kind, "current": {"text": kind.capitalize(), "value": kind}, "hide": 0, "refresh": 1, "regex": ""}


def query_variable(name, query, source):
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": source,
        "query": query,
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "regex": "",
    }


def text_variable(name, label):
    return {"name": name, "label": label, "type": "textbox", "query": "", "current": {"text": "", "value": ""}, "hide": 0}


def links():
    return {"type": "dashboards", "title": "Holdfast", "tags": ["holdfast"], "asDropdown": True, "includeVars": False, "keepTime": True, "targetBlank": False, "icon": "external link", "url": ""}


def annotations(source, service):
    whose = f', service=~"{service}"' if service else ""
    common = {"datasource": source, "enable": True, "hide": False}
    return [
        {**common, "name": "Starts and deploys", "iconColor": "blue", "expr": STARTS, "step": "30s", "useValueForTime": "on", "titleFormat": "Started {{version}}", "textFormat": "{{instance}}"},
        {
            **common,
            "name": "Alerts",
            "iconColor": "red",
            "expr": f'ALERTS{{alertstate="firing", severity=~"critical|warning"{whose}}}',
            "step": "60s",
            "titleFormat": "{{alertname}}",
            "textFormat": "{{severity}}",
            "tagKeys": "severity,service",
        },
    ]


def place(panels, uids):
    """Left to right, then down; a row starts a new line."""
    x = y = height = 0
    out = []
    for number, panel in enumerate(panels, 1):
        if x + panel.width > 24:
            x, y, height = 0, y + height, 0
        out.append(panel.build(number, x, y, uids))
        x, height = x + panel.width, max(height, panel.height)
    return out
