"""Alertmanager's configuration: routes by amtool, inhibition by a real Alertmanager that is told what fires."""
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

# Labels -> receivers, where compose/.env names somebody outside; without that it is `nobody` in place of `outside`.
ROUTES = [
    ({"alertname": "Watchdog", "severity": "none", "service": "meta"}, "watchdog"),
    ({"alertname": "RecentOutage", "severity": "none", "service": "meta", "window": "1h"}, "nobody"),
    ({"alertname": "DatabaseDown", "severity": "critical", "service": "database"}, "outside,holdfast"),
    ({"alertname": "JobQueueBehind", "severity": "warning", "service": "jobs"}, "outside,holdfast"),
    ({"alertname": "BackupsOff", "severity": "info", "service": "backup"}, "holdfast"),
    ({"alertname": "SomebodysOwn"}, "holdfast"),
]
OUTSIDE = {"ALERTS_WEBHOOK_URL": "http://127.0.0.1:9/"}


def alert(name, severity, service, **labels):
    return {"alertname": name, "severity": severity, "service": service, **labels}


WEBHOOK_FAILS = alert("AlertmanagerCannotDeliver", "critical", "meta", instance="alertmanager:9093", integration="webhook")
MAIL_FAILS = alert("AlertmanagerCannotDeliver", "critical", "meta", instance="alertmanager:9093", integration="email")

# what fires, and which of it is silenced by the rest
INHIBITION = [
    ([alert("Watchdog", "none", "meta"), alert("DatabaseDown", "critical", "database"), alert("TargetMissing", "critical", "meta", job="node")], []),
    (
        # No database: what needs it, and that alerts cannot be taken; not that mail does not go out.
        [
            alert("DatabaseDown", "critical", "database"),
            alert("ApiAvailabilityBudgetBurning", "critical", "http", slo="api_availability"),
            alert("JobWorkersStopped", "critical", "jobs", queue="system"),
            alert("DatabaseConnectionsHigh", "warning", "database", instance="holdfast:9464"),
            alert("HostDiskAlmostFull", "critical", "host", mountpoint="/"),
            alert("LogErrorsHigh", "warning", "logs"),
            alert("AlertsRefused", "critical", "meta"),
            alert("AlertPathBroken", "critical", "meta"),
            # Checks go on in memory and pages are served: nobody has to do anything about them. Reports of heartbeats that are refused are lost.
            alert("StatusPageStale", "critical", "status_page"),
            alert("UptimeChecksInMemory", "warning", "uptime"),
            alert("UptimeReportsRefused", "warning", "uptime"),
            alert("IncidentNotificationFailing", "critical", "incidents"),
            WEBHOOK_FAILS,
            MAIL_FAILS,
        ],
        [
            "ApiAvailabilityBudgetBurning", "JobWorkersStopped", "DatabaseConnectionsHigh", "LogErrorsHigh", "AlertsRefused", "AlertPathBroken",
            "StatusPageStale", "UptimeChecksInMemory", "IncidentNotificationFailing", "AlertmanagerCannotDeliver",
        ],
    ),
    (
        # The only Holdfast is down: everything about it, the sums that have no instance too.
        [
            alert("HoldfastDown", "critical", "meta"),
            alert("TargetDown", "critical", "meta", job="holdfast", instance="holdfast:9464"),
            alert("LogLinesDropped", "warning", "logs", reason="shutdown"),
            alert("DatabaseDown", "critical", "database"),
            alert("HostMemoryLow", "critical", "host", instance="node-exporter:9100"),
            WEBHOOK_FAILS,
            MAIL_FAILS,
        ],
        ["TargetDown", "LogLinesDropped", "DatabaseDown", "AlertmanagerCannotDeliver"],
    ),
    ([alert("TargetDown", "critical", "meta", job="holdfast", instance="worker2:9464"), alert("DatabaseDown", "critical", "database")], []),
    (
        # One of several hosts is down, another one does not reach the database: what each said itself, and nothing of the others.
        [
            alert("TargetDown", "critical", "meta", job="holdfast", instance="worker2:9464"),
            alert("HttpConnectionsHigh", "warning", "http", job="holdfast", instance="worker2:9464"),
            alert("HttpConnectionsHigh", "warning", "http", job="holdfast", instance="api2:9464"),
            alert("DatabaseUnreachable", "critical", "database", job="holdfast", instance="api1:9464"),
            alert("HoldfastFileDescriptorsHigh", "warning", "host", job="holdfast", instance="api1:9464"),
            alert("HttpPanics", "warning", "http"),
            alert("BackupMissing", "critical", "backup"),
            alert("StorageFailing", "critical", "storage", operation="get"),
        ],
        ["HttpConnectionsHigh"],
    ),
    (
        # An outage that is over: what only looks back on it, and only as far as a warning.
        [
            alert("RecentOutage", "none", "meta", window="1h"),
            alert("HttpShedding", "warning", "http"),
            alert("ApiAvailabilityBudgetBurning", "critical", "http", slo="api_availability"),
            alert("JobsDying", "warning", "jobs", queue="knowledge"),
            WEBHOOK_FAILS,
        ],
        ["HttpShedding"],
    ),
    ([alert("RecentOutage", "none", "meta", window="10m"), WEBHOOK_FAILS, MAIL_FAILS, alert("AlertPathBroken", "critical", "meta")], ["AlertmanagerCannotDeliver", "AlertPathBroken"]),
    (
        [alert("DatabaseLockHeld", "warning", "database"), alert("HttpShedding", "warning", "http"), alert("ApiAvailabilityBudgetBurning", "critical", "http", slo="api_availability")],
        ["HttpShedding"],
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
            alert("LlmProviderFailing", "critical", "llm", provider="openrouter"),
            alert("LlmProviderFailing", "warning", "llm", provider="openrouter"),
            alert("LlmProviderFailing", "warning", "llm", provider="local"),
            alert("AnswerSuccessBudgetBurning", "critical", "agents", slo="answer_success"),
        ],
        ["LlmProviderFailing", "AnswerSuccessBudgetBurning"],
    ),
    ([alert("LlmProviderFailing", "warning", "llm", provider="openrouter"), alert("AnswerSuccessBudgetBurning", "critical", "agents", slo="answer_success")], []),
    (
        [alert("JobWorkersStopped", "critical", "jobs", queue="knowledge"), alert("JobQueueStuck", "critical", "jobs", queue="knowledge"), alert("JobsDying", "warning", "jobs", queue="knowledge")],
        ["JobQueueStuck"],
    ),
    (
        # No worker: nothing is checked, rolled up or rendered. That a channel of incidents fails is another matter.
        [
            alert("JobWorkersStopped", "critical", "jobs", queue="system"),
            alert("UptimeProberMissing", "critical", "uptime"),
            alert("UptimeRollupBehind", "warning", "uptime"),
            alert("StatusPageStale", "critical", "status_page"),
            alert("IncidentNotificationFailing", "critical", "incidents"),
        ],
        ["UptimeProberMissing", "UptimeRollupBehind", "StatusPageStale"],
    ),
    ([alert("UptimeProberMissing", "critical", "uptime"), alert("StatusPageStale", "critical", "status_page")], ["StatusPageStale"]),
    # Idle ones go on to check and to render.
    ([alert("JobWorkersIdle", "critical", "jobs"), alert("StatusPageStale", "critical", "status_page")], []),
    ([alert("UptimeCertificateEnds", "critical", "uptime"), alert("UptimeCertificateEnds", "warning", "uptime")], ["UptimeCertificateEnds"]),
]


