"""Who is told outside, without Holdfast: stand-ins for a mail server and for webhooks, and Alertmanager with what compose/ makes for it."""
import base64
import email
import email.policy
import json
import re
import socketserver
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from alertmanager import ask, configured, free_port

CONFIG = Path(__file__).resolve().parents[2] / "compose/alertmanager/alertmanager.yml"


class Webhook(ThreadingHTTPServer):
    """Takes every POST: `bodies` as [(path, JSON)], and when each came in `times`."""

    def __init__(self, address="127.0.0.1", port=0):
        super().__init__((address, port), self.Handler)
        self.bodies, self.times = [], []
        self.url = f"http://{address}:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.bodies.append((self.path, body))
            self.server.times.append(time.time())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass


class Mail(socketserver.ThreadingTCPServer):
    """A mail server that wants a login (AUTH PLAIN, RFC 4954) and offers no TLS, as a relay on the host itself: `letters`, `logins`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.letters, self.logins = [], []
        self.address = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            def say(line):
                self.wfile.write(f"{line}\r\n".encode())

            recipients = []
            say("220 stand-in ESMTP")
            while line := self.rfile.readline().decode().strip():
                word = line.split(" ")[0].upper()
                if word == "EHLO":
                    say("250-stand-in\r\n250 AUTH PLAIN")
                elif word == "AUTH":
                    self.server.logins.append(base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:])
                    say("235 welcome")
                elif word == "RCPT":
                    recipients.append(re.search(r"<(.+)>", line)[1])
                    say("250 ok")
                elif word == "DATA":
                    say("354 go on")
                    data = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        data += part.removeprefix(b".") if part.startswith(b"..") else part
                    self.server.letters.append((recipients, email.message_from_bytes(data, policy=email.policy.default)))
                    say("250 taken")
                elif word == "QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 ok")


@contextmanager
def alertmanager(folder, environment, faster=10, holdfast="http://127.0.0.1:9", token=None):
    """A real one with the configuration for these lines in compose/.env, its waits divided. As a rule nothing listens where it looks for Holdfast."""
    text = configured(CONFIG, environment).replace("http://holdfast:8080/", f"{holdfast}/")
    text = re.sub(r"(group_wait|group_interval): (\d+)(s|m)\b", lambda m: f"{m[1]}: {max(int(m[2]) * (60 if m[3] == 'm' else 1) // faster, 1)}s", text)
    if token is None:
        token = folder / "token"
        token.write_text("a-token-for-this-test-alone")
    path = folder / "alertmanager.yml"
    path.write_text(text.replace("/run/holdfast/alerts_token", str(token)))
    port = free_port()
    command = ["prometheus-alertmanager", f"--config.file={path}", f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with (folder / "alertmanager.log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}/api/v2"
    except Exception:
        print((folder / "alertmanager.log").read_text()[-3000:])
        raise
    finally:
        child.terminate()
        child.wait(10)


def send(url, *alerts):
    """As Prometheus does: [(labels, annotations, ended)]."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ask(f"{url}/alerts", json.dumps([{"labels": labels, "annotations": notes, **({"endsAt": now} if ended else {})} for labels, notes, ended in alerts]).encode())
