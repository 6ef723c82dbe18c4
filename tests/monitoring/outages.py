#!/usr/bin/env python3
"""Outages that are caused for real: which alert says so, after how many seconds, who is told without Holdfast, and what stays silent.

    outages.py --binary PATH --models DIR [--faster N] [--only NAME...] [--table FILE]
    outages.py --binary PATH --models DIR --scrapes DIR

Starts PostgreSQL, an S3 service, an api and a worker process, Prometheus with the rules of alerts/, whose durations are divided by N, and
Alertmanager with the configuration of compose/ and a webhook outside. Then, one after the other, each outage of OUTAGES: the alerts that it
must raise have to fire and to arrive outside; what is told besides must be on its list, during it and afterwards; what it lists as silent must not
be told. Writes a table. As root (it freezes PostgreSQL, mounts a disk, makes a control group); needs Debian's prometheus,
prometheus-alertmanager, prometheus-node-exporter, postgresql, libfaketime and openssl. About half an hour.

With --scrapes: only what a process of each role exports, as holdfast-api.txt and holdfast-worker.txt, for rules.py: a rule test may not feed
what the process that it names does not have. Needs no root, and half a minute.
"""
import argparse
import datetime
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import outside
from alertmanager import ask, free_port
from incidents import faster_rules
from live import CLIENTS, ROOT, SCRAPE
from management import SCOPES, Api, wait_for
from with_appliance import EMAIL, start_upstream

PASSWORD = "correct horse battery staple 42"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
KEY = "AGE-SECRET-KEY-1S46GMC3PU79CQAULSRL4UPXCUUAHLMSVFMKJ37P9ZFTYUS55DNNSRFE5R7\n"
RECIPIENT = "age1t63e75esuapgwa699efd7j03u6e9847d54x2jd5fneqnt2slg4ksn3fnxs"


def postgres_bin():
    return sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))[-1].parent