def configured(config, environment):
    """What compose/alertmanager/configure.sh makes of the configuration with these lines in compose/.env."""
    done = subprocess.run(["sh", config.parent / "configure.sh"], input=config.read_text(), capture_output=True, text=True, env={**environment, "PATH": os.environ["PATH"]})
    if done.returncode:
        raise ValueError(done.stderr.strip())
    # Mounted in the container.
    return done.stdout.replace("/etc/alertmanager/", f"{config.parent}/")


def problems(config, alerts):
    """Findings, as text. `alerts`: the names that the rules have."""
    checked = subprocess.run(["amtool", "check-config", config], capture_output=True, text=True)
    if checked.returncode:
        yield f"amtool check-config: {checked.stdout}{checked.stderr}"
        return
    # A name that no rule has silences nothing, without a word.
    matchers = re.findall(r'alertname(?:=~|!~|!=|=)"([^"]*)"', config.read_text())
    for name in {name for text in matchers for name in text.split("|")} - alerts:
        yield f"alertmanager.yml names {name}, which is no alert"
    for environment, name in ((OUTSIDE, "outside"), ({}, "nobody")):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(configured(config, environment))
            file.flush()
            for labels, receivers in ROUTES:
                wanted = receivers.replace("outside", name)
                pairs = [f"{key}={value}" for key, value in labels.items()]
                routed = subprocess.run(["amtool", "config", "routes", "test", f"--config.file={file.name}", f"--verify.receivers={wanted}", *pairs], capture_output=True, text=True)
                if routed.returncode:
                    yield f"{labels} does not go to {wanted}: {routed.stdout}{routed.stderr}"
    for firing, silenced in INHIBITION:
        got = inhibited(config, firing)
        if sorted(got) != sorted(silenced):
            yield f"of {[a['alertname'] for a in firing]} these are silenced: {sorted(got)}, not {sorted(silenced)}"


def inhibited(config, firing):
    """Names of those of `firing` that a real Alertmanager holds back. Nothing is sent: every group waits longer than this takes."""
    port = free_port()
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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
