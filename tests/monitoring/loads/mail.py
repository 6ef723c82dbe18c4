"""Mail that arrives, that is refused for good, that waits, and that is cancelled; an address that gets nothing; a report with a wrong signature."""
from datetime import datetime, timedelta, timezone

from load import status
from management import wait_for

MESSAGES = "/api/v1/mail/messages"


def run(load):
    api = load.session

    def send(to, **more):
        return api.call("POST", MESSAGES, {"to": to, "subject": "Kettles", "text": "The kettle is ready.", **more})["id"]

    def state(id):
        return api.call("GET", f"{MESSAGES}/{id}")["state"]

    sent, refused = [send(f"reader{n}@example.org") for n in range(20)], send("nobody@example.org")
    wait_for("mail is sent", lambda: all(state(id) == "sent" for id in sent))
    wait_for("mail is refused", lambda: state(refused) == "failed")
    send("nobody@example.org")
    send("later@example.org")
    later = send("ada@example.org", send_at=(datetime.now(timezone.utc) + timedelta(hours=1)).isoformat())
    api.call("POST", f"{MESSAGES}/{later}/cancel")
    # Anybody can try an address.
    status(f"{load.url}/hooks/mail/postmark/{'0' * 43}", "POST", {})
