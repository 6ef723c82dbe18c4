"""Uptime Kuma and Gatus on the same machine, with the same targets, one after the other: memory for each 1 000 monitors, and the latency of the page
or API that visitors ask for. Used by bench.py.

    BENCH_KUMA   folder of a built Uptime Kuma 2 (`npm ci`, with a `db/kuma.db` that has an administrator and a status page `bench`)
    BENCH_GATUS  the program gatus

Neither is part of this project. One that is not there gives a row that says so, never an empty pass.
"""
import os
import re
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from status_page import measured
from with_appliance import free_port

MONITORS, EVERY, SETTLE = 1000, 60, 600


def resident_mb(pid):
    """Of a process and its children."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        mine = status.parent.name == str(pid) or re.search(rf"^PPid:\t{pid}$", text, re.M)
        found = re.search(r"VmRSS:\s+(\d+)", text)
        total += int(found[1]) if mine and found else 0
    return total / 1024


def run(command, environment, cwd, url, page):
    """Starts a peer, lets it check for ten minutes, and yields memory and latencies."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(url + page, timeout=10).read()
                break
            except OSError:
                time.sleep(1)
        empty = resident_mb(process.pid)
        time.sleep(SETTLE)
        return empty, resident_mb(process.pid), measured(url, page, rate=50, seconds=20)
    finally:
        process.terminate()
        process.wait(30)


def kuma(folder, target):
    database = folder / "db" / "kuma.db"
    with sqlite3.connect(database) as db:
        db.execute("DELETE FROM monitor WHERE name LIKE 'bench-%'")
        columns = "name, active, user_id, interval, url, type, maxretries, method, accepted_statuscodes_json"
        rows = [(f"bench-{n}", 1, 1, EVERY, f"{target}?n={n}", "http", 0, "GET", '["200-299"]') for n in range(MONITORS)]
        db.executemany(f"INSERT INTO monitor ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    port = free_port()
    return run(["node", "server/server.js"], {"UPTIME_KUMA_PORT": str(port)}, folder, f"http://127.0.0.1:{port}", "/api/status-page/bench")


def gatus(program, target):
    port = free_port()
    lines = [f"web:\n  port: {port}\nendpoints:"]
    lines += [f"  - name: bench-{n}\n    url: {target}?n={n}\n    interval: {EVERY}s\n    conditions: ['[STATUS] == 200']" for n in range(MONITORS)]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text("\n".join(lines))
        return run([program], {"GATUS_CONFIG_PATH": str(config)}, folder, f"http://127.0.0.1:{port}", "/api/v1/endpoints/statuses")


def measure(target):
    """Yields rows (what, value, goal). `target`: an address that answers 200."""
    for name, setting, ask in (("Uptime Kuma", "BENCH_KUMA", kuma), ("Gatus", "BENCH_GATUS", gatus)):
        place = os.environ.get(setting)
        if not place or not Path(place).exists():
            yield f"{name}, {MONITORS} monitors at {EVERY} s", f"not installed ({setting} names nothing)", ""
            continue
        empty, full, (p50, p99, _) = ask(Path(place), target)
        yield f"{name}, resident memory with {MONITORS} monitors at {EVERY} s (at start {empty:.0f} MB)", f"{full:.0f} MB", "ours is less"
        yield f"{name}, its page's data at 50/s, p50 / p99", f"{p50:.1f} / {p99:.1f} ms", "ours is faster"
