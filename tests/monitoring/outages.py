#!/usr/bin/env python3
"""Outages that are caused for real: which alert says so, after how many seconds, who is told without Holdfast, and what stays silent.

    outages.py --binary PATH --models DIR [--faster N] [--only NAME...] [--table FILE]
    outages.py --binary PATH --models DIR --scrapes DIR

Starts PostgreSQL, an S3 service, a mail server, an api and a worker process. Then, one after the other, each outage of OUTAGES, each before a new Prometheus with
the rules of alerts/, whose durations are divided by N, and a new Alertmanager with the configuration of compose/ and a webhook outside: the alerts
that it must raise have to fire and to arrive outside; what is told besides must be on its list, during it and afterwards; what it lists as silent must not
be told. Writes a table. As root (it freezes PostgreSQL, mounts a disk, makes a control group); needs Debian's prometheus,
prometheus-alertmanager, prometheus-node-exporter, postgresql, libfaketime and openssl. About half an hour.

With --scrapes: only what a process of each role exports, as holdfast-api.txt and holdfast-worker.txt, for rules.py: a rule test may not feed
what the process that it names does not have. Needs no root, and half a minute.
"""
import argparse
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
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from alertmanager import ask
from live import CLIENTS
from management import wait_for
from place import FAKETIME, Place
from with_appliance import start_upstream


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
    silent = {"LlmInternalErrors", "HttpShedding", "LogErrorsHigh"}

    def cause(self):
        for child in self.place.mock_children:
            child.terminate()
            child.wait(10)
        self.asking = self.place.load("/v1/chat/completions", {"model": "mock/mock-echo", "messages": [{"role": "user", "content": "hello"}]})

    def mend(self):
        self.asking.set()
        port = self.place.mock.rpartition(":")[2]
        start_upstream([sys.executable, str(CLIENTS / "mock_openai.py"), "--port", port], self.place.mock_children)


class MailServerDown(Outage):
    """The SMTP server is gone, with mail to send; it comes back, and an operator tries one of the mails."""

    raises = {"MailProviderFailing"}
    silent = {"MailQueueStuck", "MailOldestWaiting", "MailNotConfiguredButWaiting", "MailBounceRateHigh", "JobRetriesHigh", "JobsDying", "LogErrorsHigh"}
    lasts = 40

    def cause(self):
        self.place.mail.terminate()
        self.place.mail.wait(10)
        mail = {"subject": "Kettles", "text": "The kettle is ready."}
        self.ids = [self.place.session.call("POST", "/api/v1/mail/messages", {"to": f"reader@{domain}.example", **mail})["id"] for domain in ("one", "two", "three")]

    def mend(self):
        self.place.start_mail()
        self.place.session.call("POST", f"/api/v1/mail/messages/{self.ids[0]}/retry")
        wait_for("what waited is sent", lambda: {self.place.session.call("GET", f"/api/v1/mail/messages/{id}")["state"] for id in self.ids} == {"sent"}, 120)


class MailServerFull(Outage):
    """The disk of the SMTP server is full: it puts off whatever it is given. When there is room again, an operator tries the mails."""

    raises = {"MailNothingSent"}
    silent = {"MailProviderFailing", "MailQueueStuck", "MailOldestWaiting", "MailBounceRateHigh", "JobRetriesHigh", "JobsDying", "LogErrorsHigh"}

    def cause(self):
        self.place.mail_full.touch()
        mail = {"subject": "Kettles", "text": "The kettle is ready."}
        self.ids = [self.place.session.call("POST", "/api/v1/mail/messages", {"to": f"reader@full{n}.example", **mail})["id"] for n in range(6)]

    def mend(self):
        self.place.mail_full.unlink()
        for id in self.ids:
            self.place.session.call("POST", f"/api/v1/mail/messages/{id}/retry")
        wait_for("what was put off is sent", lambda: {self.place.session.call("GET", f"/api/v1/mail/messages/{id}")["state"] for id in self.ids} == {"sent"}, 120)


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
        # Without CA:FALSE it is a certificate authority's, which no server may show.
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
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


# Those of backups come last: that a backup failed is told for six hours.
OUTAGES = [WorkerDead, HoldfastDead, DatabaseFrozen, DatabaseKilled, ProviderDown, MailServerDown, MailServerFull, LockHeld, ClockOff, CertificateEnding, MemoryLimit, DiskFull, DestinationAway, JobsDying]


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
            for kind in OUTAGES:
                if args.only and kind.__name__ not in args.only:
                    continue
                print(f"      {kind.__name__} ...", flush=True)
                with ExitStack() as monitoring:
                    place.monitor(monitoring)
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
