"""Files: a gibibyte up and down beside the disk itself, memory, pages of a bucket of a million objects, the scrub beside requests, equal content, and
moving the store. Used by bench.py. (The S3 API and its peers: files_s3.py; pictures: files_images.py.)

What is compared is written in the same run to the same folder: the disk by `dd` without its cache. A file is read cold: its pages are given up before.
"""
import http.client
import json
import os
import re
import statistics
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from backup import Server
from management import wait_for

GIB = 1 << 30
PIECE = 1 << 20
MILLION = 1_000_000
PAGES = 200
BUCKET = "/api/v1/buckets/bench-files"

# A bucket with keys in a thousand folders, and one whose objects are all in one folder: rows alone, since what is measured is their list.
FILL = """
INSERT INTO files_buckets (id, org_id, name, created_by, created_at, updated_at)
  SELECT gen_random_uuid(), o.id, 'bench-list', 'x', now(), now() FROM organisations o LIMIT 1;
INSERT INTO files_objects (id, org_id, bucket_id, key, current, unversioned, size, etag, content_type, created_by, created_at)
  SELECT gen_random_uuid(), b.org_id, b.id, 'folder-' || lpad((n % 1000)::text, 4, '0') || '/' || lpad(n::text, 8, '0') || '.bin', true, true, 0, 'x', 'x', 'x', now()
  FROM files_buckets b, generate_series(1, {rows}) AS n WHERE b.name = 'bench-list';
"""


