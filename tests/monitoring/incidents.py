#!/usr/bin/env python3
"""Incidents that are caused for real: does the alert fire, does its runbook as it stands say what is wrong, does what it advises end it?

    incidents.py --binary PATH --models DIR [--faster N] [--only ALERT]

Starts the appliance with what each incident needs, and Prometheus and Alertmanager with the rules of alerts/, whose durations are
divided by N. Each alert must fire in Prometheus and arrive at the appliance. Then everything below Diagnosis in its runbook is done as it
is written there, without the containers: commands run, PromQL must show something, log queries must match a line of the log. Then the
incident is mended in the way that Mitigation says, and the alert must end at both places. Needs what live.py needs, and tesseract with
pdftoppm. Up to twenty minutes: the appliance asks for its embedding model every quarter of an hour.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from catalogue import ROOT
from live import CLIENTS, SCRAPE, TOKEN, Monitoring, free_port, settings, start_sink
from management import Api, first_sign_in, make_key, wait_for
from rules import blocks

DOCUMENTS = ROOT / "tests" / "fixtures" / "documents"
PROGRAMS = ("tesseract", "pdftoppm")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def faster(expr, by):
    """A duration, or PromQL with durations in brackets, with each of them divided; a range keeps some scrapes."""
    least = 6 * SCRAPE if "[" in expr else 1
    def divide(match):
        return f"{max(int(match[1]) * SECONDS[match[2]] // by, least)}s"
    return re.sub(r"\b(\d+)([smhd])\b(?=\]|$)", divide, expr)


def faster_rules(folder, by):
    for path in folder.glob("*.yml"):
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule["expr"] = faster(rule["expr"], by)
                rule |= {key: faster(rule[key], by) for key in ("for", "keep_firing_for") if key in rule}
        path.write_text(yaml.safe_dump(rules))


class WordsOnly:
    """Documents come while the folder of the embedding model is missing."""

    alert = "KnowledgeWordsOnly"
    doctor = ["llm.embedding_model", "knowledge.vectors"]
    logged = True

    def __init__(self, place):
        self.place = place

    def cause(self):
        for number in range(3):
            text = f"# Pump {number}\n\nThe pump of station {number} starts when the water is {number + 2} metres deep.\n"
            self.place.upload(f"pump-{number}.md", text.encode(), "text/markdown")
        for document in self.place.ready():
            assert document["words_only"], f"it got its vectors without a model: {document}"

    def mend(self):
        Path(os.environ["HOLDFAST_LLM__EMBEDDING__MODEL_DIR"]).symlink_to(Path(os.environ["INCIDENT_MODEL"]))

    def mended(self):
        return not any(document["words_only"] for document in self.place.ready())


class PagesUnread:
    """Scans come, and the programs for OCR are not there."""

    alert = "KnowledgePagesUnread"
    doctor = ["knowledge.ocr"]
    # What its runbook looks for in the log belongs to other reasons than this one.
    logged = False

    def __init__(self, place):
        self.place = place
        self.documents = []

    def cause(self):
        scan = (DOCUMENTS / "scanned.pdf").read_bytes()
        # Each a file of its own: what is there already is refused.
        self.documents = [self.place.upload(f"scan-{number}.pdf", scan + b"\n%% %d\n" % number, "application/pdf") for number in range(6)]
        self.place.ready()

    def mend(self):
        folder = Path(os.environ["HOLDFAST_KNOWLEDGE__OCR_FOLDER"])
        for name in PROGRAMS:
            (folder / name).symlink_to(shutil.which(name))
        for document in self.documents:
            self.place.key.call("POST", f"{self.place.documents}/{document}/read", {})

    def mended(self):
        found = [self.place.key.call("GET", f"{self.place.documents}/{document}") for document in self.documents]
        return all(document["status"] == "ready" and document["report"]["pages_by_ocr"] for document in found)


class AlertsRefused:
    """Somebody posts alerts with a wrong token, and one that cannot be read."""

    alert = "AlertsRefused"
    doctor = []
    logged = True

    def __init__(self, _):
        pass

    def cause(self):
        fine = {"status": "resolved", "labels": {"alertname": "Fine"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T01:00:00Z", "fingerprint": "beef"}
        odd = {"status": "firing", "labels": {"alertname": "Odd"}, "startsAt": "yesterday", "fingerprint": "f00d"}
        notification = {"version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "holdfast", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": [fine, odd]}
        # An increase is seen from the second time on: twice, and between them a few looks of Prometheus.
        for _ in range(2):
            for token, wanted in (("wrong", 401), (TOKEN, 200)):
                status = self.post(token, notification)
                assert status == wanted, f"{status} instead of {wanted}"
            time.sleep(3 * SCRAPE)

    @staticmethod
    def post(token, body):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(os.environ["APPLIANCE_URL"] + "/api/v1/alerts", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    def mend(self):
        """The sender has stopped."""

    def mended(self):
        return True


# The last one is the shortest: its alert ends by itself soon.
INCIDENTS = [WordsOnly, PagesUnread, AlertsRefused]


class Place:
    """A knowledge base of its own: where a document comes when the model is there, its base gets its vectors at once."""

    def __init__(self, key, name):
        self.key = key
        self.base = key.call("POST", "/api/v1/knowledge-bases", {"name": name})["id"]
        self.documents = f"/api/v1/knowledge-bases/{self.base}/documents"

    def upload(self, *file):
        return self.key.upload(self.base, *file)["id"]

    def ready(self):
        """The documents that are ready, when none is on its way any more."""
        def ended():
            found = self.key.call("GET", f"{self.documents}?limit=100")["data"]
            return found if all(document["status"] in ("ready", "failed") for document in found) else None

        return [document for document in wait_for("documents end", ended, 300) if document["status"] == "ready"]


def log_lines():
    for line in Path(os.environ["APPLIANCE_LOG"]).read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        yield entry, line


def matches(query):
    """Lines of the appliance's log that a LogQL query of a runbook shows; knows the label `level`, |= and |~, and fields after | json."""
    selector, _, rest = query.strip().partition("}")
    texts, _, fields = rest.partition("| json")
    level = re.search(r'level=~?"([^"]*)"', selector)
    filters = re.findall(r'(\|[=~])\s*["`]([^"`]*)["`]', texts)
    fields = [condition.strip() for condition in fields.split("|") if condition.strip()]
    assert filters or fields, f"a log query that this script does not read: {query}"

    def shown(entry, line):
        if level and not re.fullmatch(level[1], entry.get("level", "").lower()):
            return False
        if not all(text in line if kind == "|=" else re.search(text, line) for kind, text in filters):
            return False
        return all(holds(entry, condition) for condition in fields)

    return [line for entry, line in log_lines() if shown(entry, line)]


