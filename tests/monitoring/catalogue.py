"""What dashboards may refer to: metrics and labels out of scrapes, alerts and recorded series out of alerts/*.yml, label values out of the code."""
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from queries import name_of, numbers, parse, selectors

ROOT = Path(__file__).resolve().parents[2]
# Prometheus makes these itself.
OWN = {
    "up": set(),
    "scrape_duration_seconds": set(),
    "scrape_samples_scraped": set(),
    "scrape_samples_post_metric_relabeling": set(),
    "scrape_series_added": set(),
    "ALERTS": {"alertname", "alertstate", "severity", "service"},
    "ALERTS_FOR_STATE": {"alertname", "severity", "service"},
}


@dataclass
class Metrics:
    """Of scrapes: `samples` {sample name: {label: values}}, `families` {family: its sample names}."""

    samples: dict = field(default_factory=dict)
    families: dict = field(default_factory=dict)

    def add(self, text):
        families = openmetrics(text) if text.rstrip().endswith("# EOF") else prometheus_text(text)
        for family in families:
            names = self.families.setdefault(family.name, set())
            for sample in family.samples:
                names.add(sample.name)
                labels = self.samples.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    labels.setdefault(label, set()).add(value)
        return self

    def labels(self, name):
        """The labels of a series, job and instance included; None where there is no such series."""
        if name in OWN:
            return OWN[name] | {"job", "instance"}
        return None if name not in self.samples else {*self.samples[name], "job", "instance"}

    @classmethod
    def read(cls, files):
        found = cls()
        for file in files:
            found.add(Path(file).read_text())
        return found


@dataclass
class Rule:
    name: str
    exprs: list
    recorded: bool
    labels: set
    slo: str = ""


def rules(folder):
    """Alerts and recorded series out of a folder of rule files: [Rule], one for each name."""
    found = {}
    for file in sorted(Path(folder).glob("*.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                name = rule.get("alert") or rule["record"]
                labels = rule.get("labels") or {}
                # One recorded series has a rule for each objective; an alert may have one for each severity.
                key = (name, labels.get("slo", ""))
                entry = found.setdefault(key, Rule(name, [], "record" in rule, set(), labels.get("slo", "")))
                entry.exprs.append(rule["expr"])
                entry.labels |= set(labels)
    return list(found.values())


def alert_limits(all_rules):
    """{alert: numbers that it compares with}; for an objective's also as multiples of its budget, and its histogram bound."""
    budgets, bounds = {}, {}
    for rule in all_rules:
        if rule.name == "slo:objective:ratio":
            budgets[rule.slo] = 1 - min(numbers(rule.exprs[0]))
        if rule.recorded and rule.slo:
            bounds.setdefault(rule.slo, set()).update(float(found) for expr in rule.exprs for found in re.findall(r'le="([\d.]+)"', expr))
    limits = {}
    for rule in all_rules:
        if rule.recorded:
            continue
        own = set().union(*(numbers(expr) for expr in rule.exprs))
        if rule.slo:
            own |= {value / budgets[rule.slo] for value in own} | bounds.get(rule.slo, set())
        limits.setdefault(rule.name, set()).update(own)
    return limits


def recorded_labels(all_rules):
    """{recorded series: its labels}, as far as they are written down: those of the rule."""
    found = {}
    for rule in all_rules:
        if rule.recorded:
            found.setdefault(rule.name, set()).update(rule.labels)
    return found


def names_in(expr):
    return {name_of(selector) for selector, _ in selectors(parse(expr))} - {None}


def code_values(source=ROOT / "src"):
    """Every value that a `label_enum!` of the code can put into a label, and the queues."""
    found = set()
    for file in sorted(source.rglob("*.rs")):
        text = file.read_text()
        for block in re.findall(r"label_enum! \{(.*?)\n\}", text, re.DOTALL):
            found.update(re.findall(r'\b\w+ = "(\w+)"', block))
        found.update(re.findall(r'const (?:QUEUE|KIND): &\'static str = "([\w.]+)"', text))
    return found
