"""Alertmanager's configuration: routes by amtool, inhibition by a real Alertmanager that is told what fires."""
import json
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

# labels -> receiver
ROUTES = [
    ({"alertname": "Watchdog", "severity": "none", "service": "meta"}, "watchdog"),
    ({"alertname": "DatabaseDown", "severity": "critical", "service": "database"}, "holdfast"),
    ({"alertname": "JobQueueBehind", "severity": "warning", "service": "jobs"}, "holdfast"),
    ({"alertname": "BackupsOff", "severity": "info", "service": "backup"}, "holdfast"),
    ({"alertname": "SomebodysOwn"}, "holdfast"),
]


def alert(name, severity, service, **labels):
    return {"alertname": name, "severity": severity, "service": service, **labels}


# what fires, and which of it is silenced by the rest
INHIBITION = [
    ([alert("Watchdog", "none", "meta"), alert("DatabaseDown", "critical", "database"), alert("TargetMissing", "critical", "meta", job="node")], []),
    (
        [
            alert("DatabaseDown", "critical", "database", instance="holdfast:9464"),
            alert("ApiAvailabilityBudgetBurning", "critical", "http", slo="api_availability"),
            alert("JobWorkersStopped", "critical", "jobs"),
            alert("DatabaseConnectionsHigh", "warning", "database"),
            alert("HostDiskAlmostFull", "critical", "host", mountpoint="/"),
            alert("LogPushFailing", "critical", "logs"),
        ],
        ["ApiAvailabilityBudgetBurning", "JobWorkersStopped", "DatabaseConnectionsHigh"],
    ),
    (
        [
            alert("TargetDown", "critical", "meta", job="holdfast", instance="holdfast:9464"),
            alert("LogLinesDropped", "warning", "logs", reason="shutdown"),
            alert("DatabaseDown", "critical", "database"),
            alert("AlertPathBroken", "critical", "meta"),
            alert("HostMemoryLow", "critical", "host", instance="node-exporter:9100"),
        ],
        ["LogLinesDropped", "DatabaseDown"],
    ),
    (
        # Another target's being down says nothing about Holdfast.
        [alert("TargetDown", "warning", "meta", job="loki"), alert("LogPushFailing", "critical", "logs")],
        [],
    ),
    (
        # Critical over warning: of the same thing only.
        [
            alert("HostDiskAlmostFull", "critical", "host", instance="a", device="vda", mountpoint="/"),
            alert("HostDiskAlmostFull", "warning", "host", instance="a", device="vdb", mountpoint="/data"),
            alert("HostDiskWillFill", "warning", "host", instance="a", device="vda", mountpoint="/"),
        ],
        ["HostDiskWillFill"],
    ),
    (
        [
            alert("LlmProviderFailing", "critical", "llm", backend="openai"),
            alert("LlmProviderFailing", "warning", "llm", backend="openai"),
            alert("LlmProviderFailing", "warning", "llm", backend="local"),
        ],
        ["LlmProviderFailing"],
    ),
    (
        [alert("JobWorkersStopped", "critical", "jobs"), alert("JobQueueStuck", "critical", "jobs", queue="knowledge"), alert("JobsDying", "warning", "jobs", queue="knowledge")],
        ["JobQueueStuck"],
    ),
]


def problems(config, alerts):
    """Findings, as text. `alerts`: the names that the rules have."""
    checked = subprocess.run(["amtool", "check-config", config], capture_output=True, text=True)
    if checked.returncode:
        yield f"amtool check-config: {checked.stdout}{checked.stderr}"
        return
    # A name that no rule has silences nothing, without a word.
    matchers = re.findall(r'alertname(?:=~|!=|=)"([^"]*)"', config.read_text())
    for name in {name for text in matchers for name in text.split("|")} - alerts:
        yield f"alertmanager.yml names {name}, which is no alert"
    for labels, receiver in ROUTES:
        pairs = [f"{key}={value}" for key, value in labels.items()]
        routed = subprocess.run(
            ["amtool", "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}", *pairs], capture_output=True, text=True
        )
        if routed.returncode:
            yield f"{labels} does not go to {receiver}: {routed.stdout}{routed.stderr}"
    for firing, silenced in INHIBITION:
        got = inhibited(config, firing)
        if sorted(got) != sorted(silenced):
            yield f"of {[a['alertname'] for a in firing]} these are silenced: {sorted(got)}, not {sorted(silenced)}"


def inhibited(config, firing):
    """Names of those of `firing` that a real Alertmanager holds back. Nothing is sent: every group waits longer than this takes."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api/v2/alerts"
    with tempfile.TemporaryDirectory() as folder:
        # The gate must not deliver: no receiver is reachable.
        text = re.sub(r"url: http://\S+", "url: http://127.0.0.1:9/", config.read_text())
        path = f"{folder}/alertmanager.yml"
        with open(path, "w") as file:
            file.write(text)
        command = ["prometheus-alertmanager", f"--config.file={path}", f"--storage.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            body = json.dumps([{"labels": labels} for labels in firing]).encode()
            ask(url, body)
            # The inhibitor hears of alerts by itself, a moment later: wait until its answer stands still.
            answers = []
            while len(answers) < 10 and (len(answers) < 4 or answers[-1] != answers[-4]):
                time.sleep(0.1)
                answers.append([a["labels"]["alertname"] for a in ask(url) if a["status"]["inhibitedBy"]])
            return answers[-1]
        finally:
            child.terminate()
            child.wait(10)


def ask(url, body=None):
    for _ in range(100):
        try:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=5) as response:
                text = response.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{url}: {error.read().decode()}") from error
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url}: no answer")
