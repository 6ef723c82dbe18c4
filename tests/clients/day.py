"""A day's work on an appliance, without a word to anybody outside: what people and schedules make it do."""
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from management import Api, first_sign_in, make_key, wait_for

DOCUMENTS = Path(__file__).resolve().parent.parent / "fixtures" / "documents"
KINDS = {".pdf": "application/pdf", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
         ".html": "text/html", ".md": "text/markdown", ".txt": "text/plain"}
# Pages call for pictures, styles and scripts of other servers; a reader must not fetch them.
PAGE = """<!doctype html><html><head><link rel="stylesheet" href="https://example.com/a.css"><script src="https://example.com/a.js"></script>
<base href="https://example.com/"></head><body><h1>Gauges</h1><p>The gauge is read at noon.</p><img src="https://example.com/a.png">
<iframe src="https://example.com/frame"></iframe></body></html>"""
MAIL = """From: a@example.com\r\nTo: b@example.com\r\nSubject: Valves\r\nContent-Type: text/html\r\n\r\n<p>The valve is closed.</p><img src="https://example.com/pixel.gif">\r\n"""


def main():
    url = os.environ["APPLIANCE_URL"]
    session = first_sign_in(url, os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
    key = make_key(session)
    api = Api(url, key)
    base = api.call("POST", "/api/v1/knowledge-bases", {"name": "A day"})["id"]
    files = [path for path in sorted(DOCUMENTS.iterdir()) if path.suffix in KINDS]
    ids = []
    for path in files:
        try:
            ids.append(api.upload(base, path.name, path.read_bytes(), KINDS[path.suffix])["id"])
        except AssertionError as refused:
            # Empty, or no document whatever its name says.
            assert ": 415 " in str(refused), refused
    ids.append(api.upload(base, "page.html", PAGE, "text/html")["id"])
    ids.append(api.upload(base, "mail.eml", MAIL, "message/rfc822")["id"])

    def ended(document):
        found = api.call("GET", f"/api/v1/knowledge-bases/{base}/documents/{document}")["status"]
        return found if found in ("ready", "failed") else None

    states = [wait_for("a document comes to rest", lambda: ended(document), 300) for document in ids]
    print(f"documents: {states.count('ready')} ready, {states.count('failed')} failed")
    assert states.count("ready") > 15, states
    for mode in ("hybrid", "vector", "text"):
        assert api.call("POST", f"/api/v1/knowledge-bases/{base}/search", {"query": "When is the gauge read?", "mode": mode})["results"]
    agent = api.call("POST", "/api/v1/agents", {"name": "Night shift", "knowledge_bases": [base]})["id"]
    talk = api.call("POST", f"/api/v1/agents/{agent}/conversations", {})["id"]
    answer = api.call("POST", f"/api/v1/agents/{agent}/conversations/{talk}/messages", {"content": "When is the gauge read?"})
    assert answer["content"], answer
    assert api.call("POST", "/v1/embeddings", {"model": "embed", "input": "gauge"})["data"]
    assert api.call("GET", "/v1/models")["data"]
    for page in ("/", "/knowledge", f"/knowledge/{base}", "/agents", "/jobs", "/alerts", "/backups", "/logs", "/settings/models", "/settings/members", "/api/docs"):
        print(page, flush=True)
        with session.opener.open(url + page, timeout=30) as response:
            assert response.status == 200, page
    urllib.request.urlopen(os.environ["APPLIANCE_OPS_URL"] + "/metrics", timeout=10).read()
    with tempfile.TemporaryDirectory() as folder:
        for command in (["doctor"], ["support-bundle", "--out", f"{folder}/bundle.zip"], ["backup", "keys", "generate", "--out", f"{folder}/key"]):
            ran = subprocess.run([os.environ["APPLIANCE_BINARY"], "--config", os.environ["APPLIANCE_CONFIG"], *command], capture_output=True, text=True)
            print(f"{command[0]}: {ran.returncode}")
            assert ran.returncode == 0 or command == ["doctor"], ran.stderr
    return 0


if __name__ == "__main__":
    sys.exit(main())
