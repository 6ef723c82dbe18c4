"""Figures of the S3 API: objects of 1 KiB, and one of a gibibyte, through signed requests, beside moto (which keeps objects in memory) and the disk
itself. Used by bench.py.

    measure(start, folder)   `start(settings)` starts an appliance and returns it with a session's API and a key
    peer(python)             the same against moto's server, if that Python has it
"""
import datetime
import hashlib
import hmac
import http.client
import os
import statistics
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from with_appliance import free_port

EMPTY = hashlib.sha256(b"").hexdigest()
PIECE = bytes(1 << 20)


class Connection:
    """One connection that signs (AWS4-HMAC-SHA256): a client that costs little beside the server."""

    def __init__(self, endpoint, key, secret):
        at = urlsplit(endpoint)
        self.host, self.base, self.key, self.secret = at.netloc, at.path, key, secret
        self.connection = http.client.HTTPConnection(at.netloc, timeout=600)

    def call(self, method, path, body=None, payload=None, length=None):
        """Returns status, and reads the answer; `body` may be an iterable with its `length`."""
        payload = payload or (hashlib.sha256(body).hexdigest() if body else EMPTY)
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        path = self.base + path
        path, _, query = path.partition("?")
        names = "host;x-amz-content-sha256;x-amz-date"
        lines = f"host:{self.host}\nx-amz-content-sha256:{payload}\nx-amz-date:{stamp}\n"
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
        scope = f"{day}/us-east-1/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in (day, "us-east-1", "s3", "aws4_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers = {
            "x-amz-date": stamp,
            "x-amz-content-sha256": payload,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={key.hex()}",
        }
        if length is not None:
            headers["Content-Length"] = str(length)
        self.connection.request(method, f"{path}?{query}" if query else path, body, headers)
        answer = self.connection.getresponse()
        read = 0
        while piece := answer.read(1 << 20):
            read += len(piece)
        return answer.status, read


def small(endpoint, key, secret, bucket, connections, seconds):
    """Puts and gets of 1 KiB in a second, and the p99 of each, ms."""
    rates = []
    for method in ("PUT", "GET"):
        times, end = [], time.monotonic() + seconds
        lock = threading.Lock()

        def work(n, method=method, end=end, times=times):
            connection, mine, count = Connection(endpoint, key, secret), [], 0
            while time.monotonic() < end:
                body = os.urandom(1024) if method == "PUT" else None
                begin = time.perf_counter()
                status, _ = connection.call(method, f"/{bucket}/{n}-{count % 200}", body)
                mine.append(time.perf_counter() - begin)
                assert status == 200, status
                count += 1
            with lock:
                times.extend(mine)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(connections)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        times.sort()
        rates.append((len(times) / seconds, times[int(len(times) * 0.99)] * 1000))
    return rates


def large(endpoint, key, secret, bucket, mebibytes=1024):
    """MB/s up and down of one object."""
    connection = Connection(endpoint, key, secret)
    begin = time.perf_counter()
    status, _ = connection.call("PUT", f"/{bucket}/large", (PIECE for _ in range(mebibytes)), "UNSIGNED-PAYLOAD", mebibytes << 20)
    up = time.perf_counter() - begin
    assert status == 200, status
    begin = time.perf_counter()
    status, read = connection.call("GET", f"/{bucket}/large")
    down = time.perf_counter() - begin
    assert (status, read) == (200, mebibytes << 20), (status, read)
    return (mebibytes << 20) / up / 1e6, (mebibytes << 20) / down / 1e6


def disk(folder, mebibytes=1024):
    """MB/s that the disk itself writes (with fsync) and reads (past the cache), in the same folder."""
    file = Path(folder) / "disk"
    begin = time.perf_counter()
    subprocess.run(["dd", "if=/dev/zero", f"of={file}", "bs=1M", f"count={mebibytes}", "conv=fsync"], check=True, capture_output=True)
    written = time.perf_counter() - begin
    cold(file)
    begin = time.perf_counter()
    subprocess.run(["dd", f"if={file}", "of=/dev/null", "bs=1M"], check=True, capture_output=True)
    read = time.perf_counter() - begin
    file.unlink()
    return (mebibytes << 20) / written / 1e6, (mebibytes << 20) / read / 1e6


def cold(file):
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def peak_mb(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def moto(python, connections, seconds):
    """The same of moto's server; None where that Python has none."""
    port = free_port()
    command = [python, "-m", "moto.server", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                assert Connection(endpoint, "key", "secret").call("PUT", "/bench")[0] == 200
                return small(endpoint, "key", "secret", "bench", connections, seconds)
            except OSError:
                time.sleep(0.2)
        return None
    finally:
        process.terminate()
        process.wait(20)


def measure(start, folder, python, connections=(1, 16, 64), seconds=30):
    """Yields rows (what, value, goal)."""
    limits = {"HOLDFAST_FILES__REQUESTS_PER_MINUTE": "10000000"}
    appliance, api, _ = start(limits)
    key = api.call("POST", "/api/v1/access-keys", {"name": "bench", "verbs": ["list", "read", "write", "delete", "admin"]})
    account = (f"{appliance.url}/s3", key["access_key_id"], key["secret_access_key"])
    assert Connection(*account).call("PUT", "/bench")[0] == 200
    wrote, read = disk(folder)
    before = peak_mb(appliance.process.pid)
    speeds = [large(*account, "bench") for _ in range(3)]
    up, down = (statistics.median(values) for values in zip(*speeds))
    more = peak_mb(appliance.process.pid) - before
    yield "1 GiB up over S3, beside the disk's own writing", f"{up:.0f} MB/s; disk {wrote:.0f} MB/s", "at least half of the disk"
    yield "1 GiB down over S3, beside the disk's own reading", f"{down:.0f} MB/s; disk {read:.0f} MB/s", "at least half of the disk"
    yield "memory for it, at its highest", f"{more:.0f} MB more", "less than 64 MB more"
    for count in connections:
        (puts, put_p99), (gets, get_p99) = small(*account, "bench", count, seconds)
        theirs = moto(python, count, seconds)
        told = "moto is not installed"
        if theirs:
            told = f"moto, in memory: {theirs[0][0]:.0f}/s and {theirs[1][0]:.0f}/s"
        yield (
            f"puts and gets of 1 KiB over S3, {count} connections",
            f"{puts:.0f}/s (p99 {put_p99:.0f} ms) and {gets:.0f}/s (p99 {get_p99:.0f} ms), durable; {told}",
            "ahead of moto",
        )
