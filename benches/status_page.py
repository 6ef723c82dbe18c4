"""Status pages: page and JSON at a fixed rate from memory, what the database is asked meanwhile, and the time to render a page with a long history.
Used by bench.py.

The client is an open loop: a request is due at its time whether or not the one before was answered, and its latency counts from then. It is a process
of its own on the same machine, so what it takes of the processor is part of the figures.
"""
import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import uptime
from backup import Server
from management import wait_for

RATE, GOAL, CONNECTIONS = 2000, 5, 64
# Components with two years of changes; 5 million checks are stored beside them and must not be read for a page.
FILL = """
INSERT INTO incident_components (id, key, code, name, status, since, created_by, created_at, updated_at)
  SELECT md5('bench-' || n)::uuid, 'bench-' || n, lpad('b' || n, 12, '0'), 'Component ' || n, 'operational', now() - interval '2 years', 'bench',
    now() - interval '2 years', now() FROM generate_series(1, {components}) n;
INSERT INTO incident_component_changes (id, component_id, status, at)
  SELECT md5('change-' || n || '-' || k)::uuid, md5('bench-' || n)::uuid, CASE k % 2 WHEN 0 THEN 'operational' ELSE 'major_outage' END,
    now() - interval '2 years' + k * interval '2 days' FROM generate_series(1, {components}) n, generate_series(0, 364) k;
-- Each has a monitor of those with stored checks: their last ones and their figures are read once a minute, and when the page itself is changed.
INSERT INTO incident_component_monitors (component_id, monitor_id, weight)
  SELECT md5('bench-' || n)::uuid, md5('past-' || n)::uuid, 'major_outage' FROM generate_series(1, {components}) n;
"""


async def ask(reader, writer, request):
    """One request on a kept connection."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:200]
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)


async def load(url, path, rate, seconds):
    """Latencies in milliseconds, from when each request was due."""
    at = urlsplit(url)
    request = f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    free = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(at.hostname, at.port))
    loop, seen, tasks = asyncio.get_running_loop(), [], set()

    async def one(due):
        connection = await free.get()
        await ask(*connection, request)
        free.put_nowait(connection)
        seen.append((loop.time() - due) * 1000)

    begin = loop.time()
    for number in range(rate * seconds):
        due = begin + number / rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        task = loop.create_task(one(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return seen


def measured(url, path, rate=RATE, seconds=20):
    """p50, p99 and the highest latency, of a client in a process of its own."""
    command = [sys.executable, __file__, url, path, str(rate), str(seconds)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent).stdout)


def metric(appliance, name):
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{appliance.ops}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def measure(start, folder, components=100, seconds=20):
    """Yields rows (what, value, goal)."""
    server = Server(folder)
    try:
        appliance, api, _ = start({"HOLDFAST_DATABASE__URL": server.url, "HOLDFAST_STATUS_PAGE__REQUESTS_PER_MINUTE": "1000000"})
        uptime.fill(server)
        server.sql(FILL.format(components=components))
        ids = server.sql("SELECT id FROM incident_components WHERE key LIKE 'bench-%' ORDER BY key").split()
        page = {"slug": "bench", "name": "Bench", "visibility": "public", "components": [{"component_id": id} for id in ids]}
        made = api.call("POST", "/api/v1/status-pages?installation=true", page)

        def is_served():
            import urllib.error
            import urllib.request

            try:
                return urllib.request.urlopen(f"{appliance.url}/status/bench").read()
            except urllib.error.HTTPError:
                return None

        size = len(wait_for("the page is served", is_served) or is_served())
        yield f"page with {components} components and two years of changes", f"{size / 1000:.1f} kB", "50 kB"
        for what, path in (("page", "/status/bench"), ("summary.json", "/status/bench/api/v2/summary.json")):
            before = int(server.sql("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'holdfast'"))
            p50, p99, most = measured(appliance.url, path, seconds=seconds)
            after = int(server.sql("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'holdfast'"))
            yield f"{what} at {RATE}/s for {seconds} s, p50 / p99 / highest", f"{p50:.2f} / {p99:.2f} / {most:.1f} ms", f"p99 {GOAL} ms"
            yield f"transactions of the whole process meanwhile, {what}, for each request", f"{(after - before) / (RATE * seconds):.4f}", "0 of requests"
        times = []
        for number in range(50):
            count, total = (metric(appliance, f"holdfast_status_page_render_duration_seconds_{end}") for end in ("count", "sum"))
            api.call("PATCH", f"/api/v1/status-pages/{made['id']}", {"about": f"number {number}"})
            wait_for("it is rendered", lambda: metric(appliance, "holdfast_status_page_render_duration_seconds_count") > count)
            times.append((metric(appliance, "holdfast_status_page_render_duration_seconds_sum") - total) * 1000)
        yield "reading and rendering it in every form beside 5 million stored checks, p50 / p99 of 50", f"{statistics.median(times):.0f} / {sorted(times)[-1]:.0f} ms", "100 ms"
    finally:
        server.stop()


if __name__ == "__main__":
    url, path, rate, seconds = sys.argv[1:]
    all_seen = sorted(asyncio.run(load(url, path, int(rate), int(seconds))))
    print(json.dumps([statistics.median(all_seen), all_seen[int(len(all_seen) * 0.99)], all_seen[-1]]))
