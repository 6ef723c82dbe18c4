#!/usr/bin/env python3
"""The gate for alerts: rules, their tests, their runbooks, and what Prometheus and Alertmanager are configured to do.

    tests/monitoring/rules.py [--metrics FILE...] [--binary PATH]

    --metrics    scrapes of a live Holdfast, node_exporter, Prometheus and Alertmanager: every metric, label and label value that a
                 rule, a rule test or a runbook names must be in them
    --binary     holdfast: the commands in runbooks must be ones that it knows

The SQL in runbooks is run by tests/it/runbooks.rs, through `holdfast psql` as the pages say.
Needs promtool, amtool and prometheus-alertmanager (Debian: prometheus, prometheus-alertmanager) and PyYAML. Prints each finding on
a line of its own and exits 1 when there is one.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
import alertmanager  # noqa: E402
import promql  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
ALERTS, RUNBOOKS = ROOT / "alerts", ROOT / "docs" / "runbooks"
SEVERITIES = {"critical", "warning", "info"}
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]
# Always fires: that it is quiet cannot be shown.
NEVER_QUIET = {"Watchdog"}
# Told to nobody: the one says that alerts can be delivered, the other silences.
NOT_TOLD = {"Watchdog", "RecentOutage"}
# Dashboards are called after services, and so are the files of rules; but for these.
BOARDS = {"meta": "monitoring"}
# What a runbook may not tell a tired person to run: what a rollback or a restore needs is gone afterwards.
DESTRUCTIVE = [
    r"docker (image|system|container) prune\b[^`\n]*(-a\b|--all\b|--volumes\b)", r"docker system prune", r"docker volume (rm|prune)", r"docker (rmi|image rm)", r"docker compose[^`\n]* (down|rm)\b",
    r"\brm -\w*[rf]", r"\bdropdb\b", r"\b(drop|truncate) (database|table|schema|owned)\b", r"\bpg_resetwal\b", r"\bmkfs", r"\bgit (clean|reset --hard)\b", r"\bdelete from\b(?![^;`]*\bwhere\b)",
]

# What cannot be done as it stands: the container's file system is read-only, and nothing runs in one that has ended.
IMPOSSIBLE = [
    (r"exec (-T )?holdfast holdfast backup keys (generate|adopt)\b", "writes into a file system that is read-only: `run ... backup-key`"),
    (r"exec (-T )?holdfast holdfast [^`\n]*--(key-file|out) [A-Z]+\b", "names a file that is not in the container"),
    (r"docker compose -p holdfast up\b", "names no file: `docker compose -f compose/docker-compose.yml up`"),
    (r"^- (Exited|Exit code|Not running|Stopped)[^\n]*`docker compose [^`\n]*exec holdfast", "asks a container that has ended: `run --rm --no-deps holdfast`"),
]

findings = []


def found(text):
    findings.append(text)


def run(*command, **options):
    """Runs a checker; what it says is a finding when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        found(f"{' '.join(map(str, command[:4]))} ...: {(done.stdout + done.stderr).strip()}")
    return done


def load_rules():
    """[(file stem, rule)] of all rule files."""
    rules = []
    for path in sorted(ALERTS.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            rules += [(path.stem, rule) for rule in group["rules"]]
    return rules


def check_tools():
    files = sorted(ALERTS.glob("*.yml"))
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *files)
    run("promtool", "test", "rules", *sorted((ALERTS / "tests").glob("*.yml")))
    run(ALERTS / "generate", "--check")
    # The configuration finds its rules in `alerts` beside it, as in the container.
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "alerts").symlink_to(ALERTS)
        config = Path(folder) / "prometheus.yml"
        config.write_text((ROOT / "compose/prometheus/prometheus.yml").read_text())
        done = run("promtool", "check", "config", "--lint=all", "--lint-fatal", config)
        if f"{len(files)} rule files found" not in done.stdout:
            found("compose/prometheus/prometheus.yml does not load all of alerts/*.yml")


