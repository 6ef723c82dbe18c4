"""Small objects over S3, beside others on the same machine and in the same run: 1 KiB put and get, by presigned addresses and wrk, so that the client costs
all of them the same. Used by bench.py.

    moto       keeps objects in memory, so "ahead" compares durable with not durable; it is installed with the tests' tools
    BENCH_S3S_FS   the program s3s-fs (cargo install s3s-fs --features binary)
    BENCH_S3RVER   the script s3rver (npm install s3rver)
    BENCH_GARAGE   the program garage (cargo install garage): run as a program only

`rclone serve s3` came with rclone 1.65; where `rclone` is that new it takes part. One that is not there gives a row that says so, never an empty pass.
"""
import hashlib
import hmac
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote, urlencode

from with_appliance import free_port

CONNECTIONS = (1, 16, 64)
KEYS = 2000
BODY = 1024
SCRIPT = """
local paths, n = {}, 0
for line in io.lines("@PATHS@") do paths[#paths + 1] = line end
local step = 0
function init(args) step = math.random(#paths) end
function request()
  step = step + 1
  return wrk.format("@METHOD@", paths[step % #paths + 1], {["Host"] = "@HOST@"}, @BODY@)
end
"""


def presigned(endpoint, access, secret, region, method, path, now=None):
    """The path and query of a request that anybody may make for an hour (SigV4, query form)."""
    now = now or datetime.now(timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/{region}/s3/aws4_request"
    host, _, base = endpoint.removeprefix("http://").partition("/")
    full = quote((f"/{base}" if base else "") + path, safe="/-_.~")
    query = urlencode(sorted({"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{access}/{scope}", "X-Amz-Date": stamp, "X-Amz-Expires": "3600", "X-Amz-SignedHeaders": "host"}.items()), quote_via=quote)
    canonical = f"{method}\n{full}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return f"{full}?{query}&X-Amz-Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}", host


class Peer:
    """A server of S3 with one bucket."""

    def __init__(self, name, endpoint, access="bench", secret="bench-secret-of-this-run", region="us-east-1", process=None):
        self.name, self.endpoint, self.process = name, endpoint, process
        self.signer = lambda method, path: presigned(endpoint, access, secret, region, method, path)

    def make_bucket(self):
        path, host = self.signer("PUT", "/bench")
        for _ in range(100):
            try:
                urllib.request.urlopen(urllib.request.Request(f"http://{host}{path}", method="PUT", data=b""), timeout=10).read()
                return
            except urllib.error.HTTPError as error:
                if error.code == 409:
                    return
                raise
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"{self.name} does not answer")

    def run(self, folder, method, connections, seconds):
        """Requests a second, and p99 in ms; errors are told, not counted."""
        paths = folder / f"{re.sub(r'[^a-z0-9]', '', self.name.lower())}-{method}"
        signed = [self.signer(method, f"/bench/{n % 100}/object-{n}") for n in range(KEYS)]
        paths.write_text("\n".join(path for path, _ in signed))
        body = f'string.rep("x", {BODY})' if method == "PUT" else "nil"
        script = folder / "wrk.lua"
        script.write_text(SCRIPT.replace("@PATHS@", str(paths)).replace("@METHOD@", method).replace("@HOST@", signed[0][1]).replace("@BODY@", body))
        threads = min(2, connections)
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), f"http://{signed[0][1]}/"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
        number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()
        wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit], int(wrong[1]) if wrong else 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)


