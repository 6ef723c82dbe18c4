"""The linter's own tests: a page that is right passes every rule, and each rule sees what it is there for.

    python -m unittest discover -s tests/monitoring
"""
import copy
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "dashboards")]

import dashboards
import live
from catalogue import Metrics, Rule, alert_limits, names_in, recorded_labels
from load import loads_of_rooms
from page import RULES, Page, lint
from provisioning import provider_problems, source_problems
from queries import fill, numbers, output_labels, parse
from source import grafana

LIMITS = {"SomethingSlow": {0.5, 10.0}}
BUILT = grafana.Dashboard(
    title="Test",
    question="Does it work?",
    loki=True,
    panels=[
        grafana.row("All"),
        grafana.timeseries("Rate", "How much?", "reqps", (grafana.rate("holdfast_things_total", "kind"), "{{kind}}"), details="test"),
        grafana.timeseries("Slow", "How slow?", "s", (grafana.quantile(0.95, "holdfast_things_seconds"), "95 %"), limits=grafana.above(0.5), alerts=("SomethingSlow",)),
        grafana.timeline("State", "Does it run?", grafana.choice((1, "yes", "green")), (grafana.largest("holdfast_things_up"), "things")),
        grafana.logs("Lines", "What is said?", '{service="holdfast"} |= `x`'),
        grafana.timeseries("Volume", "How much is said?", "short", ('sum by (level) (count_over_time({service="holdfast"} [$__auto]))', "{{level}}"), source=grafana.LOKI),
        grafana.stat("Now", "How much now?", "reqps", grafana.rate("holdfast_things_total")),
    ],
).build("test")
RATE, SLOW, STATE, LINES, VOLUME, NOW = range(1, 7)


def page(change=lambda data: None, limits=None):
    data = copy.deepcopy(BUILT)
    change(data)
    return Page(data, {"holdfast-test"}, LIMITS if limits is None else limits)


def put(*path_and_value):
    """A change: put("panels", 1, "title", "") sets data["panels"][1]["title"] to ""."""
    *path, last, value = path_and_value

    def change(data):
        for key in path:
            data = data[key]
        data[last] = value

    return change


def expression(panel, expr):
    return put("panels", panel, "targets", 0, "expr", expr.replace("TARGET", grafana.TARGET))