def holds(entry, condition):
    name, compare, value = re.fullmatch(r'(\w+)\s*(=|>=)\s*"?([^"]*)"?', condition).groups()
    if name not in entry:
        return False
    return str(entry[name]) == value if compare == "=" else float(entry[name]) >= float(value)


def doctor():
    """{name: status} of what `holdfast doctor` says."""
    done = subprocess.run([os.environ["APPLIANCE_BINARY"], "--config", os.environ["APPLIANCE_CONFIG"], "doctor", "--json"], capture_output=True, text=True)
    return {check["name"]: check["status"] for check in json.loads(done.stdout)}


def diagnose(monitoring, incident, by):
    """Does what stands below Diagnosis, and says what came of it."""
    text = (ROOT / "docs" / "runbooks" / f"{incident.alert}.md").read_text()
    text = text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    for query in blocks(text, "promql"):
        result = monitoring.get("query", query=faster(query.strip(), by))["result"]
        assert result, f"{incident.alert}: the runbook's query shows nothing: {query}"
        print(f"      {' '.join(query.split())}: {[(sample['metric'], sample['value'][1]) for sample in result]}")
    for query in blocks(text, "logql"):
        lines = matches(query)
        assert lines or not incident.logged, f"{incident.alert}: the runbook's query of the log shows nothing: {query}"
        print(f"      {' '.join(query.split())}: {len(lines)} lines")
    commands = [line for code in blocks(text, "sh") for line in code.splitlines()]
    assert not incident.doctor or any(line.endswith("holdfast doctor") for line in commands), f"{incident.alert}: its runbook does not ask doctor"
    found = doctor()
    for name in incident.doctor:
        assert name in text, f"{incident.alert}: its runbook does not say what to look for: {name}"
        assert found[name] != "pass", f"doctor finds nothing wrong with {name}"
        print(f"      doctor: {name}: {found[name]}")


