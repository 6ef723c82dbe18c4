#!/usr/bin/env python3
"""Prints docs/supabase-storage.md out of calls.json, which the client test walks: what stands there was tried.

    calls_page.py > docs/supabase-storage.md
"""
import json
from pathlib import Path

LISTED = json.loads((Path(__file__).parent / "calls.json").read_text())

HEAD = """# supabase-js

`supabase-js` stores files here with a changed address. This list is made of `tests/clients/supabase/calls.json`, whose calls are tried against the real
program with {version}.

```js
import { createClient } from "@supabase/supabase-js";
// The organisation's slug, and an API key with the scopes files_read, files_write and, for buckets, files_admin.
const supabase = createClient("https://holdfast.example.com/o/acme", "hf_...");
await supabase.storage.from("avatars").upload("ada.png", file);
```

Without `/o/<organisation>` the organisation is that of the key; public addresses without it work where there is only one.

| call | |
| --- | --- |
"""

TAIL = """
What is not there:

| | |
| --- | --- |
"""

END = """
Errors have supabase's form, `{statusCode, error, message, code}`, with the true status of HTTP. Signed addresses are tokens of Holdfast: they end with their
time, and cannot be revoked before. Addresses of uploads by tus are made of `server.public_url`.
"""


def page():
    calls = "".join(f"| `{entry['call']}` | {entry.get('does', '')} |\n" for entry in LISTED["calls"])
    absent = "".join(f"| {entry['call']} | {entry['why']} |\n" for entry in LISTED["absent"])
    return HEAD.replace("{version}", LISTED["version"]) + calls + TAIL + absent + END


if __name__ == "__main__":
    print(page(), end="")