def check_conventions(stem, rule):
    name, labels, notes = rule["alert"], rule.get("labels", {}), rule.get("annotations", {})
    if not re.fullmatch(r"([A-Z][a-z0-9]+)+", name):
        found(f"{name}: not CamelCase")
    severities = {"none"} if name in NOT_TOLD else SEVERITIES
    if labels.get("severity") not in severities:
        found(f"{name}: severity {labels.get('severity')!r}")
    services = {path.stem for path in ALERTS.glob("*.yml")} - {"slo"} if stem == "slo" else {stem}
    if labels.get("service") not in services:
        found(f"{name}: service {labels.get('service')!r} is not the file that it is in")
    if any("{{" in value for value in labels.values()):
        found(f"{name}: a templated label makes a new alert with every value")
    if set(notes) != {"summary", "description", "runbook_url", "dashboard_url"}:
        found(f"{name}: annotations {sorted(notes)}")
        return
    if "{{" in notes["summary"] or len(notes["summary"]) > 80 or notes["summary"].endswith("."):
        found(f"{name}: the summary is one constant line without a full stop")
    if not notes["description"].endswith("."):
        found(f"{name}: the description is a sentence")
    if notes["runbook_url"] != "{{ $externalLabels.public_url }}/runbooks/" + name:
        found(f"{name}: runbook_url {notes['runbook_url']}")
    board = f"holdfast-{BOARDS.get(stem, stem)}"
    if notes["dashboard_url"] != "{{ $externalLabels.grafana_url }}/d/" + board or not (ROOT / "dashboards" / f"{board.removeprefix('holdfast-')}.json").exists():
        found(f"{name}: dashboard_url {notes['dashboard_url']} is not the page {board}")


def check_absence(name, expr):
    """`increase(...) == 0` is no sample, and so no alert, once the process that counted is gone: what is missing must not pass for well."""
    for match in re.finditer(r"\band (?:on \([^)]*\) )?[^\n]*?\b(?:increase|rate)\([^\n]*\)\s*(==|<=)\s*(?:bool )?0\b", expr):
        found(f"{name}: {match[0]}: nothing is not zero, say `unless ... > 0`")


def check_coverage(rules):
    """Every alert fires in one test (each of its severities) and is quiet in another; every record is looked at."""
    fires, quiet, looked = set(), set(), set()
    for path in sorted((ALERTS / "tests").glob("*.yml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                # promtool compares labels and annotations as a whole, so what stands here is everything.
                for alert in case["exp_alerts"]:
                    fires.add((case["alertname"], alert["exp_labels"]["severity"]))
                if not case["exp_alerts"]:
                    quiet.add(case["alertname"])
            for case in test.get("promql_expr_test", []):
                if case["exp_samples"]:
                    looked |= {(s.name, s.labels().get("slo")) for s in promql.selectors(case["expr"])}
    for _, rule in rules:
        if "record" in rule:
            if (rule["record"], rule["labels"].get("slo")) not in looked:
                found(f"{rule['record']}{rule['labels']}: no test shows a sample")
            continue
        name, severity = rule["alert"], rule["labels"]["severity"]
        if (name, severity) not in fires:
            found(f"{name} ({severity}): no test in which it fires")
        if name not in quiet | NEVER_QUIET:
            found(f"{name}: no test in which it is quiet")


def check_runbooks(rules):
    """One for each alert and no other, with the five headings, something below each, and code that parses. Returns their PromQL."""
    alerts = {rule["alert"] for _, rule in rules if "alert" in rule}
    books = {path.stem: path.read_text() for path in RUNBOOKS.glob("*.md")}
    for name in sorted(alerts ^ set(books)):
        found(f"{name}: " + ("no runbook" if name in alerts else "a runbook without an alert"))
    queries = []
    for name, text in sorted(books.items()):
        parts = re.split(r"^## (.+)$", text, flags=re.M)
        if not parts[0].strip() == f"# {name}" or parts[1::2] != HEADINGS:
            found(f"runbook {name}: '# {name}', then {HEADINGS}; it has {parts[1::2]}")
        if any(len(part.split()) < 5 for part in parts[2::2]):
            found(f"runbook {name}: a section is empty")
        for wrong in destructive(text):
            found(f"runbook {name}: {wrong}: destroys what a rollback or a restore may need")
        for wrong, why in impossible(text):
            found(f"runbook {name}: {wrong}: {why}")
        if "```" not in text.partition("## Diagnosis")[2].partition("## Mitigation")[0]:
            found(f"runbook {name}: no command or query to diagnose with")
        queries += [(name, code.strip()) for code in blocks(text, "promql")]
    return books, queries


def destructive(text):
    """What a runbook says to run, in blocks and in the text, that cannot be taken back."""
    code = re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.M | re.S) + re.findall(r"`([^`\n]+)`", text)
    return [match[0] for part in code for pattern in DESTRUCTIVE for match in re.finditer(pattern, part, flags=re.I)]


def impossible(text):
    """What a runbook says to run that fails as it stands, and why."""
    return [(match[0], why) for pattern, why in IMPOSSIBLE for match in re.finditer(pattern, text, flags=re.M)]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


def check_queries(queries):
    """PromQL of runbooks parses: promtool has no parser of its own, but checks rules."""
    # A blank line ends a query.
    group = [{"record": "q", "expr": part, "labels": {"n": str(n)}} for n, (_, part) in enumerate(queries)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "runbooks", "rules": group}]}, file)
        file.flush()
        run("promtool", "check", "rules", file.name)


