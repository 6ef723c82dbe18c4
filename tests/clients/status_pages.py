#!/usr/bin/env python3
"""The appliance's own status page, as programs of others read it: an exporter for Statuspage, a client for Gatus, parsers of feeds, of calendars
and of Prometheus' text format.

    with_appliance.py ... -- status_pages.py

Each check is a function; all run, the summary says which failed.
"""
import asyncio
import json
import os
import sys
import tempfile
import traceback
import urllib.request
from pathlib import Path

URL, OPS = os.environ["APPLIANCE_URL"], os.environ["APPLIANCE_OPS_URL"]

# The exporter reads its services, and keeps its cache, where it is started.
os.chdir(tempfile.mkdtemp(prefix="holdfast-status-pages-"))
SUMMARY = f"{URL}/api/v2/summary.json"
Path("services.json").write_text(json.dumps({"holdfast": {"name": "Holdfast", "type": "status_page", "url": SUMMARY}}))

import aiohttp  # noqa: E402
import feedparser  # noqa: E402
from gatus_api.client import GatusClient  # noqa: E402
from icalendar import Calendar  # noqa: E402
from management import wait_for  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402
from statuspage_prometheus_exporter.service_checker import check_status_page_service  # noqa: E402


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def served(url):
    try:
        return read(url)
    except OSError:
        return None


def statuspage():
    """The exporter finds the page well, or says which component is not."""
    found = check_status_page_service("holdfast", {"name": "Holdfast", "type": "status_page", "url": SUMMARY})
    assert found["success"], found
    assert found["raw_status"] in ("none", "minor", "major", "critical", "maintenance"), found
    names = {component["name"] for component in found["component_metadata"]}
    assert "Database" in names, names


def gatus():
    """Its client reads every monitor of the page."""

    async def ask():
        async with aiohttp.ClientSession() as session:
            return await GatusClient(URL, session).get_endpoints_statuses()

    endpoints = asyncio.run(ask())
    assert any(endpoint.key == "appliance-database" for endpoint in endpoints), endpoints


def feeds():
    for name, version in (("history.atom", "atom10"), ("history.rss", "rss20")):
        feed = feedparser.parse(read(f"{URL}/status/appliance/{name}"))
        assert not feed.bozo, feed.bozo_exception
        assert (feed.version, feed.feed.title) == (version, "Holdfast"), feed.feed


def calendar():
    parsed = Calendar.from_ical(read(f"{URL}/status/appliance/maintenance.ics"))
    assert parsed["VERSION"] == "2.0" and str(parsed["X-WR-CALNAME"]) == "Holdfast", parsed
    assert not parsed.errors, parsed.errors


def blackbox():
    """blackbox_exporter's names, with the key, the organisation and the kind, and no address."""
    families = {family.name: family for family in text_string_to_metric_families(read(f"{OPS}/metrics/probes"))}
    labels = [sample.labels for sample in families["probe_success"].samples]
    assert any(found["monitor"] == "appliance-database" for found in labels), labels
    assert all(set(found) == {"monitor", "org", "kind"} for found in labels), labels
    one = read(f"{OPS}/probe?target=appliance-database")
    assert 'probe_duration_seconds{monitor="appliance-database"' in one, one


def plain():
    """What a poller needs: a status and one word."""
    assert read(f"{URL}/healthz") == "ok\n"
    assert read(f"{URL}/status/appliance/up") == "ok\n"
    assert json.loads(read(f"{URL}/status/appliance/badge.json"))["schemaVersion"] == 1


def main():
    wait_for("the page is served", lambda: served(SUMMARY) and "Database" in served(SUMMARY))
    wait_for("monitors were checked", lambda: "appliance-database" in (served(f"{OPS}/metrics/probes") or ""), seconds=120)
    failed = []
    for check in (statuspage, gatus, feeds, calendar, blackbox, plain):
        try:
            check()
            print(f"ok      {check.__name__}")
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            failed.append(check.__name__)
            print(f"FAILED  {check.__name__}")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
