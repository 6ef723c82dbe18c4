#!/usr/bin/env python3
"""supabase's clients against a real appliance: supabase-js by storage.mjs, and storage3 for Python here. docs/supabase-storage.md must be what calls_page.py
prints.

    with_appliance.py ... -- supabase/run.py
"""
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from calls_page import page  # noqa: E402
from management import first_sign_in  # noqa: E402
from storage3 import create_client  # noqa: E402

URL = os.environ["APPLIANCE_URL"]
SCOPES = ["files_read", "files_write", "files_admin"]


def documented():
    written = (HERE.parents[2] / "docs" / "supabase-storage.md").read_text()
    assert written == page(), "docs/supabase-storage.md is not what tests/clients/supabase/calls_page.py prints"


def storage3(key):
    client = create_client(f"{URL}/storage/v1/", {"Authorization": f"Bearer {key}", "apikey": key}, is_async=False)
    client.create_bucket("python", options={"public": False})
    bucket = client.from_("python")
    bucket.upload("folder/a.txt", b"python", {"content-type": "text/plain"})
    assert bucket.download("folder/a.txt") == b"python"
    assert [entry["name"] for entry in bucket.list("folder")] == ["a.txt"]
    signed = bucket.create_signed_url("folder/a.txt", 60)
    assert "token=" in (signed.get("signedURL") or signed.get("signedUrl")), signed
    bucket.move("folder/a.txt", "b.txt")
    bucket.remove(["b.txt"])
    client.delete_bucket("python")


def main():
    documented()
    api = first_sign_in(URL, os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
    key = api.call("POST", "/api/v1/api-keys", {"name": "supabase", "scopes": SCOPES})["secret"]
    storage3(key)
    print("ok    storage3", flush=True)
    environment = {**os.environ, "FILES_URL": URL, "FILES_KEY": key, "FILES_ORGANISATION": "default"}
    sys.exit(subprocess.run(["node", str(HERE / "storage.mjs")], env=environment, timeout=300).returncode)


if __name__ == "__main__":
    main()
