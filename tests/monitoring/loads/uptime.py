"""A heartbeat whose sender reports, and one that there is not; the parts of the appliance are checked without being asked."""
from load import status
from management import wait_for

MONITORS = "/api/v1/uptime/monitors"


def run(load):
    made = load.session.call("POST", MONITORS, {"name": "Nightly job", "spec": {"kind": "heartbeat"}, "interval_seconds": 60})
    for end in ("/start", ""):
        assert status(f"{load.url}/api/v1/uptime/beats/{made['token']}{end}", "POST", {}) == 200
    status(f"{load.url}/api/push/{'0' * 32}")
    wait_for("the heartbeat is up", lambda: load.session.call("GET", f"{MONITORS}/{made['id']}")["status"] == "up")
