"""Mail: messages per second into a server that writes each to the disk before it acknowledges it, and what 100 000 waiting ones cost.
Used by bench.py.

The messages go into the outbox as SQL, as copies of one that was sent; the server (tests/clients/smtp_server.py) is a process of its own on the
same machine.
"""
import re
import subprocess
import sys
import time
from pathlib import Path

from backup import Server

SMTP_SERVER = Path(__file__).resolve().parent.parent / "tests" / "clients" / "smtp_server.py"
MESSAGES = "/api/v1/mail/messages"
# Ids before all others: the limits per hour count the newest. `{domains}` lanes.
COPY = """
WITH model AS (SELECT m AS message, b AS body FROM mail_messages m JOIN mail_bodies b USING (id, created_at) WHERE m.id = '{model}'),
made AS (
  SELECT format('00000000-0000-7000-8000-%s', lpad(to_hex({first} + n), 12, '0'))::uuid AS id, format('reader%s@copy%s.example', n, n % {domains}) AS to_address,
    format('smtp/copy%s.example', n % {domains}) AS lane FROM generate_series(1, {count}) AS n),
messages AS (
  INSERT INTO mail_messages SELECT r.* FROM model, made, LATERAL jsonb_populate_record(model.message, jsonb_build_object(
    'id', made.id, 'to_address', made.to_address, 'to_key', made.to_address, 'message_id', format('%s@example.com', made.id), 'lane', made.lane,
    'state', 'queued', 'attempts', 0, 'idempotency_key', NULL, 'sent_at', NULL, 'tried_since', NULL, 'status', NULL, 'send_at', {due})) AS r)
INSERT INTO mail_bodies SELECT r.* FROM model, made, LATERAL jsonb_populate_record(model.body, jsonb_build_object('id', made.id)) AS r
"""
QUEUED, SENT = "SELECT count(*) FROM mail_messages WHERE state = 'queued' AND send_at <= now()", "SELECT count(*) FROM mail_messages WHERE state = 'sent'"


class MailServer:
    def __init__(self, folder):
        folder.mkdir()
        self.process = subprocess.Popen([sys.executable, str(SMTP_SERVER), "--folder", str(folder)], stdout=subprocess.PIPE, text=True)
        self.port = re.search(r"127\.0\.0\.1:(\d+)", self.process.stdout.readline())[1]

    def settings(self):
        return {
            "HOLDFAST_MAIL__FROM": "Holdfast <holdfast@example.com>",
            "HOLDFAST_MAIL__SMTP_HOST": "127.0.0.1",
            "HOLDFAST_MAIL__SMTP_PORT": self.port,
            "HOLDFAST_MAIL__SMTP_SECURITY": "none",
            "HOLDFAST_MAIL__SHARED_SENDER": "true",
        }

    def stop(self):
        self.process.kill()
        self.process.wait()


def send(api, to, **more):
    return api.call("POST", MESSAGES, {"to": to, "subject": "Your order", "text": "It arrives on Monday. " * 80, **more})["id"]


def until_sent(api, id):
    """Seconds."""
    started = time.monotonic()
    while (state := api.call("GET", f"{MESSAGES}/{id}")["state"]) != "sent":
        assert state in ("queued", "sending") and time.monotonic() - started < 60, state
        time.sleep(0.005)
    return time.monotonic() - started


def until_empty(server):
    while int(server.sql(QUEUED)):
        time.sleep(0.1)


def measure(start, folder, count=5_000, waiting=100_000):
    """`start(settings)` starts an appliance and returns it with its operator's API. Yields rows (what, value, goal)."""
    server, mail = Server(folder), MailServer(folder / "mail")
    try:
        appliance, api, _ = start({"HOLDFAST_DATABASE__URL": server.url, **mail.settings()})
        model = send(api, "ada@model.example")
        until_sent(api, model)
        for domains in (1, 8):
            before = int(server.sql(SENT))
            server.sql(COPY.format(model=model, first=domains * 1_000_000, count=count, domains=domains, due="now() - interval '2 minutes'"))
            # A lane without a job is found within 15 s: what counts begins with the first message.
            while int(server.sql(SENT)) == before:
                time.sleep(0.02)
            started, begun = time.monotonic(), int(server.sql(SENT))
            until_empty(server)
            rate = (int(server.sql(SENT)) - begun) / (time.monotonic() - started)
            yield f"mail to {domains} domain{'s' if domains > 1 else ''}, {count} messages of 2 KB, to a server that syncs each", f"{rate:.0f} messages/s", "100 messages/s"
        quiet = sorted(until_sent(api, send(api, f"reader{n}@quick.example")) for n in range(20))[10]
        time.sleep(5)
        memory = appliance.resident_mb()
        server.sql(COPY.format(model=model, first=50_000_000, count=waiting, domains=100, due="now() + interval '1 day'"))
        server.sql("VACUUM ANALYZE mail_messages, mail_bodies")
        # The leader looks at all of them meanwhile.
        time.sleep(40)
        beside = sorted(until_sent(api, send(api, f"reader{n}@quick.example")) for n in range(20))[10]
        yield f"from the request to the server's acknowledgement, median, beside {waiting} messages that wait", f"{beside * 1000:.0f} ms (without them {quiet * 1000:.0f} ms)", ""
        yield f"resident memory with {waiting} messages that wait, more than without", f"{appliance.resident_mb() - memory:.0f} MB", "at most 20 MB"
    finally:
        mail.stop()
        server.stop()