class Cluster:
    """A PostgreSQL of its own, over TCP, which can be frozen and killed."""

    def __init__(self, folder):
        self.bin, self.data, self.port = postgres_bin(), folder / "cluster", free_port()
        self.data.mkdir()
        # The server refuses to run as root.
        self.under = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.under:
            shutil.chown(self.data, "postgres")
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()
        self.psql("CREATE DATABASE holdfast", database="postgres")
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/holdfast"

    def run(self, program, *arguments, **options):
        return subprocess.run([*self.under, self.bin / program, *map(str, arguments)], check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-l", self.data / "log", "-w", "-o", f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories= -c fsync=off", "start")

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    def psql(self, sql, database="holdfast"):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", database, "-c", sql], check=True, stdout=subprocess.DEVNULL)

    def signal(self, number):
        postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True).stdout.split()
        for pid in [postmaster, *map(int, children)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def hold(self, table):
        """A session that has locked a table, until it is killed."""
        sql = f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
        return subprocess.Popen(["psql", "-qX", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "holdfast", "-c", sql], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Process:
    """A Holdfast process of one role, with a data directory of its own."""

    def __init__(self, place, name, role, data=None, **settings):
        self.name, self.role, self.place = name, role, place
        self.listen, self.ops = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.url, self.child = f"http://{self.listen}", None
        self.data = data or place.folder / name
        self.settings = settings

    def start(self, under=(), **environment):
        self.data.mkdir(exist_ok=True)
        base = {"HOLDFAST_DATA_DIR": str(self.data), "HOLDFAST_SERVER__LISTEN": self.listen, "HOLDFAST_OPS__LISTEN": self.ops}
        self.log = self.place.folder / f"{self.name}.log"
        with self.log.open("a") as output:
            command = [*under, self.place.args.binary, "serve", "--role", self.role]
            self.child = subprocess.Popen(command, env={**self.place.environment, **base, **self.settings, **environment}, stdout=output, stderr=output, start_new_session=True)
        wait_for(f"{self.name} is ready", self.ready, 90)
        self.place.watch()

    def ready(self):
        assert self.child.poll() is None, f"{self.name} ended with {self.child.returncode}:\n{self.log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(f"http://{self.ops}/readyz", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def kill(self, number=signal.SIGKILL):
        os.killpg(self.child.pid, number)
        self.child.wait(40)

    def runs(self):
        return self.child is not None and self.child.poll() is None


class Place:
    """Everything that runs, and what is heard outside."""

    def __init__(self, args, folder, stack):
        self.args, self.folder, self.stack = args, folder, stack
        self.processes = []
        self.outside = outside.Webhook()
        self.prometheus, self.node = free_port(), free_port()
        self.token = folder / "token"
        self.token.write_text("a-token-for-this-test-alone")
        (folder / "key").write_text(KEY)
        for name in ("near", "far"):
            (folder / name).mkdir()
        self.mock_children = []
        self.mock = start_upstream([sys.executable, str(CLIENTS / "mock_openai.py")], self.mock_children)
        (folder / "mock-key").write_text("mock-key\n")
        (folder / "mock-key").chmod(0o600)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "HOLDFAST_ADMIN__EMAIL": EMAIL,
            "HOLDFAST_ADMIN__PASSWORD": PASSWORD,
            "HOLDFAST_LLM__EMBEDDING__MODEL_DIR": str(Path(args.models).resolve() / "all-MiniLM-L6-v2"),
            "HOLDFAST_LLM__PROVIDERS__MOCK__KIND": "openai",
            "HOLDFAST_LLM__PROVIDERS__MOCK__BASE_URL": f"{self.mock}/v1",
            "HOLDFAST_LLM__PROVIDERS__MOCK__API_KEY_FILE": str(folder / "mock-key"),
            "HOLDFAST_ALERTING__TOKEN_FILE": str(self.token),
            "HOLDFAST_BACKUP__RECIPIENTS": RECIPIENT,
            "HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL": str(folder / "near"),
            "HOLDFAST_BACKUP__DESTINATIONS__FAR__URL": str(folder / "far"),
        }

    def several(self):
        """An installation on several hosts: what its processes share is outside of them."""
        self.cluster = Cluster(self.folder)
        self.stack.callback(self.cluster.stop)
        self.stack.callback(self.cluster.signal, signal.SIGCONT)
        s3 = subprocess.Popen([sys.executable, str(CLIENTS / "s3_server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.stack.callback(s3.terminate)
        account = json.loads(s3.stdout.readline())
        (self.folder / "master.key").write_text("1f" * 32)
        self.environment |= {
            "HOLDFAST_DATABASE__URL": self.cluster.url,
            "HOLDFAST_SECRET_KEY_FILE": str(self.folder / "master.key"),
            "HOLDFAST_STORAGE__URL": "s3://holdfast/objects",
            "HOLDFAST_STORAGE__S3_ENDPOINT": account["endpoint"],
            "HOLDFAST_STORAGE__S3_ACCESS_KEY_ID": account["access_key_id"],
            "HOLDFAST_STORAGE__S3_SECRET_ACCESS_KEY": account["secret_access_key"],
            "HOLDFAST_KNOWLEDGE__INDEX_URL": "s3://holdfast/vectors",
        }
        self.api, self.worker = self.process("api", "api"), self.process("worker", "worker")
        self.api.start()
        self.worker.start()

    def scrapes(self, folder):
        """What each has when its gauges have been read, with work of every kind done once."""
        base = self.session.call("POST", "/api/v1/knowledge-bases", {"name": "once"})["id"]
        self.session.upload(base, "note.md", "# Pump\n\nThe pump starts at two metres.\n")
        time.sleep(35)
        for process in self.processes:
            request = urllib.request.Request(f"http://{process.ops}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
            with urllib.request.urlopen(request, timeout=30) as response:
                (folder / f"holdfast-{process.role}.txt").write_text(response.read().decode())

    def process(self, name, role, **more):
        process = Process(self, name, role, **more)
        self.processes.append(process)
        self.stack.callback(lambda: process.runs() and process.kill())
        return process

    def forget(self, process):
        """Taken out of service: its target goes with it."""
        if process.runs():
            process.kill(signal.SIGTERM)
        self.processes.remove(process)
        self.watch()

    def watch(self):
        targets = [{"targets": [process.ops for process in self.processes if process.child]}]
        path = self.folder / "targets.json"
        path.with_suffix(".new").write_text(json.dumps(targets))
        path.with_suffix(".new").rename(path)

    def monitor(self):
        rules = self.folder / "alerts"
        shutil.copytree(ROOT / "alerts", rules, ignore=shutil.ignore_patterns("tests"))
        faster_rules(rules, self.args.faster)
        # Objectives wait for what Holdfast sees by itself every 15 s, which is not divided.
        slo = (rules / "slo.yml").read_text()
        (rules / "slo.yml").write_text(re.sub(r"for: \d+s", "for: 20s", slo))
        self.manager = self.stack.enter_context(outside.alertmanager(self.folder, {"ALERTS_WEBHOOK_URL": self.outside.url}, self.args.faster, holdfast=self.api.url, token=self.token))
        manager = self.manager.removeprefix("http://").partition("/")[0]
        jobs = {"prometheus": f"127.0.0.1:{self.prometheus}", "alertmanager": manager, "node": f"127.0.0.1:{self.node}"}
        config = {
            "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s", "evaluation_interval": f"{SCRAPE}s", "external_labels": {"public_url": self.api.url, "grafana_url": "http://localhost:3000"}},
            "rule_files": [f"{rules}/*.yml"],
            "alerting": {"alert_relabel_configs": [{"action": "labeldrop", "regex": "public_url|grafana_url"}], "alertmanagers": [{"static_configs": [{"targets": [manager]}]}]},
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in jobs.items()]
            + [{"job_name": "holdfast", "file_sd_configs": [{"files": [str(self.folder / "targets.json")], "refresh_interval": "1s"}]}],
        }
        (self.folder / "prometheus.yml").write_text(json.dumps(config))
        self.daemon("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.node}", "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys)($|/)")
        self.daemon("prometheus", f"--config.file={self.folder / 'prometheus.yml'}", f"--storage.tsdb.path={self.folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{self.prometheus}", "--enable-feature=expand-external-labels")
        wait_for("Prometheus sees everything", lambda: self.query("sum(up) == count(up)") and len(self.query("up")) == 3 + len(self.processes), 60)

    def daemon(self, *command):
        with (self.folder / f"{command[0]}.log").open("w") as log:
            child = subprocess.Popen(command, stdout=log, stderr=log)
        self.stack.callback(lambda: (child.terminate(), child.wait(20)))

    def query(self, expr):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.prometheus}/api/v1/query", urllib.parse.urlencode({"query": expr}).encode(), timeout=10) as response:
                return json.load(response)["data"]["result"]
        except OSError:
            return []

    def firing(self, where):
        """Alerts that fire, those with other values of `where` left out."""
        return {sample["metric"]["alertname"] for sample in self.query('ALERTS{alertstate="firing", severity!="none"}') if fits(sample["metric"], where)}

    def sign_in(self):
        session = Api(self.api.url)
        me = session.call("POST", "/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        session.headers["X-CSRF-Token"] = me["user"]["csrf_token"]
        self.session = session
        self.key = session.call("POST", "/api/v1/api-keys", {"name": "outages", "scopes": SCOPES})["secret"]

    def load(self, path, body=None):
        """Asks again and again, from four hands, until it is stopped; what is answered does not matter."""
        ended = threading.Event()

        def hand():
            data = None if body is None else json.dumps(body).encode()
            while not ended.is_set():
                request = urllib.request.Request(self.api.url + path, data, {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
                try:
                    urllib.request.urlopen(request, timeout=30).read()
                except (OSError, urllib.error.HTTPError):
                    pass
                ended.wait(0.1)

        for _ in range(4):
            threading.Thread(target=hand, daemon=True).start()
        return ended

    def told(self, since, where):
        """{alert: seconds after `since`} of what arrived outside and began after that."""
        found = {}
        for at, (_, body) in zip(self.outside.times, self.outside.bodies, strict=False):
            for alert in body["alerts"]:
                name = alert["labels"]["alertname"]
                if at >= since and alert["status"] == "firing" and fits(alert["labels"], where) and seconds_of(alert["startsAt"]) >= since - 1:
                    found.setdefault(name, at - since)
        return found


def fits(labels, where):
    """The test's machine has disks of its own that may be full."""
    return all(labels.get(name, value) == value for name, value in where.items())


def seconds_of(time_text):
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", time_text).replace("Z", "+00:00")).timestamp()


class Outage:
    """`raises` must fire and be told outside; `besides` may be told as well; `silent` must not be, though they are true."""

    raises, besides, silent, where = set(), set(), set(), {}
    # False where it counts over hours, and so goes on for as long when all is well again.
    ends = True
    # How long it goes on after it was told, and how long is listened afterwards.
    lasts, after = 20, 20

    def __init__(self, place):
        self.place = place

    def cause(self): ...

    def mend(self): ...


class WorkerDead(Outage):
    """The last worker is killed, with a document waiting."""

    raises = {"JobWorkersStopped"}
    # It was a target; on a host whose worker was only scaled away there would be none.
    besides = {"TargetDown"}
    silent = {"JobQueueStuck", "JobQueueBehind", "JobScheduleOverdue", "KnowledgeDocumentsStuck"}
    lasts = 40

    def cause(self):
        self.place.worker.kill()
        base = self.place.session.call("POST", "/api/v1/knowledge-bases", {"name": f"waits {time.time()}"})["id"]
        self.place.session.upload(base, "note.md", "# Pump\n\nThe pump starts at two metres.\n")

    def mend(self):
        self.place.worker.start()


class HoldfastDead(Outage):
    """Every Holdfast process is killed."""

    raises = {"HoldfastDown"}
    silent = {"TargetDown", "AlertmanagerCannotDeliver", "JobWorkersStopped", "DatabaseDown", "AlertPathBroken"}
    lasts = 40

    def cause(self):
        for process in self.place.processes:
            process.kill()

    def mend(self):
        for process in self.place.processes:
            process.start()


class DatabaseFrozen(Outage):
    """PostgreSQL is stopped by a signal: it takes connections and says nothing. People go on asking."""

    raises = {"DatabaseDown"}
    silent = {"ApiAvailabilityBudgetBurning", "ApiLatencyBudgetBurning", "AlertsRefused", "AlertmanagerCannotDeliver", "AlertPathBroken", "HttpShedding", "JobWorkersStopped", "JobWorkersIdle", "LogErrorsHigh", "LlmInternalErrors"}
    lasts, after = 60, 60

    def cause(self):
        self.asking = self.place.load("/api/v1/knowledge-bases")
        self.place.cluster.signal(signal.SIGSTOP)

    def mend(self):
        self.place.cluster.signal(signal.SIGCONT)
        self.asking.set()


class DatabaseKilled(DatabaseFrozen):
    """PostgreSQL is killed, and comes back when somebody starts it."""

    def cause(self):
        self.asking = self.place.load("/api/v1/knowledge-bases")
        self.place.cluster.signal(signal.SIGKILL)

    def mend(self):
        (self.place.cluster.data / "postmaster.pid").unlink(missing_ok=True)
        self.place.cluster.start()
        self.asking.set()


class ProviderDown(Outage):
    """The server of the models is gone; programs go on asking."""

    raises = {"LlmProviderFailing"}
    besides = {"ApiAvailabilityBudgetBurning"}
    silent = {"LlmInternalErrors", "HttpShedding"}

    def cause(self):
        for child in self.place.mock_children:
            child.terminate()
            child.wait(10)
        self.asking = self.place.load("/v1/chat/completions", {"model": "mock/mock-echo", "messages": [{"role": "user", "content": "hello"}]})

    def mend(self):
        self.asking.set()
        port = self.place.mock.rpartition(":")[2]
        start_upstream([sys.executable, str(CLIENTS / "mock_openai.py"), "--port", port], self.place.mock_children)


class DestinationAway(Outage):
    """One of two destinations of backups is not there when a backup is made."""

    raises = {"BackupDestinationFailing"}
    besides = {"BackupUnverified", "JobRetriesHigh"}
    silent = {"BackupFailed", "BackupMissing"}
    lost = ("far",)

    def cause(self):
        for name in self.lost:
            (self.place.folder / name).rename(self.place.folder / f"{name}.away")
        self.job = self.place.session.call("POST", "/api/v1/backups")["job_id"]

    def mend(self):
        for name in self.lost:
            (self.place.folder / f"{name}.away").rename(self.place.folder / name)
        self.place.session.call("POST", "/api/v1/backups")


class JobsDying(DestinationAway):
    """No destination is there: the backup fails, is tried again, and gives up."""

    raises = {"BackupFailed", "JobsDying"}
    ends = False
    besides = {"BackupDestinationFailing", "BackupUnverified", "JobRetriesHigh"}
    silent = {"BackupMissing"}
    lost = ("near", "far")


class LockHeld(Outage):
    """Somebody's session has locked a table that every page needs."""

    raises = {"DatabaseLockHeld"}
    besides = {"ApiAvailabilityBudgetBurning", "ApiLatencyBudgetBurning"}
    silent = {"HttpShedding", "DatabasePoolWaitHigh", "DatabaseTransactionLong", "LogErrorsHigh", "DatabaseDown"}

    def cause(self):
        self.asking = self.place.load("/api/v1/knowledge-bases")
        self.holder = self.place.cluster.hold("knowledge_bases")

    def mend(self):
        self.holder.kill()
        self.holder.wait()
        self.place.cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()")
        self.asking.set()


class ClockOff(Outage):
    """A process on a host whose clock is two days behind."""

    raises = {"DatabaseClockSkewed"}

    def cause(self):
        self.process = self.place.process("behind", "api")
        self.process.start(LD_PRELOAD=str(FAKETIME), FAKETIME="-2d", FAKETIME_DONT_FAKE_MONOTONIC="1")

    def mend(self):
        self.place.forget(self.process)


class CertificateEnding(Outage):
    """The proxy in front serves a certificate that ends in two days."""

    raises = {"PublicCertificateExpiring"}
    # The same alert as a warning is silenced by itself; and that address answers.
    silent = {"PublicAddressDown"}

    def cause(self):
        folder = self.place.folder / "front"
        folder.mkdir(exist_ok=True)
        key, cert = folder / "key.pem", folder / "cert.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, *subject], check=True, capture_output=True)

        class Front(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.front = ThreadingHTTPServer(("127.0.0.1", 0), Front)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.front.socket = context.wrap_socket(self.front.socket, server_side=True)
        threading.Thread(target=self.front.serve_forever, daemon=True).start()
        self.process = self.place.process("front-api", "api")
        self.process.start(HOLDFAST_SERVER__PUBLIC_URL=f"https://localhost:{self.front.server_port}", HOLDFAST_SERVER__PROBE_SECONDS="5", SSL_CERT_FILE=str(cert))

    def mend(self):
        self.place.forget(self.process)
        self.front.shutdown()


class MemoryLimit(Outage):
    """A process in a control group whose limit it has nearly reached."""

    raises = {"HoldfastMemoryHigh"}
    silent = {"HostMemoryLow", "HostOomKill"}

    def cause(self):
        two = Path("/sys/fs/cgroup/cgroup.controllers").exists()
        self.group = Path("/sys/fs/cgroup" if two else "/sys/fs/cgroup/memory") / f"holdfast-outage-{os.getpid()}"
        self.group.mkdir()
        self.process = self.place.process("tight", "api")
        # The shell puts itself into the group, and becomes the process.
        self.process.start(under=["sh", "-c", f'echo $$ >{self.group}/cgroup.procs; exec "$@"', "sh"])
        time.sleep(10)
        stat = dict(line.split() for line in (self.group / "memory.stat").read_text().splitlines())
        used = int(stat["anon"]) if two else int(stat["total_rss"])
        (self.group / ("memory.max" if two else "memory.limit_in_bytes")).write_text(str(int(used * 1.03)))

    def mend(self):
        self.place.forget(self.process)
        self.group.rmdir()


class DiskFull(Outage):
    """The disk with everything on it fills up: a private PostgreSQL, files and index on it, and people who upload."""

    raises = {"HostDiskAlmostFull"}
    besides = {"StorageFailing", "LlmUsageRowsLost", "KnowledgeMaintenanceFailing", "BackupDrillDiskShort", "ApiAvailabilityBudgetBurning", "DatabaseDown", "TargetDown", "HoldfastDown", "LogErrorsHigh", "KnowledgeDocumentsFailing"}
    silent = {"HostDiskWillFill"}

    def __init__(self, place):
        super().__init__(place)
        self.mount = place.folder / "disk"
        self.where = {"mountpoint": str(self.mount)}

    def cause(self):
        image = self.place.folder / "disk.img"
        self.mount.mkdir()
        subprocess.run(["truncate", "-s", "700M", image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, self.mount], check=True)
        self.mount.chmod(0o755)
        alone = {name: "" for name in ("HOLDFAST_DATABASE__URL", "HOLDFAST_SECRET_KEY_FILE")}
        keep = {name: value for name, value in self.place.environment.items() if not re.match("HOLDFAST_(DATABASE|SECRET|STORAGE|KNOWLEDGE|BACKUP)_", name) and name not in alone}
        self.process = self.place.process("full", "all", data=self.mount / "data")
        self.before, self.place.environment = self.place.environment, keep
        self.process.start()
        subprocess.run(["sh", "-c", f"cat /dev/zero >{self.mount}/ballast"], stderr=subprocess.DEVNULL)

    def mend(self):
        (self.mount / "ballast").unlink()
        self.place.environment = self.before
        self.place.forget(self.process)
        subprocess.run(["umount", self.mount], check=True)


OUTAGES = [WorkerDead, HoldfastDead, DatabaseFrozen, DatabaseKilled, ProviderDown, DestinationAway, JobsDying, LockHeld, ClockOff, CertificateEnding, MemoryLimit, DiskFull]


def listen(place, seconds, silenced):
    """Waits, and collects what Alertmanager holds back."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for alert in ask(f"{place.manager}/alerts"):
            if alert["status"]["inhibitedBy"]:
                silenced.add(alert["labels"]["alertname"])
        time.sleep(1)


def run(place, outage):
    """One row of the table, and what was wrong with it."""
    problems, silenced, fired, began, where = [], set(), {}, time.time(), outage.where
    already = outage.raises & place.firing(where)
    if already:
        return [], [f"{already} fires before anything is wrong"]
    outage.cause()
    began = time.time() if isinstance(outage, (ClockOff, CertificateEnding, MemoryLimit, DiskFull)) else began
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not (outage.raises <= fired.keys() and outage.raises <= place.told(began, where).keys()):
        for name in place.firing(where) & outage.raises:
            fired.setdefault(name, time.time() - began)
        listen(place, 1, silenced)
    told = place.told(began, where)
    problems += [f"{name} did not fire within 300 s" for name in outage.raises - fired.keys()]
    problems += [f"{name} was not told outside" for name in outage.raises & fired.keys() - told.keys()]
    listen(place, outage.lasts, silenced)
    outage.mend()
    mended = time.time()
    try:
        if outage.ends:
            wait_for("it ends", lambda: not place.firing(where) & outage.raises, 600)
        ended = f"{time.time() - mended:.0f}" if outage.ends else "with its window"
    except AssertionError:
        problems.append(f"{outage.raises & place.firing(where)} did not end within 600 s")
        ended = "never"
    listen(place, outage.after, silenced)
    told = place.told(began, where)
    # What the machine of the test has of its own: a busy processor, a clock that nobody sets.
    machine = {"HostCpuSaturated", "HostClockNotSynchronised", "HostClockSkewed", "HostMemoryLow", "HostDiskAlmostFull", "HostDiskWillFill"} - outage.raises
    besides = told.keys() - outage.raises - machine
    problems += [f"{name} was told after {told[name]:.0f} s, and must be silent" for name in sorted(besides & outage.silent)]
    problems += [f"{name} was told after {told[name]:.0f} s, and nobody expects it" for name in sorted(besides - outage.besides - outage.silent)]
    row = [
        outage.__doc__.split(".")[0].split("\n")[0],
        ", ".join(sorted(outage.raises)),
        ", ".join(f"{seconds:.0f}" for _, seconds in sorted(fired.items())) or "never",
        ", ".join(f"{told[name]:.0f}" for name in sorted(outage.raises) if name in told) or "never",
        ", ".join(f"{name} {told[name]:.0f}" for name in sorted(besides)) or "nothing",
        ", ".join(sorted(silenced - told.keys())) or "nothing",
        ended,
    ]
    return row, problems


HEAD = ["outage", "alert", "fires, s", "told outside, s", "told besides, s", "held back", "ended, s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--models", required=True, help="folder that scripts/fetch-model filled")
    parser.add_argument("--faster", type=int, default=10, metavar="N", help="what durations of the rules are divided by")
    parser.add_argument("--only", nargs="+", choices=[kind.__name__ for kind in OUTAGES], metavar="NAME")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here as well")
    parser.add_argument("--scrapes", type=Path, metavar="DIR", help="only this: what each role exports")
    parser.add_argument("--keep", action="store_true", help="leave the logs")
    args = parser.parse_args()
    if os.geteuid() != 0 and not args.scrapes:
        sys.exit("this freezes a PostgreSQL, mounts a disk and makes a control group: it needs root")
    args.binary = str(Path(args.binary).resolve())
    folder = Path(tempfile.mkdtemp(prefix="holdfast-outages-"))
    folder.chmod(0o755)
    rows, wrong = [], []
    try:
        with ExitStack() as stack:
            place = Place(args, folder, stack)
            stack.callback(lambda: [child.terminate() for child in place.mock_children])
            place.several()
            place.sign_in()
            if args.scrapes:
                place.scrapes(args.scrapes)
                return
            place.monitor()
            for kind in OUTAGES:
                if args.only and kind.__name__ not in args.only:
                    continue
                print(f"      {kind.__name__} ...", flush=True)
                row, problems = run(place, kind(place))
                if not row:
                    print(f"FAIL  {kind.__name__}: {problems[0]}", flush=True)
                    wrong += problems
                    continue
                rows.append(row)
                wrong += [f"{kind.__name__}: {problem}" for problem in problems]
                print(f"{'FAIL ' if problems else 'ok   '} {kind.__name__}: {row[1]} fires after {row[2]} s, outside after {row[3]} s; besides: {row[4]}; held back: {row[5]}", flush=True)
    finally:
        if args.keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        if rows:
            text = "\n".join("| " + " | ".join(cells) + " |" for cells in [HEAD, ["---"] * len(HEAD), *rows]) + "\n"
            if args.table:
                args.table.write_text(text)
            print(text)
    print("\n".join(wrong))
    print(f"outages: {len(rows)}, {len(wrong)} problems; durations of the rules divided by {args.faster}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
