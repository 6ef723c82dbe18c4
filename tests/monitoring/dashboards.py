#!/usr/bin/env python3
"""Lints dashboards/*.json and compose/grafana/provisioning.

    dashboards.py [--metrics FILE...] [--alerts DIR]

Without scrapes: the rules of panel_rules.py and target_rules.py, less what dashboards/.lint excludes; each alert has a panel; the provisioning files.
With --metrics (scrapes of /metrics, of Holdfast and of what stands beside it): every series, label and label value that a dashboard or a
rule names exists, and everything that Holdfast exports is used or on dashboards/unused.txt. Series of Loki and Grafana, which are not
packaged for Debian, are listed in exporters/*.txt beside this file.

Needs tests/clients/requirements.txt, and for LogQL `npm install` in tests/clients.
"""
import argparse
import json
import re
import sys
from pathlib import Path

import yaml

import target_rules  # registers its rules
from catalogue import OWN, ROOT, Metrics, alert_limits, code_values, names_in, recorded_labels, rules
from page import Page, lint
from panel_rules import alerts_named
from provisioning import check_provisioning
from queries import by, fill, matchers, name_of, parse, selectors, walk

HERE = Path(__file__).resolve().parent
FOLDER = ROOT / "dashboards"
# Watchdog says that alerts can be delivered: the panel "Time since the last Watchdog" shows that. RecentOutage only silences others.
WITHOUT_PANEL = {"Watchdog", "RecentOutage"}


def load(folder=FOLDER, alerts=ROOT / "alerts"):
    """Every dashboard as a Page, and the rules."""
    data = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    all_rules = rules(alerts)
    uids = {d["uid"] for d in data}
    return [Page(d, uids, alert_limits(all_rules)) for d in data], all_rules


def static_problems(pages, all_rules, exclusions):
    """The rules less the exclusions, and what only several files together show."""
    found, used = [], set()
    for page in pages:
        for name, panel, index, message in lint(page):
            entry = excluded(exclusions, name, page.data["uid"], panel, index)
            if entry is None:
                found.append(f"{page.data['uid']}: {panel + ': ' if panel else ''}{f'target {index}: ' if index else ''}{message} ({name})")
            used.add(entry)
    found += [f".lint: {name}: {entry} excludes nothing" for name, entries in exclusions.items() for position, entry in enumerate(entries) if (name, position) not in used]
    uids = [page.data["uid"] for page in pages]
    found += [f"two dashboards have the uid {uid}" for uid in sorted({uid for uid in uids if uids.count(uid) > 1})]
    shown = {alert for page in pages for panel in page.panels for alert in alerts_named(panel)}
    found += [f"no panel names the alert {alert}" for alert in sorted(alert_limits(all_rules).keys() - shown - WITHOUT_PANEL)]
    return found


def read_exclusions(file=FOLDER / ".lint"):
    return {name: rule["entries"] for name, rule in yaml.safe_load(file.read_text())["exclusions"].items()}


def excluded(exclusions, rule, dashboard, panel, index):
    for position, entry in enumerate(exclusions.get(rule, [])):
        if not entry.get("reason"):
            raise SystemExit(f".lint: {rule}: an exclusion without a reason")
        if entry["dashboard"] == dashboard and entry.get("panel", panel) == panel and entry.get("targetIdx", index) == index:
            return rule, position
    return None


def expressions(page):
    """(where, PromQL) of everything on a page: panels, variables, annotations."""
    for panel, index, expr, _ in page.targets("prometheus"):
        yield f"{page.data['uid']}/{panel['title']}", expr
    for variable in page.variables:
        if variable["type"] == "query" and variable["datasource"]["type"] == "prometheus":
            yield f"{page.data['uid']}: variable {variable['name']}", page.filled(re.fullmatch(r"label_values\((.+), \w+\)", variable["query"])[1])
    for annotation in page.data["annotations"]["list"]:
        yield f"annotation {annotation['name']}", page.filled(annotation["expr"])