def firing(monitoring):
    return {sample["metric"]["alertname"] for sample in monitoring.get("query", query='ALERTS{alertstate="firing", alertname!="Watchdog"}')["result"]}


def inside(args):
    folder = Path(tempfile.mkdtemp(prefix="holdfast-incidents-"))
    monitoring = Monitoring(folder, ROOT / "alerts")
    faster_rules(folder / "alerts", args.faster)
    url = os.environ["APPLIANCE_URL"]
    session = first_sign_in(url, os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
    key = Api(url, make_key(session))
    incidents = [kind(Place(key, kind.alert)) for kind in INCIDENTS if args.only in (None, kind.alert)]
    others = set()

    def arrived():
        return {alert["labels"]["alertname"] for alert in session.call("GET", "/api/v1/alerts?status=firing&limit=100")["data"]}

    def until(what, check, seconds):
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            others.update(firing(monitoring) - {incident.alert for incident in incidents})
            if check():
                print(f"ok    {what} ({time.monotonic() - begin:.0f} s)", flush=True)
                return
            time.sleep(1)
        raise AssertionError(f"{what}: not within {seconds} s; firing: {firing(monitoring)}, at the appliance {arrived()}")

    try:
        monitoring.start()
        for incident in incidents:
            assert incident.alert not in firing(monitoring)
            incident.cause()
        for incident in reversed(incidents):
            until(f"{incident.alert} fires", lambda: incident.alert in firing(monitoring), 180)
            until(f"{incident.alert} arrives at the appliance", lambda: incident.alert in arrived(), 60)
            diagnose(monitoring, incident, args.faster)
        for incident in incidents:
            incident.mend()
        for incident in reversed(incidents):
            until(f"{incident.alert}: what its runbook advises mends it", incident.mended, 1200)
            until(f"{incident.alert} ends", lambda: incident.alert not in firing(monitoring) | arrived(), 300)
        for name in {name for incident in incidents for name in incident.doctor}:
            assert doctor()[name] == "pass", f"doctor still finds something wrong with {name}"
    finally:
        monitoring.stop()
        shutil.rmtree(folder)
    print(f"incidents: {len(incidents)}, other alerts meanwhile: {sorted(others) or 'none'}")
    return 0


def outside(args):
    with tempfile.TemporaryDirectory(prefix="holdfast-incidents-") as folder:
        (Path(folder) / "programs").mkdir()
        # The appliance knows where its model should be; it is put there when the incident is mended.
        models = Path(folder) / "none"
        models.mkdir()
        ports = {name: free_port() for name in ("prometheus", "alertmanager", "node")}
        environment = {
            **os.environ,
            **settings(start_sink(), f"http://127.0.0.1:{ports['alertmanager']}"),
            "LIVE_PORTS": json.dumps(ports),
            "HOLDFAST_LLM__EMBEDDING__MODEL_DIR": str(models / "all-MiniLM-L6-v2"),
            "HOLDFAST_KNOWLEDGE__OCR_FOLDER": str(Path(folder) / "programs"),
            "INCIDENT_MODEL": str(Path(args.models).resolve() / "all-MiniLM-L6-v2"),
        }
        inner = [sys.executable, __file__, "--inside", "--faster", str(args.faster), *(["--only", args.only] if args.only else [])]
        command = [sys.executable, str(CLIENTS / "with_appliance.py"), "--binary", args.binary, "--models", str(models), "--", *inner]
        return subprocess.run(command, env=environment).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="holdfast")
    parser.add_argument("--models", help="folder that scripts/fetch-model filled")
    parser.add_argument("--faster", type=int, default=480, metavar="N", help="what durations of the rules are divided by (480: a day is three minutes)")
    parser.add_argument("--only", choices=[kind.alert for kind in INCIDENTS], metavar="ALERT")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.inside and not (args.binary and args.models):
        parser.error("--binary and --models are needed")
    sys.exit(inside(args) if args.inside else outside(args))


if __name__ == "__main__":
    main()
