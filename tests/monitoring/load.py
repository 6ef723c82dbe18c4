"""A short, mixed load on an appliance: a little of everything that a dashboard shows, the wrong things too.

loads/<room>.py does, once, what else the dashboard of that room counts.
"""
import importlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))
from management import PASSWORD, Api, first_key, wait_until_ready

FACT = "The Aurora kettle carries a warranty of 27 months from the date of purchase."
QUESTION = "How long is the warranty of the Aurora kettle?"


def document(number):
    sections = "\n\n".join(f"## Part {part}\n\nPart {part} of kettle {number} weighs {part * number} grams and lasts {part} years." for part in range(1, 30))
    return f"# Aurora kettle {number}\n\n## Warranty\n\n{FACT}\n\n{sections}\n"


def status(url, method="GET", body=None, key=None, media_type="application/json"):
    """The status of a request whose answer does not matter."""
    headers = {"Content-Type": media_type, **({"Authorization": f"Bearer {key}"} if key else {})}
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as response:
            response.read()
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def expect(wanted, found):
    assert found == wanted, f"{found} instead of {wanted}"


class Load:
    """Fills an appliance, then asks it. With the sign-in of an administrator: `session`."""

    def __init__(self, url, email, one_time_password):
        self.url = url
        self.key = first_key(url, email, one_time_password)
        self.api = Api(url, self.key)
        self.session = Api(url)
        me = self.session.call("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD})
        self.session.headers["X-CSRF-Token"] = me["user"]["csrf_token"]
        self.email = email
        self.base = self.api.call("POST", "/api/v1/knowledge-bases", {"name": "Kettles"})["id"]
        self.documents = 0
        self.agents = {}
        for slug, model in (("kettle", "mock/mock-echo"), ("kettle-plain", "builtin/extractive"), ("kettle-broken", "mock/mock-cut"), ("kettle-uncited", "mock/mock-slow")):
            body = {"name": slug, "slug": slug, "model": model, "instructions": "Answer from the passages.", "knowledge_bases": [self.base]}
            self.agents[slug] = self.api.call("POST", "/api/v1/agents", body)["id"]

    def subscribe(self, url):
        """A webhook endpoint that receives every event."""
        self.session.call("POST", "/api/v1/webhooks", {"url": url})

    def upload(self, count, wait=True):
        ids = []
        for _ in range(count):
            self.documents += 1
            ids.append(self.api.upload(self.base, f"kettle-{self.documents}.md", document(self.documents))["id"])
        if wait:
            wait_until_ready(self.api, self.base, ids)

    def upload_rubbish(self):
        """Taken or refused, it must not become ready."""
        try:
            self.api.upload(self.base, "broken.pdf", "%PDF-1.7\nthis is none", "application/pdf")
        except AssertionError:
            pass

    def upload_odd(self):
        """A scan, whose pages are read from their pictures or stay unread, and a web page with a menu, which is left out."""
        documents = Path(__file__).parent.parent / "fixtures" / "documents"
        for name, media_type in (("scanned.pdf", "application/pdf"), ("page.utf-8.html", "text/html")):
            self.api.upload(self.base, name, (documents / name).read_bytes(), media_type)

    def search(self):
        for mode in ("hybrid", "vector", "text"):
            found = self.api.call("POST", f"/api/v1/knowledge-bases/{self.base}/search", {"query": QUESTION, "mode": mode, "limit": 5})
            assert found["results"], f"{mode} found nothing"
        self.api.call("POST", f"/api/v1/knowledge-bases/{self.base}/search", {"query": "xyzzy plugh", "mode": "text", "limit": 5})

    def chat(self, model, stream=True):
        return status(f"{self.url}/v1/chat/completions", "POST", {"model": model, "messages": [{"role": "user", "content": QUESTION}], "stream": stream}, self.key)

    def converse(self):
        agent = self.agents["kettle-plain"]
        talk = self.api.call("POST", f"/api/v1/agents/{agent}/conversations")
        self.api.call("POST", f"/api/v1/agents/{agent}/conversations/{talk['id']}/messages", {"content": QUESTION})

    def models(self):
        expect(200, self.chat("agent/kettle"))
        expect(200, self.chat("agent/kettle-plain", stream=False))
        expect(200, self.chat("mock/mock-echo"))
        expect(200, status(f"{self.url}/v1/embeddings", "POST", {"model": "embed", "input": ["kettle", QUESTION]}, self.key))

    def wrong(self):
        expect(404, status(f"{self.url}/api/v1/nothing-here", key=self.key))
        expect(401, status(f"{self.url}/v1/models", key="hf_wrong"))
        expect(502, self.chat("mock/mock-error-500"))
        expect(429, self.chat("mock/mock-error-429"))
        self.chat("agent/kettle-broken", stream=False)

    def walk_away(self):
        """A stream that its reader leaves."""
        body = json.dumps({"model": "mock/mock-slow", "messages": [{"role": "user", "content": QUESTION}], "stream": True}).encode()
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", body, {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(request, timeout=60) as response:
            response.readline()

    def pages(self):
        expect(200, status(f"{self.url}/login"))
        self.session.call("GET", "/api/v1/auth/me")

    def run(self, seconds):
        """Everything again and again, side by side; beside it, once, what takes long."""
        deadline = time.monotonic() + seconds
        parts = [self.search, self.models, self.wrong, self.pages, self.converse]
        rooms = loads_of_rooms()

        def repeat(part):
            while time.monotonic() < deadline:
                part()
                time.sleep(0.2)

        def slowly():
            self.upload_rubbish()
            self.walk_away()
            self.chat("agent/kettle-uncited", stream=False)
            for run in rooms:
                run(self)
            # More at once than is worked on at a time: some of it waits.
            self.upload(60, wait=False)

        with ThreadPoolExecutor(len(parts) + 1) as pool:
            for future in [pool.submit(repeat, part) for part in parts] + [pool.submit(slowly)]:
                future.result()


def loads_of_rooms():
    """`run(load)` of each loads/<room>.py, sorted by room."""
    rooms = sorted(path.stem for path in (HERE / "loads").glob("*.py"))
    return [importlib.import_module(f"loads.{room}").run for room in rooms]


def from_environment():
    """On the appliance that with_appliance.py started."""
    return Load(os.environ["APPLIANCE_URL"], os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