def metric_problems(pages, all_rules, metrics, values, unused):
    """What dashboards and rules name against what scrapes have shown."""
    recorded = recorded_labels(all_rules)
    wanted = [place for page in pages for place in expressions(page)]
    wanted += [(f"rule {rule.name}", expr) for rule in all_rules for expr in rule.exprs]
    places = {}
    for where, expr in wanted:
        for problem in unknown(parse(fill(expr)), metrics, recorded, values):
            places.setdefault(problem, {})[where] = True
    found = [f"{problem}: {'; '.join(where)}" for problem, where in sorted(places.items())]
    names = set().union(*(names_in(fill(expr)) for _, expr in wanted)) if wanted else set()
    for family, samples in sorted(metrics.families.items()):
        if not family.startswith("holdfast_"):
            continue
        is_used = bool((samples | {family}) & names)
        if not is_used and family not in unused:
            found.append(f"{family} is exported, but no dashboard and no alert uses it, and unused.txt does not say why")
        if is_used and family in unused:
            found.append(f"unused.txt: {family} is used")
    return found + [f"unused.txt: {family} does not exist" for family in sorted(unused.keys() - metrics.families.keys())]


def unknown(tree, metrics, recorded, values):
    """Series, labels and label values that nothing exports."""
    for selector, parents in selectors(tree):
        name = name_of(selector)
        labels = recorded.get(name) if name in recorded else metrics.labels(name)
        if labels is None:
            yield f"there is no series {name}"
            continue
        if name in OWN or name in recorded:
            labels = labels | {"slo", "job", "instance"}
        for matcher in matchers(selector):
            if matcher.name != "__name__" and matcher.name not in labels:
                yield f"{name} has no label {matcher.name}; it has {sorted(labels)}"
            elif name.startswith("holdfast_") and matcher.name not in ("job", "instance", "le") and matcher.value != ".+":
                seen = metrics.samples[name].get(matcher.name, set()) | values
                for value in set(matcher.value.split("|")) - seen:
                    yield f'{name} never has {matcher.name}="{value}"'
            elif matcher.name == "le" and matcher.value not in metrics.samples[name]["le"]:
                yield f'{name} has no bucket le="{matcher.value}"'
    for node, _ in walk(tree):
        inside = [name_of(selector) for selector, _ in selectors(node)]
        known = [recorded.get(name) or metrics.labels(name) for name in inside]
        if by(node) and all(known):
            for label in set(by(node)) - set().union(*known) - {"job", "instance"}:
                yield f"nothing in {node} has the label {label} that it is kept by"


def read_unused(file=FOLDER / "unused.txt"):
    """{family: reason}; lines of `family  reason`."""
    lines = [line.split(None, 1) for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    without = [line[0] for line in lines if len(line) < 2]
    if without:
        raise SystemExit(f"unused.txt: no reason for {', '.join(without)}")
    return dict(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", nargs="+", metavar="FILE", help="texts of /metrics")
    parser.add_argument("--alerts", default=ROOT / "alerts", metavar="DIR")
    args = parser.parse_args()
    pages, all_rules = load(alerts=args.alerts)
    if not pages or not all_rules:
        sys.exit("there are no dashboards, or no alerts")
    found = static_problems(pages, all_rules, read_exclusions()) + check_provisioning(ROOT / "compose/grafana/provisioning", pages)
    if args.metrics:
        metrics = Metrics.read([*args.metrics, *sorted((HERE / "exporters").glob("*.txt"))])
        found += metric_problems(pages, all_rules, metrics, code_values(), read_unused())
    print("\n".join(found))
    panels = sum(len(page.panels) for page in pages)
    print(f"dashboards: {len(pages)} with {panels} panels, {len(found)} problems" + ("" if args.metrics else "; series were not compared with a scrape"))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
