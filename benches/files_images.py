"""Images in a second, of a JPEG of 2000 x 1333 that becomes 500 pixels wide: by the appliance over HTTP, and by libvips and sharp where they are
installed, one after the other. Used by bench.py.

    BENCH_SHARP   folder with node_modules/sharp (`npm install sharp`)

vipsthumbnail is Debian's libvips-tools. Neither is part of this project. One that is not there gives a row that says so, never an empty pass.
"""
import http.client
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import threading
import time
import zlib
from pathlib import Path
from urllib.parse import urlsplit

WIDTH, HEIGHT, SMALL = 2000, 1333, 500
COPIES, CONNECTIONS, SECONDS = 64, 8, 60
GOAL = "60/s on two cores"


def png():
    """Gradients with noise, as a photograph has them."""
    generator, rows = random.Random(1), []
    for y in range(HEIGHT):
        noise = generator.randbytes(WIDTH)
        row = bytearray(1 + 3 * WIDTH)
        for x in range(WIDTH):
            grain = noise[x] >> 3
            row[1 + 3 * x:4 + 3 * x] = bytes((x * 223 // WIDTH + grain, y * 223 // HEIGHT + grain, (x ^ y) % 128 + grain))
        rows.append(bytes(row))

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows), 6)) + chunk(b"IEND", b"")


def copy(jpeg, number):
    """The same picture as another content: with a comment."""
    comment = f"copy {number}".encode()
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + jpeg[2:]


class Client:
    """A connection that stays."""

    def __init__(self, url, key):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self.headers = {"Authorization": f"Bearer {key}"}

    def send(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, {**self.headers, **(headers or {})})
        response = self.connection.getresponse()
        content = response.read()
        assert response.status < 300, (method, path, response.status, content[:200])
        return content


def children_mb(pid):
    """Resident memory of the children that decode."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"image-child" in (folder / "cmdline").read_bytes() and f"PPid:\t{pid}\n" in (folder / "status").read_text():
                total += int((folder / "status").read_text().split("VmRSS:")[1].split()[0])
        except (OSError, IndexError):
            continue
    return total / 1024


def load(url, key, accept, options, seconds=SECONDS):
    """Asks for new variants all the time. Returns how many in a second, and the latencies."""
    numbers, lock, took, failed = iter(range(1 << 30)), threading.Lock(), [], []
    end = time.monotonic() + seconds

    def work():
        client = Client(url, key)
        try:
            while time.monotonic() < end:
                with lock:
                    number = next(numbers)
                # A background that nobody sees makes a variant of its own: nothing comes out of the cache.
                path = f"/api/v1/buckets/images/images/{number % COPIES}.jpg?width={SMALL}&background={number // COPIES:06x}{options}"
                begin = time.monotonic()
                content = client.send("GET", path, headers={"Accept": accept})
                assert len(content) > 1000
                took.append(time.monotonic() - begin)
        except Exception as error:  # noqa: BLE001: said below
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    took.sort()
    return len(took) / seconds, took[len(took) // 2], took[len(took) * 99 // 100]


def vips(folder):
    """Images in a second by vipsthumbnail: a process for each core, with many files each."""
    program = shutil.which("vipsthumbnail")
    if not program:
        return "not installed"
    version = subprocess.run([program, "--vips-version"], capture_output=True, text=True).stdout.strip()
    files, cores = sorted(map(str, folder.glob("*.jpg"))), os.cpu_count() or 1
    begin, done = time.monotonic(), 0
    while time.monotonic() - begin < 15:
        commands = [[program, "--size", f"{SMALL}x", "-o", "small-%s.jpg[Q=80]", *files[n::cores]] for n in range(cores)]
        running = [subprocess.Popen(command, env={**os.environ, "VIPS_CONCURRENCY": "1"}) for command in commands]
        assert all(process.wait() == 0 for process in running)
        done += len(files)
        for small in folder.glob("small-*"):
            small.unlink()
    return f"{done / (time.monotonic() - begin):.0f}/s ({version}, files, no HTTP)"


SHARP = """
const sharp = require('sharp'), fs = require('fs'), http = require('http');
sharp.cache(false); sharp.concurrency(1);
const files = fs.readdirSync('.').filter(f => f.endsWith('.jpg')).map(f => fs.readFileSync(f));
const run = async (seconds, work) => {
  const end = Date.now() + seconds * 1000; let done = 0;
  await Promise.all(Array.from({length: 8}, async () => { while (Date.now() < end) { await work(files[done % files.length]); done++; } }));
  return done / seconds;
};
(async () => {
  const jpeg = await run(15, f => sharp(f).rotate().resize(%d).jpeg({quality: 80}).toBuffer());
  const webp = await run(15, f => sharp(f).rotate().resize(%d).webp({quality: 80}).toBuffer());
  console.log(JSON.stringify({version: sharp.versions.sharp || require('sharp/package.json').version, jpeg, webp}));
})();
"""


def sharp(folder):
    modules = os.environ.get("BENCH_SHARP")
    if not modules or not shutil.which("node"):
        return "not installed"
    script = SHARP % (SMALL, SMALL)
    environment = {**os.environ, "NODE_PATH": str(Path(modules) / "node_modules")}
    told = subprocess.run(["node", "-e", script], cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
    found = json.loads(told)
    return f"JPEG {found['jpeg']:.0f}/s, WebP {found['webp']:.0f}/s (sharp {found['version']}, in memory, no HTTP)"


def measure(start, seconds=SECONDS):
    """`start(settings)` starts an appliance and returns it with a session's API and a key. Yields rows (what, value, goal)."""
    appliance, api, _ = start({"HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST": "1000000", "HOLDFAST_SERVER__REQUEST_BURST": "1000000"})
    api.call("POST", "/api/v1/buckets", {"name": "images"})
    key = api.call("POST", "/api/v1/api-keys", {"name": "images", "scopes": ["files_read", "files_write"]})["secret"]
    client = Client(appliance.url, key)
    objects = "/api/v1/buckets/images/objects"
    client.send("PUT", f"{objects}/source.png", png())
    jpeg = client.send("GET", "/api/v1/buckets/images/images/source.png?format=jpeg&quality=85")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for number in range(COPIES):
            content = copy(jpeg, number)
            (folder / f"{number}.jpg").write_bytes(content)
            client.send("PUT", f"{objects}/{number}.jpg", content)
        what = f"{WIDTH} x {HEIGHT} JPEG ({len(jpeg) / 1e6:.1f} MB) to {SMALL} px, {CONNECTIONS} connections, nothing cached"
        for name, accept, options in (("JPEG", "*/*", "&format=jpeg"), ("WebP", "image/webp", "")):
            rate, median, p99 = load(appliance.url, key, accept, options, seconds)
            memory = children_mb(appliance.process.pid)
            yield f"images: {what}, as {name}", f"{rate:.0f}/s, p50 {median * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, children {memory:.0f} MB", GOAL
        yield "images: the same by libvips (vipsthumbnail, JPEG)", vips(folder), ""
        yield "images: the same by sharp", sharp(folder), ""