# For each rule, changes that it must see.
WRONG = {
    "template-datasource-rule": [put("templating", "list", 0, "label", "Prometheus"), put("templating", "list", 0, "name", "datasource")],
    "template-job-rule": [put("templating", "list", 2, "multi", False), put("templating", "list", 2, "name", "jobs"), put("templating", "list", 2, "allValue", "")],
    "template-instance-rule": [put("templating", "list", 3, "label", "Host"), put("templating", "list", 3, "datasource", {"type": "prometheus", "uid": "prometheus"})],
    "template-label-promql-rule": [put("templating", "list", 2, "query", "label_values(up{, job)"), put("templating", "list", 2, "query", "up")],
    "template-on-time-change-reload-rule": [put("templating", "list", 2, "refresh", 1)],
    "panel-datasource-rule": [put("panels", RATE, "datasource", "uid", "prometheus"), put("panels", RATE, "targets", 0, "datasource", "uid", "P1809F7CD0C75ACF3")],
    "panel-title-description-rule": [put("panels", RATE, "title", " "), put("panels", LINES, "description", "")],
    "panel-question": [put("panels", RATE, "description", "The rate.")],
    "panel-units-rule": [put("panels", RATE, "fieldConfig", "defaults", "unit", "furlongs"), put("panels", RATE, "fieldConfig", "defaults", {"min": 0})],
    "panel-no-targets-rule": [put("panels", RATE, "targets", [])],
    "panel-limit": [lambda data: data["panels"].extend(dict(data["panels"][RATE], id=100 + n) for n in range(25))],
    "panel-titles-unique": [put("panels", SLOW, "title", "Rate")],
    "panel-grid": [put("panels", SLOW, "gridPos", "x", 1), put("panels", STATE, "gridPos", "w", 9)],
    "panel-min-zero": [put("panels", RATE, "fieldConfig", "defaults", "min", None)],
    "panel-legend": [put("panels", RATE, "options", "legend", "calcs", []), put("panels", RATE, "options", "legend", "showLegend", False)],
    "panel-thresholds": [put("panels", SLOW, "fieldConfig", "defaults", "thresholds", "steps", 1, "value", 0.4), put("panels", SLOW, "description", "How slow?"), put("panels", SLOW, "description", "How slow? Alert: Nothing.")],
    "panel-links": [put("panels", RATE, "links", 0, "url", "/d/holdfast-nowhere?${__url_time_range}"), put("panels", RATE, "links", 0, "url", "/d/holdfast-test")],
    "panel-states": [put("panels", STATE, "fieldConfig", "defaults", "mappings", [])],
    "panel-now": [put("panels", NOW, "targets", 0, "instant", False), put("panels", NOW, "targets", 0, "range", True), put("panels", NOW, "fieldConfig", "defaults", "mappings", [])],
    "target-promql-rule": [expression(RATE, "sum by (kind (rate(holdfast_things_total{TARGET}[$__rate_interval]))")],
    "target-rate-interval-rule": [expression(RATE, "sum by (kind) (rate(holdfast_things_total{TARGET}[5m]))"), expression(RATE, "sum by (kind) (irate(holdfast_things_total{TARGET}[$__interval]))")],
    "target-job-rule": [expression(RATE, 'sum by (kind) (rate(holdfast_things_total{instance=~"$instance"}[$__rate_interval]))')],
    "target-instance-rule": [expression(RATE, 'sum by (kind) (rate(holdfast_things_total{job=~"$job", instance="box"}[$__rate_interval]))')],
    "target-counter-agg-rule": [expression(RATE, "sum by (kind) (holdfast_things_total{TARGET})"), expression(RATE, "sum by (kind) (delta(holdfast_things_total{TARGET}[$__rate_interval]))")],
    "target-bucket": [expression(SLOW, "histogram_quantile(0.95, sum by (kind) (rate(holdfast_things_seconds_bucket{TARGET}[$__rate_interval])))")],
    "target-legend": [put("panels", RATE, "targets", 0, "legendFormat", "{{sort}}"), put("panels", RATE, "targets", 0, "legendFormat", "things")],
    "target-no-default": [expression(RATE, "sum(rate(holdfast_things_total{TARGET}[$__rate_interval])) or vector(0)")],
    "target-logql-rule": [expression(LINES, '{service="holdfast"} |= '), expression(LINES, '{job="holdfast"}'), expression(LINES, '{service="holdfast", trace_id="1"}')],
    "target-logql-auto-rule": [expression(VOLUME, 'sum by (level) (count_over_time({service="holdfast"} [5m]))')],
    "uneditable-dashboard": [put("editable", True)],
    "dashboard-fixed": [put("id", 7), put("schemaVersion", 16), put("uid", "Holdfast_Test"), put("__inputs", []), put("panels", SLOW, "id", 1)],
    "dashboard-time": [put("time", {"from": "now-5m", "to": "now"}), put("timezone", "utc"), put("refresh", "5s"), put("refresh", "")],
    "dashboard-found": [put("tags", []), put("links", [])],
    "dashboard-annotations": [put("annotations", "list", []), put("annotations", "list", 0, "enable", False), put("annotations", "list", 1, "expr", "up")],
}


class Rules(unittest.TestCase):
    def test_a_page_that_is_right_passes(self):
        self.assertEqual(lint(page()), [])

    def test_each_rule_sees_what_it_is_for(self):
        self.assertEqual(set(WRONG), set(RULES))
        for name, changes in WRONG.items():
            for position, change in enumerate(changes):
                with self.subTest(rule=name, change=position):
                    self.assertIn(name, {found[0] for found in lint(page(change))})