def disk(folder):
    """Bytes a second that the disk of this folder writes and reads by itself; `None` where it takes no direct access (tmpfs)."""
    path = folder / "dd"

    def dd(*args):
        out = subprocess.run(["dd", "bs=1M", "count=1024", *args], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        found = re.search(r"copied, ([\d.]+) s", out.stderr)
        return GIB / float(found[1]) if out.returncode == 0 and found else None

    rates = dd("if=/dev/zero", f"of={path}", "oflag=direct", "conv=fsync"), dd(f"if={path}", "of=/dev/null", "iflag=direct")
    path.unlink(missing_ok=True)
    return rates


class Peak:
    """The highest resident memory of a process while it is watched, MB."""

    def __init__(self, pid):
        # 5: the high-water mark begins anew.
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        self.status = Path(f"/proc/{pid}/status")
        self.before = self.read("VmRSS")

    def read(self, name):
        return int(re.search(rf"{name}:\s+(\d+)", self.status.read_text()).group(1)) / 1024

    def more(self):
        return self.read("VmHWM") - self.before


def connection(url, key):
    address = re.match(r"http://([^:/]+):(\d+)", url).groups()
    return http.client.HTTPConnection(address[0], int(address[1]), timeout=600), {"Authorization": f"Bearer {key}"}


def upload(url, key, name, size=GIB):
    """Seconds to the answer, which is the commit."""
    block = os.urandom(PIECE)

    def content():
        for n in range(size // PIECE):
            # Each differs, and making them costs nothing.
            yield n.to_bytes(8, "little") + block[8:]

    conn, headers = connection(url, key)
    started = time.monotonic()
    conn.request("PUT", f"{BUCKET}/objects/{name}", content(), {**headers, "Content-Length": str(size)}, encode_chunked=False)
    answer = conn.getresponse()
    body = answer.read()
    assert answer.status in (200, 201), (answer.status, body)
    return time.monotonic() - started


def download(url, key, name):
    conn, headers = connection(url, key)
    started = time.monotonic()
    conn.request("GET", f"{BUCKET}/objects/{name}", headers=headers)
    answer, size = conn.getresponse(), 0
    while part := answer.read(PIECE):
        size += len(part)
    assert answer.status == 200 and size == GIB, (answer.status, size)
    return time.monotonic() - started


def holdfast(appliance, *args):
    """A command beside the running appliance."""
    environment = {**os.environ, **appliance.settings, "HOLDFAST_DATA_DIR": str(appliance.folder / "data")}
    return subprocess.run([appliance.binary, *args], env=environment, check=True, capture_output=True, text=True).stdout


def forget(folder):
    """The pages of all stored files leave the memory."""
    for path in (folder / "data" / "objects").rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def several(count, work):
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started


def rate(seconds, size=GIB):
    return f"{size / seconds / 1e6:.0f} MB/s"


def transfer(appliance, key):
    write, read = disk(appliance.folder)
    known = f"; the disk {write / 1e6:.0f} MB/s" if write else "; the disk takes no direct access"
    goal = lambda bare: f"at least {bare / 2e6:.0f} MB/s, half of the disk" if bare else "half of the disk"  # noqa: E731
    peak = Peak(appliance.process.pid)
    up = upload(appliance.url, key, "one")
    yield "files: 1 GiB up by REST, durable and hashed", f"{rate(up)}{known}", goal(write)
    forget(appliance.folder)
    down = download(appliance.url, key, "one")
    yield "files: 1 GiB down by REST, cold", f"{rate(down)}" + (f"; the disk {read / 1e6:.0f} MB/s" if read else ""), goal(read)
    yield "files: memory more, one upload and one download of 1 GiB", f"{peak.more():.0f} MB", "less than 64 MB"
    peak = Peak(appliance.process.pid)
    seconds = several(8, lambda n: upload(appliance.url, key, f"of-eight-{n}", GIB // 4))
    yield "files: eight uploads of 256 MiB at once", f"{rate(seconds, 2 * GIB)}, {peak.more():.0f} MB more memory", ""


def equal_content(appliance, key, server):
    """The second time a content comes it is hashed and given up; its bytes are not kept."""
    block = os.urandom(PIECE)

    def put(name):
        conn, headers = connection(appliance.url, key)
        started = time.monotonic()
        body = (block for _ in range(256))
        conn.request("PUT", f"{BUCKET}/objects/{name}", body, {**headers, "Content-Length": str(256 * PIECE)}, encode_chunked=False)
        answer = conn.getresponse()
        answer.read()
        assert answer.status == 201, answer.status
        return time.monotonic() - started

    first, second = put("equal-1"), put("equal-2")
    blobs = server.sql("SELECT count(DISTINCT blob_id) FROM files_objects WHERE key LIKE 'equal-%'")
    assert blobs == "1", blobs
    yield "files: 256 MiB, and the same content again", f"{rate(first, GIB // 4)}, {rate(second, GIB // 4)}; stored once", ""


def lists(appliance, key, server, rows):
    """Pages of 200 by REST (its most), at random places; what S3's pages of 1000 cost is in files_s3.py."""
    server.sql(FILL.format(rows=rows))
    server.sql("ANALYZE files_objects")
    conn, headers = connection(appliance.url, key)
    path = "/api/v1/buckets/bench-list/objects"

    def page(query):
        started = time.monotonic()
        conn.request("GET", f"{path}?limit=200&{query}", headers=headers)
        answer = conn.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return (time.monotonic() - started) * 1000, json.loads(body)

    for what, query in (("flat", "prefix=folder-{n:04}"), ("like folders", "delimiter=/&prefix=folder-{m}"), ("in one folder", "delimiter=/&prefix=folder-{n:04}/")):
        seen = [page(query.format(n=n * 997 % 1000, m=n % 10))[0] for n in range(PAGES)]
        seen.sort()
        yield f"files: a page of {rows} objects, {what}", f"p50 {statistics.median(seen):.1f} ms, p99 {seen[int(PAGES * 0.99) - 1]:.1f} ms", "30 ms"
    took = page(f"q={quote('00000777')}")[0]
    yield f"files: a search among {rows} objects", f"{took:.1f} ms", "30 ms"


def load(appliance, key, seconds, rate_per_second=200):
    """Latencies of that many requests a second, each at its time; whoever is late counts from then."""
    seen, stop = [], time.monotonic() + seconds
    request = urllib.request.Request(f"{appliance.url}/api/v1/buckets", headers={"Authorization": f"Bearer {key}"})
    lock = threading.Lock()

    def lane(n, lanes):
        due = time.monotonic() + n / rate_per_second
        while due < stop:
            time.sleep(max(0, due - time.monotonic()))
            urllib.request.urlopen(request, timeout=60).read()
            with lock:
                seen.append((time.monotonic() - due) * 1000)
            due += lanes / rate_per_second

    several(32, lambda n: lane(n, 32))
    seen.sort()
    return seen[int(len(seen) * 0.99) - 1]


def scrub(appliance, key, server):
    """What is stored by now is read again, while requests come."""
    forget(appliance.folder)
    quiet = load(appliance, key, 30)
    holdfast(appliance, "storage", "scrub", "--now")
    started = time.monotonic()
    wait_for("a scrub begins", lambda: server.sql("SELECT count(*) FROM files_scrubs") == "1", 120)
    busy = load(appliance, key, 20)
    wait_for("the scrub ends", lambda: server.sql("SELECT count(*) FROM files_scrubs WHERE ended_at IS NOT NULL") == "1", 900)
    seconds = time.monotonic() - started
    size = int(server.sql("SELECT bytes FROM files_scrubs"))
    yield "files: scrub", f"{rate(seconds, size)} ({size / GIB:.1f} GiB)", "200 MB/s"
    yield "files: p99 of 200 requests/s without and with a scrub", f"{quiet:.1f} ms, {busy:.1f} ms", f"less than {2 * quiet:.1f} ms"


def migrate(appliance):
    target = appliance.folder / "moved"
    started = time.monotonic()
    out = holdfast(appliance, "storage", "migrate", "--to", str(target))
    seconds = time.monotonic() - started
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    yield "files: the store copied to another folder, and compared", f"{rate(seconds, size)} ({out.strip().splitlines()[0]})", ""


def measure(start, folder, rows=MILLION):
    """`start(settings)` starts an appliance, and returns it with a session's API and a key. Yields rows (what, value, goal)."""
    server = Server(folder)
    try:
        appliance, api, key = start({"HOLDFAST_DATABASE__URL": server.url, "HOLDFAST_FILES__REQUESTS_PER_MINUTE": "10000000"})
        api.call("POST", "/api/v1/buckets", {"name": "bench-files"})
        yield from transfer(appliance, key)
        yield from equal_content(appliance, key, server)
        yield from scrub(appliance, key, server)
        yield from migrate(appliance)
        yield from lists(appliance, key, server, rows)
    finally:
        server.stop()
