"""What outages.py causes its outages in: PostgreSQL, Holdfast's processes, Prometheus and Alertmanager, and what is told outside."""
import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import outside
from alertmanager import free_port
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
        self.token = folder / "token"
        self.token.write_text("a-token-for-this-test-alone")
        (folder / "key").write_text(KEY)
        for name in ("near", "far"):
            (folder / name).mkdir()
        self.mock_children = []
        self.mock = start_upstream([sys.executable, str(CLIENTS / "mock_openai.py")], self.mock_children)
        self.mail_port, self.mail_full = free_port(), folder / "mail-full"
        self.start_mail()
        stack.callback(lambda: self.mail.terminate())
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
            "HOLDFAST_MAIL__FROM": "Holdfast <holdfast@example.com>",
            "HOLDFAST_MAIL__SMTP_HOST": "127.0.0.1",
            "HOLDFAST_MAIL__SMTP_PORT": str(self.mail_port),
            "HOLDFAST_MAIL__SMTP_SECURITY": "none",
            "HOLDFAST_MAIL__SHARED_SENDER": "true",
            # Alerts of other outages would be mail, too.
            "HOLDFAST_NOTICES__ENABLED": "false",
            "HOLDFAST_BACKUP__RECIPIENTS": RECIPIENT,
            "HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL": str(folder / "near"),
            "HOLDFAST_BACKUP__DESTINATIONS__FAR__URL": str(folder / "far"),
        }

    def start_mail(self):
        """The mail server, on the port that the settings name."""
        self.mail = subprocess.Popen([sys.executable, str(CLIENTS / "smtp_server.py"), "--port", str(self.mail_port), "--full", str(self.mail_full)], stdout=subprocess.PIPE, text=True)
        assert "listening" in self.mail.stdout.readline(), "the mail server did not start"

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

    def monitor(self, stack):
        """Prometheus and Alertmanager without a past, until `stack` ends: rules that look back see one outage alone, and not those before it."""
        folder = Path(tempfile.mkdtemp(prefix="monitor-", dir=self.folder))
        rules = folder / "alerts"
        shutil.copytree(ROOT / "alerts", rules, ignore=shutil.ignore_patterns("tests"))
        faster_rules(rules, self.args.faster)
        # Objectives wait for what Holdfast sees by itself every 15 s, which is not divided.
        slo = (rules / "slo.yml").read_text()
        (rules / "slo.yml").write_text(re.sub(r"for: \d+s", "for: 20s", slo))
        self.manager = stack.enter_context(outside.alertmanager(folder, {"ALERTS_WEBHOOK_URL": self.outside.url}, self.args.faster, holdfast=self.api.url, token=self.token))
        manager = self.manager.removeprefix("http://").partition("/")[0]
        self.prometheus, node = free_port(), free_port()
        jobs = {"prometheus": f"127.0.0.1:{self.prometheus}", "alertmanager": manager, "node": f"127.0.0.1:{node}"}
        config = {
            "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s", "evaluation_interval": f"{SCRAPE}s", "external_labels": {"public_url": self.api.url, "grafana_url": "http://localhost:3000"}},
            "rule_files": [f"{rules}/*.yml"],
            "alerting": {"alert_relabel_configs": [{"action": "labeldrop", "regex": "public_url|grafana_url"}], "alertmanagers": [{"static_configs": [{"targets": [manager]}]}]},
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in jobs.items()]
            + [{"job_name": "holdfast", "file_sd_configs": [{"files": [str(self.folder / "targets.json")], "refresh_interval": "1s"}]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        daemon(stack, folder, "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{node}", "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys)($|/)")
        daemon(stack, folder, "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{self.prometheus}", "--enable-feature=expand-external-labels")
        wait_for("Prometheus sees everything", lambda: self.query("sum(up) == count(up)") and len(self.query("up")) == 3 + len(self.processes), 60)

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


def daemon(stack, folder, *command):
    with (folder / f"{command[0]}.log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    stack.callback(lambda: (child.terminate(), child.wait(20)))


def fits(labels, where):
    """The test's machine has disks of its own that may be full."""
    return all(labels.get(name, value) == value for name, value in where.items())


def seconds_of(time_text):
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", time_text).replace("Z", "+00:00")).timestamp()
