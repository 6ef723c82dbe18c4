#!/usr/bin/env python3
"""tus clients against a real appliance: tuspy here, tus-js-client by tus_js.mjs.

    with_appliance.py ... -- tus/run.py
"""
import hashlib
import os
import subprocess
import sys
import tempfile
import traceback
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from management import first_sign_in  # noqa: E402
from tusclient.client import TusClient  # noqa: E402
from tusclient.storage.filestorage import FileStorage  # noqa: E402

URL = os.environ["APPLIANCE_URL"]
SCOPES = ["files_read", "files_write"]
CONTENT = os.urandom(5_000_000)


def stored(key, name):
    request = urllib.request.Request(f"{URL}/api/v1/buckets/tus/objects/{name}", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return hashlib.sha256(answer.read()).digest()


def uploader(key, folder, name, **options):
    path = Path(folder) / name
    path.write_bytes(CONTENT)
    client = TusClient(f"{URL}/f/tus", headers={"Authorization": f"Bearer {key}"})
    metadata = {"bucket": "tus", "key": name}
    return client.uploader(str(path), chunk_size=1_000_000, metadata=metadata, retries=3, retry_delay=1, **options)


def in_pieces(key, folder):
    uploader(key, folder, "python").upload()
    assert stored(key, "python") == hashlib.sha256(CONTENT).digest()


def with_checksums(key, folder):
    uploader(key, folder, "checked", upload_checksum=True).upload()
    assert stored(key, "checked") == hashlib.sha256(CONTENT).digest()


def resumed(key, folder):
    storage = FileStorage(str(Path(folder) / "urls"))
    options = {"store_url": True, "url_storage": storage}
    uploader(key, folder, "resumed", **options).upload(stop_at=2_000_000)
    again = uploader(key, folder, "resumed", **options)
    assert again.offset == 2_000_000, again.offset
    again.upload()
    assert stored(key, "resumed") == hashlib.sha256(CONTENT).digest()


CHECKS = [in_pieces, with_checksums, resumed]


def main():
    api = first_sign_in(URL, os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
    api.call("POST", "/api/v1/buckets", {"name": "tus"})
    key = api.call("POST", "/api/v1/api-keys", {"name": "tus", "scopes": SCOPES})["secret"]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for check in CHECKS:
            try:
                check(key, folder)
                print(f"ok    {check.__name__}", flush=True)
            except Exception:
                failed += 1
                print(f"FAIL  {check.__name__}", flush=True)
                traceback.print_exc(file=sys.stdout)
    print(f"tuspy: {len(CHECKS) - failed} passed, {failed} failed", flush=True)
    environment = {**os.environ, "FILES_URL": URL, "FILES_KEY": key}
    failed += subprocess.run(["node", str(HERE / "tus_js.mjs")], env=environment, timeout=300).returncode
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
