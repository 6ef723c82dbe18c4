#!/usr/bin/env python3
"""Sends one mail by the API of a running appliance and prints what became of it; for the hunt of issue 14.

    with_appliance.py --binary B --models M -- python3 hunt/try14.py [--domain D] [--wait SECONDS] [--count N] JSON

JSON: the request of POST /api/v1/mail/messages; {"to": "ann@example.org"} gets a subject and a text. --domain: adds the domain for the
installation and calls it verified, so that mail of it is signed. Prints the message with its history each time its state changes, until it
ends or the time is over; then the suppressions.
"""
import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.environ.get("CLIENTS", "tests/clients"))
from management import first_sign_in  # noqa: E402

MESSAGES = "/api/v1/mail/messages"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain")
    parser.add_argument("--wait", type=float, default=30)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("request")
    args = parser.parse_args()
    env = os.environ
    api = first_sign_in(env["APPLIANCE_URL"], env["APPLIANCE_EMAIL"], env["APPLIANCE_ONE_TIME_PASSWORD"])
    if args.domain:
        api.call("POST", "/api/v1/mail/domains", {"domain": args.domain, "installation": True})
        sql = f"UPDATE mail_domains SET verified_at = now() WHERE domain = '{args.domain}'"
        command = [env["APPLIANCE_BINARY"], "--config", env["APPLIANCE_CONFIG"], "psql", "--write", "--yes", "-c", sql]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    body = {"subject": "Tides", "text": "The tide turns at noon.\n", **json.loads(args.request)}
    ids = [api.call("POST", MESSAGES, body)["id"] for _ in range(args.count)]
    seen, until = {}, time.monotonic() + args.wait
    while time.monotonic() < until:
        for id in ids:
            now = api.call("GET", f"{MESSAGES}/{id}")
            if seen.get(id) != (now["state"], now.get("attempts")):
                seen[id] = (now["state"], now.get("attempts"))
                now.pop("html", None)
                print(json.dumps(now, indent=1, ensure_ascii=False), flush=True)
        if all(state in ("sent", "failed", "suppressed", "cancelled") for state, _ in seen.values()):
            break
        time.sleep(0.3)
    print(json.dumps(api.call("GET", "/api/v1/mail/suppressions"), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
