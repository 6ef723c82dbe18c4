"""Heartbeats whose senders report well, badly, too often and with a wrong token; targets that are not there or may not be asked; the parts of the
appliance are checked without being asked."""
from load import status
from management import wait_for

MONITORS = "/api/v1/uptime/monitors"
# No such name, twice; a name that leads to this host.
ODD = {
    "No such host": {"kind": "http", "url": "http://nobody.invalid/"},
    "No such server": {"kind": "tcp", "host": "nobody.invalid", "port": 9},
    "Behind our walls": {"kind": "http", "url": "http://localhost/"},
}


def run(load):
    api = load.session

    def make(name, spec, **more):
        return api.call("POST", MONITORS, {"name": name, "spec": spec, **more})

    def is_now(made, wanted):
        return lambda: api.call("GET", f"{MONITORS}/{made['id']}")["status"] == wanted

    # Two attempts, half a second apart: a failure that is not confirmed, and one that is.
    odd = [make(name, spec, interval_seconds=10, timeout_ms=2000, retries=1, retry_ms=500) for name, spec in ODD.items()]
    well, failing = (make(name, {"kind": "heartbeat"}) for name in ("Nightly job", "Job that fails"))

    def beat(made, end="", method="POST"):
        return status(f"{load.url}/api/v1/uptime/beats/{made['token']}{end}", method, {} if method == "POST" else None)

    assert [beat(well, "/start"), beat(well), beat(well, method="GET"), beat(failing, "/fail")] == [200] * 4
    assert 429 in [beat(failing, "/fail") for _ in range(90)], "a token reports as often as it likes"
    status(f"{load.url}/api/push/{'0' * 32}")
    try:
        make("This host", {"kind": "tcp", "host": "127.0.0.1", "port": 9})
    except AssertionError:
        pass
    else:
        raise AssertionError("a private target is taken")
    wait_for("the heartbeats are up and down", lambda: is_now(well, "up")() and is_now(failing, "down")())
    for made in odd:
        wait_for(f"{made['key']} is down", is_now(made, "down"))
