"""A backup of a large database: against the same made by hand, and what it costs the service meanwhile. Used by bench.py.

By hand is `pg_dump -Fc -Z0 | zstd | age` into a file, synced. The appliance seals the same dump, and also counts every table,
reads what it has written back, and signs. Needs age, zstd and PostgreSQL's programs.
"""
import http.client
import os
import re
import shutil
import statistics
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path

# Half text (an answer of 2 KB, of words), half vectors (384 random floats, which do not compress): as a knowledge base is.
FILL = """
INSERT INTO agents (id, org_id, slug, name, current_version, created_at, updated_at)
  SELECT gen_random_uuid(), id, 'bench', 'Bench', 1, now(), now() FROM organisations;
INSERT INTO conversations (id, org_id, agent_id, subject, created_at, updated_at) SELECT gen_random_uuid(), org_id, id, 'key:bench', now(), now() FROM agents;
INSERT INTO messages (id, org_id, conversation_id, role, status, content, created_at)
  SELECT gen_random_uuid(), c.org_id, c.id, 'assistant', 'complete',
    (SELECT string_agg((ARRAY['valve','pressure','warranty','kettle','contract','invoice','delivery','customer','engine','torque','garden',
      'policy','holiday','salary','server','backup'])[1 + floor(random() * 16)::int], ' ') FROM generate_series(1, 270 + n * 0)), now()
  FROM conversations c, generate_series(1, {texts}) AS n;
INSERT INTO embedding_cache (org_id, model_id, text_hash, vector, created_at, last_used_at)
  SELECT o.id, 'bench', sha256(n::text::bytea),
    (SELECT string_agg(sha256((n * 48 + k)::text::bytea), '') FROM generate_series(1, 48) AS k), now(), now()
  FROM organisations o, generate_series(1, {vectors}) AS n;
"""


