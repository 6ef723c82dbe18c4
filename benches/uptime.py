"""Monitors: how late checks start, what they cost, how soon an outage is known. Used by bench.py.

Monitors are made as SQL; the target is a process of its own on the same machine, `uptime.py --target`, which answers 1 KB after 100 ms and notes when it
was asked. It listens on all of 127.0.0.0/8, because at most four checks run against one address at a time.
"""
import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from backup import Server

DELAY = 0.1
BODY = b"x" * 1024
MONITORS = """
WITH made AS (
  INSERT INTO uptime_monitors (id, key, name, kind, spec, interval_seconds, timeout_ms, retries, successes, created_by, created_at, updated_at)
  SELECT gen_random_uuid(), 'bench-' || n, 'bench', 'http', jsonb_build_object('kind', 'http', 'url', format('http://127.%s.%s.%s:{port}/%s', n / 62500, n / 250 % 250, 1 + n % 250, n)),
    {interval}, {timeout}, {retries}, 1, 'bench', now(), now() FROM generate_series({first}, {last}) AS n RETURNING id)
INSERT INTO uptime_state (monitor_id, status, since, updated_at) SELECT id, 'unknown', now(), now() FROM made
"""
# Paused, so that nothing is asked: seven days of two changes each twelve hours.
PAST = """
WITH made AS (
  INSERT INTO uptime_monitors (id, key, name, kind, spec, interval_seconds, timeout_ms, retries, successes, paused_at, paused_by, created_by, created_at, updated_at)
  SELECT md5('past-' || n)::uuid, 'past-' || n, 'Past ' || n, 'tcp', '{{"kind": "tcp", "host": "127.0.0.1", "port": 9}}'::jsonb, 60, 5000, 1, 1, now(), 'bench', 'bench', now(), now()
    FROM generate_series(1, {monitors}) AS n RETURNING id)
INSERT INTO uptime_state (monitor_id, status, since, updated_at) SELECT id, 'paused', now(), now() FROM made;
INSERT INTO uptime_spans (id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, outage_id, told, term)
  SELECT id, monitor_id, status, starts_at, ends_at, starts_at, 'check', CASE status WHEN 'down' THEN id END, status = 'down', 0 FROM (
    SELECT md5('span-' || n || '-' || k)::uuid AS id, md5('past-' || n)::uuid AS monitor_id, CASE k % 2 WHEN 0 THEN 'up' ELSE 'down' END AS status,
      now() - interval '7 days' + k / 2 * interval '12 hours' + k % 2 * interval '710 minutes' AS starts_at,
      now() - interval '7 days' + (k + 1) / 2 * interval '12 hours' + (k + 1) % 2 * interval '710 minutes' AS ends_at
    FROM generate_series(1, {monitors}) n, generate_series(0, 27) k) spans;
INSERT INTO uptime_spans (id, monitor_id, status, starts_at, confirmed_at, cause, term)
  SELECT md5('open-' || n)::uuid, md5('past-' || n)::uuid, 'paused', now(), now(), 'by_hand', 0 FROM generate_series(1, {monitors}) n;
DO $$ DECLARE day timestamp; BEGIN
  FOR n IN 2..7 LOOP
    day := date_trunc('day', now() AT TIME ZONE 'UTC') - n * interval '1 day';
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF uptime_checks FOR VALUES FROM (%L) TO (%L)',
      'uptime_checks_' || to_char(day, 'YYYYMMDD'), day AT TIME ZONE 'UTC', (day + interval '1 day') AT TIME ZONE 'UTC');
  END LOOP;
END $$;
INSERT INTO uptime_checks (at, monitor, total, connect, lag, outcome, reason, attempt, maintenance)
  SELECT now() - k * interval '1 minute' - m.number % 60 * interval '1 second', m.number, 20000 + (k * 7919 + m.number * 31) % 80000, 15000, 5,
    CASE WHEN k % 1000 = 0 THEN 1 ELSE 0 END, CASE WHEN k % 1000 = 0 THEN 5 ELSE 0 END, 1, false
  FROM generate_series(1, {checks}) k, uptime_monitors m WHERE m.key LIKE 'past-%';
INSERT INTO uptime_hours_open (hour) SELECT date_trunc('hour', h, 'UTC') FROM generate_series(now() - interval '7 days', now(), interval '1 hour') h
  ON CONFLICT (hour) DO NOTHING;
ANALYZE uptime_checks, uptime_spans, uptime_monitors, uptime_state;
"""
LAG = "holdfast_uptime_schedule_lag_seconds"


