#!/usr/bin/env python3
"""Every panel of every dashboard against a real Prometheus that scrapes a real appliance under load.

    live.py --binary PATH --models DIR [--alerts DIR] [--seconds N] [--keep DIR]

Starts the appliance (tests/clients/with_appliance.py), node_exporter, Prometheus with the rules, and Alertmanager; small servers stand in
for Loki, the collector of traces, the heartbeat and the mail server. Then a load, then each PromQL panel through query_range: none may be empty, and none zero throughout, but
for those in quiet/<dashboard>.toml with a reason. Last, every series and label that dashboards and rules name against what was scraped, and the other
way round (dashboards.py --metrics). Needs Debian's prometheus, prometheus-node-exporter and prometheus-alertmanager.
"""
import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.parse
import urllib.request
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dashboards
from catalogue import ROOT, Metrics, code_values, names_in, recorded_labels
from load import from_environment
from queries import fill

HERE = Path(__file__).resolve().parent
CLIENTS = HERE.parent / "clients"
sys.path.insert(0, str(CLIENTS))
from management import wait_for
from with_appliance import free_port

SCRAPE = 2
TOKEN = "a-token-for-this-test-alone"


class Sink(BaseHTTPRequestHandler):
    """Takes whatever comes, as Loki, a collector of traces, a heartbeat service and a receiver of webhooks do."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


def start_sink():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def start_mail_server():
    """Takes mail, and refuses nobody@...; returns the process and its port."""
    child = subprocess.Popen([sys.executable, str(CLIENTS / "smtp_server.py")], stdout=subprocess.PIPE, text=True)
    return child, re.search(r"listening on 127\.0\.0\.1:(\d+)", child.stdout.readline())[1]


def settings(sink, alertmanager, mail=None):
    """For the appliance, as far as its checkout knows them. `mail`: port of a mail server."""
    known = (ROOT / "config/holdfast.toml").read_text()
    wanted = {
        "HOLDFAST_TELEMETRY__LOKI_URL": ("loki_url =", sink),
        "HOLDFAST_TELEMETRY__OTLP_URL": ("otlp_url =", sink),
        "HOLDFAST_ALERTING__TOKEN": ("[alerting]", TOKEN),
        "HOLDFAST_ALERTING__HEARTBEAT_URL": ("[alerting]", f"{sink}/heartbeat"),
        "HOLDFAST_ALERTING__ALERTMANAGER_URL": ("[alerting]", alertmanager),
        "HOLDFAST_WEBHOOKS__PRIVATE_NETWORKS": ("[webhooks]", "127.0.0.1/32"),
        "HOLDFAST_MAIL__FROM": ("[mail]", "Holdfast <holdfast@example.com>"),
        "HOLDFAST_MAIL__SMTP_HOST": ("[mail]", "127.0.0.1"),
        "HOLDFAST_MAIL__SMTP_PORT": ("[mail]", mail),
        "HOLDFAST_MAIL__SMTP_SECURITY": ("[mail]", "none"),
        "HOLDFAST_MAIL__SHARED_SENDER": ("shared_sender =", "true"),
    }
    return {name: value for name, (mark, value) in wanted.items() if mark in known and (mail or mark != "[mail]")}


# Outside: ports and settings first, because the appliance has to know them when it starts.


def outside(args):
    ports = {name: free_port() for name in ("prometheus", "alertmanager", "node")}
    sink = start_sink()
    mail_server, mail = start_mail_server()
    environment = {**os.environ, "LIVE_PORTS": json.dumps(ports), "LIVE_SINK": sink, **settings(sink, f"http://127.0.0.1:{ports['alertmanager']}", mail)}
    inner = [sys.executable, __file__, "--inside", "--alerts", str(Path(args.alerts).resolve()), "--seconds", str(args.seconds)]
    inner += ["--keep", str(Path(args.keep).resolve())] if args.keep else []
    command = [sys.executable, str(CLIENTS / "with_appliance.py"), "--binary", args.binary, "--models", args.models, "--", *inner]
    try:
        return subprocess.run(command, env=environment).returncode
    finally:
        mail_server.terminate()


# Inside: the appliance runs.


class Monitoring:
    """Prometheus and what stands beside it, in a folder of its own."""

    def __init__(self, folder, rules):
        self.folder, self.ports, self.children = folder, json.loads(os.environ["LIVE_PORTS"]), []
        self.url = f"http://127.0.0.1:{self.ports['prometheus']}"
        self.targets = {
            "holdfast": os.environ["APPLIANCE_OPS_URL"].removeprefix("http://"),
            **{job: f"127.0.0.1:{self.ports[job]}" for job in ("node", "prometheus", "alertmanager")},
        }
        shutil.copytree(rules, folder / "alerts", ignore=shutil.ignore_patterns("tests"))
        (folder / "prometheus.yml").write_text(json.dumps(self.prometheus()))
        (folder / "alertmanager.yml").write_text(json.dumps(self.alertmanager()))

    def prometheus(self):
        return {
            "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s", "evaluation_interval": f"{SCRAPE}s", "external_labels": {"public_url": os.environ["APPLIANCE_URL"], "grafana_url": "http://localhost:3000"}},
            "rule_files": ["alerts/*.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.targets["alertmanager"]]}]}]},
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in self.targets.items()],
        }

    def alertmanager(self):
        receiver = {"url": os.environ["APPLIANCE_URL"] + "/api/v1/alerts", "http_config": {"authorization": {"credentials": TOKEN}}}
        return {"route": {"receiver": "holdfast", "group_wait": "1s", "group_interval": "5s", "repeat_interval": "10s"}, "receivers": [{"name": "holdfast", "webhook_configs": [receiver]}]}

    def start(self):
        data = self.folder / "data"
        self.run("prometheus-node-exporter", f"--web.listen-address={self.targets['node']}")
        self.run("prometheus-alertmanager", f"--config.file={self.folder / 'alertmanager.yml'}", f"--storage.path={data / 'alertmanager'}", f"--web.listen-address={self.targets['alertmanager']}", "--cluster.listen-address=")
        self.run(
            "prometheus", f"--config.file={self.folder / 'prometheus.yml'}", f"--storage.tsdb.path={data / 'prometheus'}", f"--web.listen-address={self.targets['prometheus']}",
            "--enable-feature=exemplar-storage,expand-external-labels",
        )
        wait_for("all targets up", self.all_up, 60)

    def run(self, *command):
        if not shutil.which(command[0]):
            sys.exit(f"{command[0]} is not installed: apt-get install prometheus prometheus-node-exporter prometheus-alertmanager")
        log = (self.folder / f"{command[0]}.log").open("w")
        self.children.append(subprocess.Popen(command, stdout=log, stderr=log))

    def stop(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(20)

    def all_up(self):
        for child in self.children:
            assert child.poll() is None, f"{child.args[0]} ended:\n{(self.folder / (child.args[0] + '.log')).read_text()[-3000:]}"
        try:
            up = self.get("query", query="up")["result"]
        except OSError:
            return False
        return len(up) == len(self.targets) and all(sample["value"][1] == "1" for sample in up)

    def get(self, path, **parameters):
        body = urllib.parse.urlencode(parameters).encode() if parameters else None
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", body, timeout=30) as response:
            return json.load(response)["data"]

    def scrapes(self):
        """{job: its /metrics now}, in the format that Prometheus gets."""
        texts = {}
        for job, target in self.targets.items():
            request = urllib.request.Request(f"http://{target}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0" if job == "holdfast" else "text/plain"})
            with urllib.request.urlopen(request, timeout=30) as response:
                texts[job] = response.read().decode()
        return texts


def look(monitoring, page, begin):
    """What each PromQL panel shows since `begin`, and that its dots are traces; what variables offer: (title, index, expression, values)."""
    texts = {v["name"]: "" for v in page.variables if v["type"] == "textbox"}
    for panel, index, _, target in page.targets("prometheus"):
        expr = fill(target["expr"], texts, f"{4 * SCRAPE}s", f"{SCRAPE}s", f"{int(time.time() - begin)}s")
        try:
            result = monitoring.get("query_range", query=expr, start=begin, end=time.time(), step=SCRAPE)["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{panel['title']}: {expr}: {error.read().decode()}") from None
        values = [float(value) for series in result for _, value in series["values"]]
        yield panel["title"], index, expr, [value for value in values if not math.isnan(value)]
        if target.get("exemplar"):
            found = monitoring.get("query_exemplars", query=expr, start=begin, end=time.time())
            traces = [1.0 for series in found for exemplar in series["exemplars"] if exemplar["labels"].get("trace_id")]
            yield f"{panel['title']}: traces", index, expr, traces
    for name, expr in beside_panels(page):
        if name.startswith("variable"):
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", expr).groups()
            found = monitoring.get(f"label/{label}/values?{urllib.parse.urlencode({'match[]': fill(series)})}")
            yield name, 0, fill(series), [1.0 for _ in found]
        else:
            yield name, 0, fill(expr), [1.0 for _ in monitoring.get("query", query=fill(expr))["result"]]


def beside_panels(page):
    """(name, expression) of the variables, and of the annotation that something must have made."""
    for variable in page.variables:
        if variable["type"] == "query" and variable["datasource"]["type"] == "prometheus":
            yield f"variable {variable['name']}", variable["query"]
    for annotation in page.data["annotations"]["list"]:
        if annotation["name"] == "Starts and deploys":
            yield f"annotation {annotation['name']}", annotation["expr"]


def read_quiet(folder=HERE / "quiet"):
    """Panels that may stay empty or at zero, and why: {"empty"|"zero": {"dashboard/title": reason}}."""
    quiet = {"empty": {}, "zero": {}}
    for file in sorted(folder.glob("*.toml")):
        for kind, panels in tomllib.loads(file.read_text()).items():
            quiet[kind].update({f"holdfast-{file.stem}/{title}": reason for title, reason in panels.items()})
    return quiet


def judge(seen, quiet, exported):
    """Problems of [(dashboard, title, index, expression, values)], against {"empty"|"zero": {"dashboard/title": reason}}.

    `exported` says whether a series exists: a panel that is empty because one does not is metric_problems' to tell.
    """
    found, shown = [], defaultdict(list)
    for uid, title, index, expr, values in seen:
        place = f"{uid}/{title}"
        shown[place].append(values)
        if not values and place not in quiet["empty"] and all(map(exported, names_in(expr))):
            found.append(f"EMPTY {place}{f' (target {index})' if index else ''}: {expr}")
    for place, lists in shown.items():
        values = [value for one in lists for value in one]
        if values and not any(values) and place not in quiet["zero"]:
            found.append(f"ZERO  {place}")
    for kind, entries in quiet.items():
        found += [f"quiet: {kind}: there is no panel {place}" for place in entries.keys() - shown.keys()]
    return found


def inside(args):
    folder = Path(tempfile.mkdtemp(prefix="holdfast-live-"))
    begin = time.time()
    monitoring = Monitoring(folder, args.alerts)
    try:
        monitoring.start()
        print(f"all targets up after {time.time() - begin:.0f} s", flush=True)
        load = from_environment()
        load.subscribe(os.environ["LIVE_SINK"])
        load.upload(2)
        load.upload_odd()
        load.run(args.seconds)
        # What is read from the database or the index only now and then, and what rules make of the rest.
        time.sleep(30)
        pages, all_rules = dashboards.load(alerts=args.alerts)
        seen = [(page.data["uid"], *shown) for page in pages for shown in look(monitoring, page, begin)]
        texts = monitoring.scrapes()
    finally:
        monitoring.stop()
        shutil.rmtree(folder)
    if args.keep:
        Path(args.keep).mkdir(parents=True, exist_ok=True)
        for job, text in texts.items():
            (Path(args.keep) / f"{job}.txt").write_text(text)
    metrics = Metrics()
    for text in [*texts.values(), *(file.read_text() for file in sorted((HERE / "exporters").glob("*.txt")))]:
        metrics.add(text)
    recorded = recorded_labels(all_rules)
    found = judge(seen, read_quiet(), lambda name: name in recorded or metrics.labels(name) is not None)
    found += dashboards.metric_problems(pages, all_rules, metrics, code_values(), dashboards.read_unused())
    print("\n".join(found))
    if any(problem.startswith(("EMPTY", "ZERO")) for problem in found):
        print("EMPTY and ZERO: do in loads/<room>.py what the panel counts, or say in quiet/<dashboard>.toml why it stays so")
    print(f"live: {sum(len(page.panels) for page in pages)} panels, {len(seen)} queries, {len(found)} problems, {time.time() - begin:.0f} s")
    return 1 if found else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="holdfast")
    parser.add_argument("--models", help="folder that scripts/fetch-model filled")
    parser.add_argument("--alerts", default=ROOT / "alerts", metavar="DIR")
    parser.add_argument("--seconds", type=int, default=40, help="how long the load lasts")
    parser.add_argument("--keep", metavar="DIR", help="leave the scrapes here")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.inside and not (args.binary and args.models):
        parser.error("--binary and --models are needed")
    sys.exit(inside(args) if args.inside else outside(args))


if __name__ == "__main__":
    main()