class Server:
    """A PostgreSQL of the benchmark's own, so that both ways dump the same database."""

    def __init__(self, folder):
        newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
        self.bin = newest[-1].parent
        self.data = folder / "postgres"
        self.data.mkdir()
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.data, "postgres", "postgres")
        self.run("initdb", "-D", self.data / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.data}"
        self.run("pg_ctl", "-D", self.data / "data", "-w", "-l", self.data / "log", "-o", options, "start")
        self.sql("CREATE DATABASE holdfast", "postgres")
        self.url = f"postgres://postgres@{str(self.data).replace('/', '%2F')}/holdfast"

    def run(self, program, *arguments):
        subprocess.run([*self.user, self.bin / program, *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL)

    def sql(self, text, database="holdfast"):
        command = [self.bin / "psql", "-h", self.data, "-U", "postgres", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def stop(self):
        self.run("pg_ctl", "-D", self.data / "data", "-m", "immediate", "stop")


def by_hand(server, recipient, target):
    """Returns seconds."""
    started = time.monotonic()
    pipe = f"set -o pipefail; {server.bin}/pg_dump -h {server.data} -U postgres -Fc -Z0 holdfast | zstd -q -3 | age -r {recipient} > {target} && sync {target}"
    subprocess.run(["bash", "-c", pipe], check=True)
    return time.monotonic() - started


class Requests:
    """People at work: 60 authenticated reads through row-level security a second, at fixed times, from four of them.

    They stand for other machines: where that is allowed, they do not wait for the processor here. Their first two seconds do not count.
    """

    def __init__(self, url, key, rate=60, people=4):
        self.address, self.key, self.pause = url.removeprefix("http://"), key, people / rate
        self.times, self.stopping = [], threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(people)]
        for thread in self.threads:
            thread.start()
        self.begin = time.monotonic() + 2
        time.sleep(2)

    def work(self):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pass
        connection = http.client.HTTPConnection(self.address, timeout=30)
        due = time.monotonic()
        while not self.stopping.is_set():
            # From the time it was due: waiting behind a slow one counts.
            connection.request("GET", "/api/v1/knowledge-bases", headers={"Authorization": f"Bearer {self.key}"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            self.times.append((time.monotonic(), (time.monotonic() - due) * 1000))
            due += self.pause
            time.sleep(max(0, due - time.monotonic()))

    def stop(self):
        """Returns the 99th percentile, milliseconds."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return statistics.quantiles([took for at, took in self.times if at > self.begin], n=100)[98]


class Memory:
    """The highest resident memory of a process while it was watched, MB."""

    def __init__(self, pid):
        self.pid, self.highest, self.stopping = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.stopping.wait(0.05):
            status = Path(f"/proc/{self.pid}/status").read_text()
            self.highest = max(self.highest, int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        return self.highest


def destination(folder):
    """Settings for backups into a new folder in this one."""
    (folder / "near").mkdir()
    key_file = folder / "key"
    subprocess.run(["age-keygen", "-o", key_file], check=True, capture_output=True)
    return {
        "HOLDFAST_BACKUP__RECIPIENTS": re.search(r"age1\w+", key_file.read_text()).group(),
        "HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL": str(folder / "near"),
        "HOLDFAST_BACKUP__KEEP_DAILY": "1",
    }


def backup_by_job(api):
    """Makes a backup as the schedule does, by a job in the serving process that also removes old ones. Returns the backup."""
    job = api.call("POST", "/api/v1/backups")["job_id"]
    while api.call("GET", f"/api/v1/jobs/{job}")["state"] not in ("succeeded", "cancelled", "dead"):
        time.sleep(1)  # Asking is a request too, which a backup makes room for.
    made = api.call("GET", "/api/v1/backups?limit=1")["data"][0]
    assert made["status"] == "verified", made
    return made


def change(server, mark):
    """Other rows, as many: the same dump would not be stored again."""
    server.sql(f"UPDATE embedding_cache SET vector = sha256('{mark}') || substr(vector, 33) WHERE text_hash < '\\x01'")
    server.sql("CHECKPOINT")


def measure(start, folder, megabytes, runs=3):
    """`start(settings)` starts an appliance and returns it with a session's API and a key. Yields rows (what, value, goal)."""
    server = Server(folder)
    (folder / "hand").mkdir()
    settings = {"HOLDFAST_DATABASE__URL": server.url, **destination(folder)}
    recipient = settings["HOLDFAST_BACKUP__RECIPIENTS"]
    try:
        appliance, api, key = start(settings)
        rows = megabytes * 1024 // 2
        server.sql(FILL.format(texts=rows // 2, vectors=rows // 2))
        server.sql("VACUUM ANALYZE")
        server.sql("CHECKPOINT")
        size = int(server.sql("SELECT pg_database_size('holdfast')")) / 1e9
        hand, ours, idle, busy, beside, more = [], [], [], [], [], []
        for run in range(runs):
            change(server, f"hand {run}")
            hand.append(by_hand(server, recipient, folder / "hand" / "dump"))
            requests = Requests(appliance.url, key)
            by_hand(server, recipient, folder / "hand" / "dump")
            beside.append(requests.stop())
            requests = Requests(appliance.url, key)
            time.sleep(12)
            idle.append(requests.stop())
            change(server, f"busy {run}")
            before = appliance.resident_mb()
            memory, requests = Memory(appliance.process.pid), Requests(appliance.url, key)
            made = backup_by_job(api)
            busy.append(requests.stop())
            more.append(memory.stop() - before)
            ours.append(backup_time(made))
        # Without the readers, for the comparison with the one by hand, which had none either.
        alone = []
        for run in range(runs):
            change(server, f"alone {run}")
            alone.append(backup_time(backup_by_job(api)))
        by, own = statistics.median(hand), statistics.median(alone)
        yield f"backup of a database of {size:.1f} GB by hand: pg_dump -Fc, zstd, age (median of {runs})", f"{by:.1f} s", ""
        yield "the same by `backup.run`, read back and signed", f"{own:.1f} s ({own / by:.2f} times)", "at most 1.2 times"
        yield "p99 of 60 reads/s without a backup", f"{statistics.median(idle):.1f} ms", ""
        p99, was = statistics.median(busy), statistics.median(idle)
        yield "p99 of 60 reads/s during a backup", f"{p99:.1f} ms ({p99 / was:.2f} times; the backup then takes {statistics.median(ours):.1f} s)", "at most 2 times"
        yield "the same during the one by hand", f"{statistics.median(beside):.1f} ms ({statistics.median(beside) / was:.2f} times)", ""
        yield "resident memory during a backup, more than before", f"{max(more):.0f} MB", "at most 200 MB"
    finally:
        server.stop()


def backup_time(made):
    """Seconds from begin to end, as the backup's row says."""
    began, ended = (datetime.fromisoformat(made[name].replace("Z", "+00:00")) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds()