class Queries(unittest.TestCase):
    def test_variables_are_filled_in(self):
        self.assertEqual(fill('a{job=~"$job", x="${text:raw}"}[$__rate_interval]', {"text": "1"}, "8s"), 'a{job=~".+", x="1"}[8s]')

    def test_numbers(self):
        self.assertEqual(numbers("a > 24 * 3600 and b < -1e9"), {24.0, 3600.0, 86400.0, -1e9})

    def test_output_labels(self):
        for expr, labels in {
            "sum(a)": [],
            "sum by (x) (a) / on (x) b": ["x"],
            "histogram_quantile(0.9, sum by (x, le) (rate(a_bucket[5m])))": ["x"],
            "topk(5, sum by (x) (a))": ["x"],
            "a / b": None,
            "clamp_min(sum by (x) (a), 0)": ["x"],
        }.items():
            self.assertEqual(output_labels(parse(expr)), labels, expr)


SCRAPE = """# TYPE holdfast_things counter
holdfast_things_total{kind="good"} 1.0
# TYPE holdfast_spare gauge
holdfast_spare 1.0
# EOF
"""


class Comparison(unittest.TestCase):
    def problems(self, expr, values=frozenset(), unused=(("holdfast_spare", "spare"),)):
        rule = Rule("SomethingSlow", [expr], False, set())
        return dashboards.metric_problems([], [rule], Metrics().add(SCRAPE), set(values), dict(unused))

    def test_what_exists_passes(self):
        self.assertEqual(self.problems('sum by (kind) (rate(holdfast_things_total{kind="good", job="a"}[5m])) > 1'), [])
        self.assertEqual(self.problems('rate(holdfast_things_total{kind=~"good|bad"}[5m])', {"bad"}), [])

    def test_what_does_not_exist_is_found(self):
        for expr, problem in {
            "rate(holdfast_thing_total[5m])": "there is no series holdfast_thing_total",
            'rate(holdfast_things_total{sort="good"}[5m])': "has no label sort",
            'rate(holdfast_things_total{kind=~"good|bad"}[5m])': 'never has kind="bad"',
            "sum by (sort) (rate(holdfast_things_total[5m]))": "the label sort",
        }.items():
            self.assertIn(problem, "\n".join(self.problems(expr)), expr)

    def test_what_nobody_uses_needs_a_reason(self):
        self.assertIn("holdfast_spare is exported", "\n".join(self.problems("rate(holdfast_things_total[5m])", unused=())))
        self.assertIn("holdfast_things is used", "\n".join(self.problems("rate(holdfast_things_total[5m])", unused=(("holdfast_things", "why"), ("holdfast_spare", "why")))))
        self.assertIn("holdfast_gone does not exist", "\n".join(self.problems("rate(holdfast_things_total[5m])", unused=(("holdfast_gone", "why"), ("holdfast_spare", "why")))))

    def test_limits_of_objectives_are_multiples_of_the_budget(self):
        rules = [
            Rule("slo:objective:ratio", ["vector(0.99)"], True, {"slo"}, "x"),
            Rule("slo:sli_error:ratio_rate5m", ['rate(a_bucket{le="60.0"}[5m])'], True, {"slo"}, "x"),
            Rule("XBudgetBurning", ['slo:sli_error:ratio_rate1h{slo="x"} > 0.144'], False, {"slo"}, "x"),
        ]
        limits = alert_limits(rules)["XBudgetBurning"]
        self.assertTrue(any(abs(limit - 14.4) < 1e-9 for limit in limits), limits)
        self.assertIn(60.0, limits)
        self.assertEqual(recorded_labels(rules)["slo:objective:ratio"], {"slo"})
        self.assertEqual(names_in("a + on (x) b"), {"a", "b"})

    def test_exclusions(self):
        exclusions = {"panel-question": [{"dashboard": "holdfast-test", "panel": "Rate", "reason": "because"}, {"dashboard": "holdfast-other", "reason": "because"}]}
        found = dashboards.static_problems([page(put("panels", RATE, "description", "The rate."))], [], exclusions)
        self.assertEqual([line for line in found if "panel-question" in line], [".lint: panel-question: {'dashboard': 'holdfast-other', 'reason': 'because'} excludes nothing"])
        with self.assertRaises(SystemExit):
            dashboards.excluded({"panel-question": [{"dashboard": "holdfast-test"}]}, "panel-question", "holdfast-test", "Rate", None)

    def test_each_alert_has_a_panel(self):
        rules = [Rule(name, ["up > 0.5"], False, set()) for name in ("SomethingSlow", "NobodyShowsThis", "Watchdog")]
        found = dashboards.static_problems([page(limits=alert_limits(rules))], rules, {})
        self.assertEqual(found, ["no panel names the alert NobodyShowsThis"])


