"""Asks for the appliance's own status page in every form, and subscribes, so that every series has a value."""
import urllib.error
import urllib.parse
import urllib.request

PATHS = (
    "/status", "/status/appliance", "/status/appliance/history", "/api/v2/summary.json", "/status/appliance/history.atom",
    "/status/appliance/badge.svg", "/status/appliance/up", "/api/v1/endpoints/statuses", "/status/nobody",
)


def ask(url, data=None):
    """The status of an answer, whatever it is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def run(place):
    """What a visitor and a program do."""
    for path in PATHS:
        ask(place.url + path)
    ask(place.url + "/status/appliance/subscribe", urllib.parse.urlencode({"address": "visitor@example.com"}).encode())
