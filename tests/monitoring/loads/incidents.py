"""An incident that nobody acknowledges, told by mail and to a channel that is disabled; another becomes a part of it, and the installation has one, too."""
from management import wait_for

API = "/api/v1/"


def run(load):
    api = load.session

    def make(path, **body):
        return api.call("POST", API + path, body)["id"]

    mail = make("incident-channels", key="ops-mail", name="Operations", kind="mail", settings={"to": ["ops@example.org"]})
    off = make("incident-channels", key="ops-chat", name="Chat", kind="mattermost", url="http://127.0.0.1:9/")
    api.call("PATCH", f"{API}incident-channels/{off}", {"enabled": False})
    steps = [{"after_seconds": 0, "channels": [mail, off]}, {"after_seconds": 2, "channels": [mail]}]
    make("incident-rules", key="all", name="Everything", group_wait_ms=100, steps=steps)
    incident = make("incidents", name="Orders are slow", body="We look into it.")
    told = lambda: [message["what"] for message in api.call("GET", f"{API}incidents/{incident}/messages")["data"]]
    wait_for("the incident is told, and escalates", lambda: {"opened", "escalated"} <= set(told()))
    make("incidents", name="The appliance is slow", installation=True)
    other = make("incidents", name="The basket is slow")
    api.call("POST", f"{API}incidents/{other}/merge", {"into": incident})