class Provisioning(unittest.TestCase):
    def test_each_mistake_is_found(self):
        folder = HERE.parents[1] / "compose/grafana/provisioning"
        sources = yaml.safe_load((folder / "datasources/holdfast.yml").read_text())["datasources"]
        logs = Page({"uid": "holdfast-logs", "templating": {"list": [{"name": "trace_id"}]}, "panels": []})
        prometheus = sources[0]
        self.assertEqual(list(source_problems(prometheus, [logs])), [])
        link = {"name": "trace_id", "url": "/d/holdfast-logs?var-trace_id=${__value.raw}"}
        for change in (
            {"uid": "other"}, {"url": "http://localhost:9090"}, {"editable": True}, {"colour": "red"}, {"type": "influxdb"},
            {"jsonData": {"exemplarTraceIdDestinations": [link]}}, {"jsonData": {"exemplarTraceIdDestinations": []}}, {"jsonData": {"scrapeInterval": "15s"}},
        ):
            self.assertTrue(list(source_problems({**prometheus, **change}, [logs])), change)
        loki = next(source for source in sources if source["type"] == "loki")
        field = {**loki["jsonData"]["derivedFields"][0], "matcherRegex": "trace=([0-9a-f]+)"}
        self.assertTrue(list(source_problems({**loki, "jsonData": {"derivedFields": [field]}}, [logs])))
        self.assertTrue(list(source_problems(prometheus, [])), "a link to a dashboard that is not there")
        provider = yaml.safe_load((folder / "dashboards/holdfast.yml").read_text())["providers"][0]
        self.assertEqual(list(provider_problems(provider)), [])
        for change in ({"allowUiUpdates": True}, {"disableDeletion": False}, {"path": "/x"}, {"options": {}}, {"updateIntervalSeconds": 1}):
            self.assertTrue(list(provider_problems({**provider, **change})), change)


class Live(unittest.TestCase):
    def test_judgement(self):
        seen = [("d", "full", 0, "a", [0, 1.0]), ("d", "zero", 0, "a", [0, 0]), ("d", "empty", 0, "a", []), ("d", "half", 0, "a", [1.0]), ("d", "half", 1, "a", []), ("d", "unknown", 0, "gone", [])]
        none = {"empty": {}, "zero": {}}
        exported = {"a"}.__contains__
        self.assertEqual(live.judge(seen, none, exported), ["EMPTY d/empty: a", "EMPTY d/half (target 1): a", "ZERO  d/zero"])
        allowed = {"empty": {"d/empty": "why", "d/half": "why"}, "zero": {"d/zero": "why"}}
        self.assertEqual(live.judge(seen, allowed, exported), [])
        self.assertEqual(live.judge(seen, {**allowed, "zero": {**allowed["zero"], "d/gone": "why"}}, exported), ["quiet: zero: there is no panel d/gone"])

    def test_what_stands_in_files_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "jobs.toml").write_text('[zero]\n"Dead letters" = "none dies"\n')
            (Path(folder) / "logs.toml").write_text('[empty]\n"Lines" = "none is lost"\n')
            wanted = {"empty": {"holdfast-logs/Lines": "none is lost"}, "zero": {"holdfast-jobs/Dead letters": "none dies"}}
            self.assertEqual(live.read_quiet(Path(folder)), wanted)
        boards = {file.stem for file in dashboards.FOLDER.glob("*.json")}
        self.assertLessEqual({file.stem for file in (HERE / "quiet").iterdir()}, boards, "a file of no dashboard")
        self.assertEqual(len(loads_of_rooms()), len(list((HERE / "loads").glob("*.py"))))


if __name__ == "__main__":
    unittest.main()