class Target:
    """Answers, refuses or hangs, as the bench says on its standard input."""

    def __init__(self):
        command = [sys.executable, str(Path(__file__).resolve()), "--target"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


async def target():
    asked, mode = [], "answer"
    server = None

    async def serve(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            asked.append(time.time())
            if mode == "hang":
                await asyncio.sleep(600)
            await asyncio.sleep(DELAY)
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def listen(port):
        return await asyncio.start_server(serve, "0.0.0.0", port, backlog=4096, reuse_address=True)

    server = await listen(0)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().strip():
        answer = {}
        if line == "refuse":
            server.close()
        elif line == "answer":
            if mode == "refuse":
                server = await listen(port)
        elif line == "asked":
            answer, asked[:] = {"asked": list(asked)}, []
        if line != "asked":
            mode = line
        print(json.dumps(answer), flush=True)


def metrics(appliance):
    with urllib.request.urlopen(f"http://127.0.0.1:{appliance.ops}/metrics", timeout=30) as answer:
        return dict(re.findall(r"^(\S+) ([-+.\deEnNaAiIfF]+)$", answer.read().decode(), re.M))


def buckets(found):
    pattern = re.compile(re.escape(LAG) + r'_bucket\{le="([^"]+)"\}')
    series = ((pattern.fullmatch(name), value) for name, value in found.items())
    return {float(match[1].replace("+Inf", "inf")): float(value) for match, value in series if match}


def quantile(before, after, share):
    """The bound of the bucket in which it is."""
    counts = {le: after[le] - before.get(le, 0) for le in sorted(after)}
    total = counts[float("inf")]
    return next(le for le, count in counts.items() if count >= share * total), total


def processor(pid):
    """Seconds of user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(what, is_it, patience=300):
    started = time.monotonic()
    while not is_it():
        assert time.monotonic() - started < patience, f"{what}: not after {patience} s"
        time.sleep(0.2)
    return time.monotonic() - started


def count(server, where):
    return int(server.sql(f"SELECT count(*) FROM uptime_state WHERE {where}"))


def make(server, target, first, last, interval=60, timeout=5000, retries=1):
    server.sql(MONITORS.format(port=target.port, first=first, last=last, interval=interval, timeout=timeout, retries=retries))


def hold(server, target, appliance, monitors, seconds):
    """Rows about so many monitors at 60 s, over so many seconds after all are known."""
    until(f"{monitors} monitors up", lambda: count(server, "status = 'up'") >= monitors)
    # What came at once is over: from here on each has its slot.
    time.sleep(60)
    target.say("asked")
    before, used, rows = metrics(appliance), processor(appliance.process.pid), int(server.sql("SELECT count(*) FROM uptime_checks"))
    time.sleep(seconds)
    after, used = metrics(appliance), processor(appliance.process.pid) - used
    rows = int(server.sql("SELECT count(*) FROM uptime_checks")) - rows
    lag, checks = quantile(buckets(before), buckets(after), 0.99)
    skipped = sum(float(value) - float(before.get(name, 0)) for name, value in after.items() if name.startswith("holdfast_uptime_slots_skipped_total"))
    asked = len(target.say("asked")["asked"])
    writes = float(after["holdfast_uptime_write_duration_seconds_count"]) - float(before["holdfast_uptime_write_duration_seconds_count"])
    goal = "below 1 s" if monitors <= 2000 else "below 5 s"
    yield f"{monitors} monitors at 60 s: delay of a check after its slot, p99", f"at most {lag:g} s", goal
    yield f"{monitors} monitors at 60 s: checks in {seconds} s, by the prober and by the target; slots skipped", f"{checks:.0f}, {asked}; {skipped:.0f}", "0 skipped"
    yield f"{monitors} monitors at 60 s: processor time of the appliance", f"{100 * used / seconds:.0f} % of a core", "25 %" if monitors <= 2000 else ""
    yield f"{monitors} monitors at 60 s: transactions that wrote {rows} checks", f"{60 * writes / seconds:.0f} a minute", "at most 70"
    yield f"{monitors} monitors at 60 s: resident memory", f"{appliance.resident_mb():.0f} MB", "200 MB" if monitors <= 2000 else ""


def outages(server, target, trials=20):
    """How soon an outage is known: interval 10 s, 2 retries, timeout 2 s."""
    interval, timeout, retries = 10, 2, 2
    server.sql("DELETE FROM uptime_monitors WHERE created_by = 'bench'")
    make(server, target, 100_000, 100_000, interval, timeout * 1000, retries)
    for mode, bound in (("refuse", interval + retries * timeout), ("hang", interval + (retries + 1) * timeout)):
        took = []
        for trial in range(trials):
            until("the monitor up", lambda: count(server, "status = 'up'") == 1)
            # At any time within its interval.
            time.sleep(interval * (trial * 0.618 % 1))
            began = time.time()
            target.say(mode)
            until("the monitor down", lambda: count(server, "status = 'down'") == 1, 60)
            confirmed = "SELECT extract(epoch FROM confirmed_at) FROM uptime_spans WHERE status = 'down' ORDER BY starts_at DESC LIMIT 1"
            took.append(float(server.sql(confirmed)) - began)
            target.say("answer")
        took.sort()
        value = f"median {statistics.median(took):.1f} s, longest {took[-1]:.1f} s"
        yield f"an outage is known ({mode}; interval {interval} s, {retries} retries, timeout {timeout} s), {trials} times", value, f"at most {bound} s"


def storm(server, target, monitors=500):
    """All of them fail at once."""
    server.sql("DELETE FROM uptime_monitors WHERE created_by = 'bench'")
    make(server, target, 200_000, 200_000 + monitors - 1)
    # One registered host for all: what they share. Addresses differ, so a group does it.
    server.sql("INSERT INTO uptime_groups (id, key, name, created_by, created_at, updated_at) VALUES (gen_random_uuid(), 'bench', 'bench', 'bench', now(), now()) ON CONFLICT DO NOTHING")
    server.sql("UPDATE uptime_monitors SET group_id = (SELECT id FROM uptime_groups WHERE key = 'bench') WHERE created_by = 'bench'")
    until(f"{monitors} monitors up", lambda: count(server, "status = 'up'") >= monitors)
    target.say("refuse")
    until("the first down", lambda: count(server, "status = 'down'") > 0)
    took = until("all down", lambda: count(server, "status = 'down'") >= monitors)
    target.say("answer")
    yield f"{monitors} monitors at 60 s fail at once: from the first that is down to the last", f"{took:.1f} s", ""


def fill(server, monitors=500, checks=10_000):
    """The past of so many monitors with so many checks each, and waits until all of it is rolled up. Returns how long that took."""
    server.sql(PAST.format(monitors=monitors, checks=checks))
    over = "SELECT count(*) FROM uptime_hours_open WHERE hour < date_trunc('hour', now(), 'UTC')"
    return until("hours are rolled up", lambda: server.sql(over) == "0", patience=3600)


def history(start, folder):
    """A monitor's page beside 5 million stored checks. Yields rows (what, value, goal)."""
    server = Server(folder)
    try:
        _, api, _ = start({"HOLDFAST_DATABASE__URL": server.url})
        took = fill(server)
        stored = int(server.sql("SELECT count(*) FROM uptime_checks"))
        assert stored >= 5_000_000, stored
        yield f"rolling up seven days of {stored / 1e6:.1f} million stored checks", f"{took:.0f} s", ""
        ids = server.sql("SELECT id FROM uptime_monitors WHERE key LIKE 'past-%' ORDER BY key LIMIT 50").split()
        for what, query in (("a day", ""), ("90 days", "?time=90d")):
            times = []
            for id in ids:
                began = time.monotonic()
                with api.opener.open(f"{api.url}/monitors/{id}{query}") as answer:
                    assert b'id="checks"' in answer.read()
                times.append((time.monotonic() - began) * 1000)
            p50, longest = statistics.median(times), max(times)
            yield f"page of a monitor with {what}, {stored / 1e6:.1f} million checks stored, median and longest of {len(ids)}", f"{p50:.0f} / {longest:.0f} ms", "200 ms"
    finally:
        server.stop()


def measure(start, folder, seconds=900):
    """`start(settings)` starts an appliance and returns it with its operator's API. Yields rows (what, value, goal)."""
    server, asked = Server(folder), Target()
    settings = {"HOLDFAST_DATABASE__URL": server.url, "HOLDFAST_UPTIME__PRIVATE_NETWORKS": "127.0.0.0/8"}
    try:
        appliance, _, _ = start(settings)
        time.sleep(20)
        yield "resident memory without monitors", f"{appliance.resident_mb():.0f} MB", ""
        for first, last in ((0, 1999), (2000, 9999)):
            make(server, asked, first, last)
            yield from hold(server, asked, appliance, last + 1, seconds)
        yield from outages(server, asked)
        yield from storm(server, asked)
    finally:
        asked.stop()
        server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", action="store_true", required=True)
    parser.parse_args()
    asyncio.run(target())