def check_metrics(rules, queries, files):
    live = promql.Live(files)
    live.known |= {rule["record"] for _, rule in rules if "record" in rule}
    for _, rule in rules:
        for problem in live.problems(rule["expr"]):
            found(f"{rule.get('alert', rule.get('record'))}: {problem}")
    for name, query in queries:
        for problem in live.problems(query):
            found(f"runbook {name}: {problem}")
    check_inventions(live)


def check_inventions(live):
    """A rule test may feed only what a scrape has shown: name and labels, and for Holdfast's own series their values in that combination."""
    for path in sorted((ALERTS / "tests").glob("*.yml")):
        series = {s["series"] for test in yaml.safe_load(path.read_text())["tests"] for s in test["input_series"]}
        for text in sorted(series):
            problem = live.shape_problem(text)
            if problem:
                found(f"tests/{path.name}: {problem}")


def check_commands(books, binary):
    """Each `holdfast a b --c` of a runbook, in a block or in the text, is one that the binary's --help knows."""
    helps = {}
    for name, text in sorted(books.items()):
        for line in re.findall(r"(?:(?<=`)|^|exec (?:-T )?holdfast )holdfast ([a-z][^`\n]*)", text, flags=re.M):
            words, path = line.partition(" #")[0].split(), []
            # As long as a command has commands, the next word must be one.
            while "\nCommands:" in (known := help_of(binary, path, helps)) and words and not words[0].startswith("-"):
                path.append(words.pop(0))
            flags = [word for word in words if word.startswith("--")]
            for wrong in [flag for flag in flags if flag not in known] if known else path[-1:]:
                found(f"runbook {name}: holdfast {line.strip()}: {wrong} is unknown")


def help_of(binary, path, helps):
    """What `--help` prints of a command; empty for one that does not exist."""
    if tuple(path) not in helps:
        done = subprocess.run([binary, *path, "--help"], capture_output=True, text=True)
        helps[tuple(path)] = done.stdout if done.returncode == 0 else ""
    return helps[tuple(path)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", nargs="+", type=Path, default=[])
    parser.add_argument("--binary")
    args = parser.parse_args()

    rules = load_rules()
    alerts = [(stem, rule) for stem, rule in rules if "alert" in rule]
    check_tools()
    for stem, rule in alerts:
        check_conventions(stem, rule)
        check_absence(rule["alert"], rule["expr"])
    check_coverage(rules)
    books, queries = check_runbooks(rules)
    check_queries(queries)
    if args.metrics:
        check_metrics(rules, queries, args.metrics)
    if args.binary:
        check_commands(books, args.binary)
    for problem in alertmanager.problems(ROOT / "compose/alertmanager/alertmanager.yml", {rule["alert"] for _, rule in alerts}):
        found(problem)

    for line in findings:
        print(line)
    print(f"{len(alerts)} alerts, {len(rules) - len(alerts)} records, {len(books)} runbooks, {len(queries)} queries in them: {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