def started(name, command, port, folder, environment=None, **more):
    log = (folder / f"{name}.log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **(environment or {})})
    return Peer(name, f"http://127.0.0.1:{port}", process=process, **more)


def moto(folder):
    python = os.environ.get("BENCH_PYTHON", "python3")
    if subprocess.run([python, "-c", "import moto.server"], capture_output=True).returncode:
        return None
    port = free_port()
    return started("moto (in memory)", [python, "-m", "moto.server", "-p", str(port)], port, folder)


def s3s_fs(folder):
    if not (program := os.environ.get("BENCH_S3S_FS")):
        return None
    port, root = free_port(), folder / "s3s-fs"
    root.mkdir()
    command = [program, "--access-key", "bench", "--secret-key", "bench-secret-of-this-run", "--host", "127.0.0.1", "--port", str(port), str(root)]
    return started("s3s-fs", command, port, folder)


def s3rver(folder):
    if not (program := os.environ.get("BENCH_S3RVER")):
        return None
    port, root = free_port(), folder / "s3rver"
    root.mkdir()
    # Its only account is a fixed one.
    return started("s3rver", [program, "-d", str(root), "-a", "127.0.0.1", "-p", str(port), "-s"], port, folder, access="S3RVER", secret="S3RVER")


def rclone(folder):
    if not shutil.which("rclone") or subprocess.run(["rclone", "serve", "s3", "--help"], capture_output=True).returncode:
        return None
    port, root = free_port(), folder / "rclone"
    (root / "bench").mkdir(parents=True)
    return started("rclone serve s3", ["rclone", "serve", "s3", str(root), "--addr", f"127.0.0.1:{port}", "--auth-key", "bench,bench-secret-of-this-run"], port, folder)


def garage(folder):
    """A single node; its key and bucket are made by its own command."""
    if not (program := os.environ.get("BENCH_GARAGE")):
        return None
    port, rpc, root = free_port(), free_port(), folder / "garage"
    root.mkdir()
    settings = root / "garage.toml"
    settings.write_text(
        f'metadata_dir = "{root}/meta"\ndata_dir = "{root}/data"\ndb_engine = "sqlite"\nreplication_factor = 1\nrpc_bind_addr = "127.0.0.1:{rpc}"\nrpc_public_addr = "127.0.0.1:{rpc}"\n'
        f'rpc_secret = "{os.urandom(32).hex()}"\n[s3_api]\ns3_region = "us-east-1"\napi_bind_addr = "127.0.0.1:{port}"\n'
    )
    peer = started("Garage", [program, "-c", str(settings), "server"], port, folder)

    def ask(*args):
        for _ in range(50):
            done = subprocess.run([program, "-c", str(settings), *args], capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout
            time.sleep(0.3)
        raise AssertionError(done.stderr)

    node = ask("node", "id", "-q").split("@")[0].strip()
    ask("layout", "assign", "-z", "one", "-c", "10G", node)
    ask("layout", "apply", "--version", "1")
    key = ask("key", "create", "bench")
    access, secret = re.search(r"Key ID:\s+(\S+)", key)[1], re.search(r"Secret key:\s+(\S+)", key)[1]
    ask("bucket", "create", "bench")
    ask("bucket", "allow", "--read", "--write", "--owner", "bench", "--key", "bench")
    peer.signer = lambda method, path: presigned(peer.endpoint, access, secret, "us-east-1", method, path)
    peer.make_bucket = lambda: None
    return peer


def holdfast(start):
    appliance, api, _ = start({"HOLDFAST_FILES__REQUESTS_PER_MINUTE": "10000000"})
    key = api.call("POST", "/api/v1/access-keys", {"name": "bench", "verbs": ["list", "read", "write", "delete", "admin"]})
    return Peer("Holdfast", f"{appliance.url}/s3", access=key["access_key_id"], secret=key["secret_access_key"])


def measure(start, seconds=15):
    """Yields rows (what, value, goal)."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-s3-") as name:
        folder = Path(name)
        for make in (lambda _: holdfast(start), rclone, moto, s3s_fs, s3rver, garage):
            peer = make(folder)
            if peer is None:
                yield f"S3, 1 KiB: {make.__name__}", "not installed", ""
                continue
            try:
                peer.make_bucket()
                for method in ("PUT", "GET"):
                    figures = [peer.run(folder, method, connections, seconds) for connections in CONNECTIONS]
                    told = ", ".join(f"{count}: {rate:.0f}/s p99 {p99:.1f} ms{f' ({wrong} errors)' if wrong else ''}" for count, (rate, p99, wrong) in zip(CONNECTIONS, figures))
                    yield f"S3, 1 KiB {method.lower()}, {peer.name}, by connections", told, "ahead of rclone and moto" if peer.name == "Holdfast" else ""
            finally:
                peer.stop()
