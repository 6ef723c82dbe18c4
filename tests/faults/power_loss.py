#!/usr/bin/env python3
"""Power failures while objects are written: nothing that was acknowledged is lost, and nothing is half there.

    power_loss.py --binary PATH --models DIR [--rounds N] [--seconds N]

The real program, with its objects on a file system that forgets what was not synced (lossy_fs.py). In each round some writers put and delete; at a random
moment the program is killed and the power fails; then it starts again, and every object is read and compared with what its writer was told. Needs root,
/dev/fuse and mfusepy; says so and fails where they are missing.
"""
import argparse
import hashlib
import http.client
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

from lossy_fs import lose_power  # noqa: E402
from management import Api  # noqa: E402
from test_lossy_fs import mounted  # noqa: E402
from with_appliance import free_port, wait_ready  # noqa: E402

EMAIL, PASSWORD = "admin@example.com", "correct horse battery"
BUCKET, WRITERS, KEYS = "power", 6, 4
# In one call, in parts of the store's own, and in several blobs.
SIZES = [10, 60_000, 3_000_000, 12_000_000]


class Program:
    def __init__(self, binary, models, folder):
        self.binary, self.folder, self.log = binary, folder, folder / "log"
        self.url, self.ops = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        settings = {
            "DATA_DIR": folder / "data",
            "SERVER__LISTEN": urlsplit(self.url).netloc,
            "OPS__LISTEN": urlsplit(self.ops).netloc,
            "ADMIN__EMAIL": EMAIL,
            "ADMIN__PASSWORD": PASSWORD,
            "LLM__EMBEDDING__MODEL_DIR": models,
            "FILES__BLOB_MIB": 4,
            "SERVER__REQUEST_BURST": 1_000_000,
            "SERVER__PRINCIPAL_REQUEST_BURST": 1_000_000,
        }
        self.env = {**os.environ, **{f"HOLDFAST_{name}": str(value) for name, value in settings.items()}}

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([self.binary, "serve"], env=self.env, stdout=log, stderr=log)
        wait_ready(f"{self.ops}/readyz", self.child, self.log, 120)

    def kill(self):
        self.child.kill()
        self.child.wait()


def key_of(url):
    api = Api(url)
    me = api.call("POST", "/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
    api.headers["X-CSRF-Token"] = me["user"]["csrf_token"]
    api.call("POST", "/api/v1/buckets", {"name": BUCKET, "trash_days": 1})
    scopes = ["files_read", "files_write"]
    return api.call("POST", "/api/v1/api-keys", {"name": "power", "scopes": scopes})["secret"]


class Objects:
    def __init__(self, url, secret):
        self.address, self.headers = urlsplit(url).netloc, {"Authorization": f"Bearer {secret}"}

    def call(self, method, key, body=None):
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            connection.request(method, f"/api/v1/buckets/{BUCKET}/objects/{quote(key, safe='')}", body, self.headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class Ledger:
    """What each key has by the last answer, and what was sent since. None: nothing."""

    def __init__(self):
        self.lock, self.known, self.unknown = threading.Lock(), {}, {}

    def sends(self, key, what):
        with self.lock:
            self.unknown.setdefault(key, []).append(what)

    def acknowledged(self, key, what):
        with self.lock:
            self.known[key], self.unknown[key] = what, []


def write_until_gone(objects, ledger, writer, begun):
    for n in range(1_000_000):
        key = f"{writer}/{n % KEYS}"
        deletes = random.random() < 0.2
        body = None if deletes else f"{writer} {begun} {n} ".encode() * (random.choice(SIZES) // 10)
        what = None if deletes else hashlib.sha256(body).hexdigest()
        ledger.sends(key, what)
        try:
            status, _ = objects.call("DELETE" if deletes else "PUT", key, body)
        except (OSError, http.client.HTTPException):
            return
        if status in (200, 201, 204):
            ledger.acknowledged(key, what)


def check(objects, ledger, when):
    for key in sorted(ledger.unknown):
        status, body = objects.call("GET", key)
        if status not in (200, 404):
            sys.exit(f"{when}: {key} answers {status}: {body[:300]!r}")
        found = hashlib.sha256(body).hexdigest() if status == 200 else None
        may = [ledger.known.get(key), *ledger.unknown[key]]
        if found not in may:
            sys.exit(f"{when}: {key} has {found}, and not one of {may}")
        ledger.acknowledged(key, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--models", required=True)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=3.0, help="longest time until the power fails")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hfpower"))
    folder.chmod(0o755)
    (folder / "store").mkdir()
    (folder / "data").mkdir()
    store = mounted(folder / "store")
    (folder / "data/objects").symlink_to(folder / "store")
    program, ledger, secret, acknowledged = Program(args.binary, args.models, folder), Ledger(), None, 0
    try:
        for number in range(args.rounds):
            program.start()
            secret = secret or key_of(program.url)
            objects = Objects(program.url, secret)
            check(objects, ledger, f"round {number}")
            threads = [threading.Thread(target=write_until_gone, args=(objects, ledger, n, number)) for n in range(WRITERS)]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.05, args.seconds))
            program.kill()
            for thread in threads:
                thread.join()
            acknowledged += sum(1 for what in ledger.known.values() if what)
            lose_power(str(folder / "store"))
        program.start()
        check(Objects(program.url, secret), ledger, "at the end")
        program.kill()
    finally:
        subprocess.run(["umount", "--lazy", folder / "store"], check=False)
        store.wait(10)
    print(f"{args.rounds} power failures, {acknowledged} acknowledged objects compared after them: none was lost")


if __name__ == "__main__":
    main()
