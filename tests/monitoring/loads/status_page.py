"""The appliance's own status page in every form, a page that there is not, and somebody who wants to be told by mail."""
import urllib.parse
import urllib.request

from load import status
from management import wait_for

PATHS = (
    "/status", "/status/appliance/history", "/api/v2/summary.json", "/status/appliance/history.atom", "/status/appliance/badge.svg",
    "/status/appliance/up", "/api/v1/endpoints/statuses", "/status/nobody",
)


def run(load):
    wait_for("the status page is served", lambda: status(f"{load.url}/status") == 200)
    for path in PATHS:
        status(load.url + path)
    form = urllib.parse.urlencode({"address": "visitor@example.org"}).encode()
    with urllib.request.urlopen(f"{load.url}/status/appliance/subscribe", form, timeout=10) as answer:
        assert answer.status == 200, answer.status
