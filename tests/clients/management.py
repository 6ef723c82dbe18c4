"""The management API for clients and benchmarks, through the standard library."""
import json
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

PASSWORD = "correct horse battery staple 42"
SCOPES = ["inference", "agents_read", "agents_write", "knowledge_read", "knowledge_write", "files_read", "files_write"]


class Api:
    """Calls with an API key, or without one with the session that a sign-in left."""

    def __init__(self, url, key=None):
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.headers = {"Authorization": f"Bearer {key}"} if key else {"Origin": url}

    def call(self, method, path, body=None, raw=None, media_type="application/json"):
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": media_type, **self.headers}, method=method)
        try:
            with self.opener.open(request, timeout=60) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(content) if content else None

    def upload(self, base, filename, text, media_type="text/markdown"):
        mark = "holdfast-test-boundary"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: {media_type}\r\n\r\n'
        content = text if isinstance(text, bytes) else text.encode()
        body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
        return self.call("POST", f"/api/v1/knowledge-bases/{base}/documents", raw=body, media_type=f"multipart/form-data; boundary={mark}")


def first_sign_in(url, email, one_time_password):
    """Signs in with the one-time password, and chooses another. Returns the session's Api."""
    api = Api(url)
    me = api.call("POST", "/api/v1/auth/login", {"email": email, "password": one_time_password})
    assert me["user"]["must_change_password"], me
    api.headers["X-CSRF-Token"] = me["user"]["csrf_token"]
    api.call("POST", "/api/v1/auth/password", {"current_password": one_time_password, "new_password": PASSWORD})
    return api


def first_key(url, email, one_time_password):
    """As first_sign_in, and makes an API key. Returns its secret."""
    return make_key(first_sign_in(url, email, one_time_password))


def make_key(api):
    return api.call("POST", "/api/v1/api-keys", {"name": "client test", "scopes": SCOPES})["secret"]


def wait_for(what, check, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = check()
        if result:
            return result
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")


def wait_until_ready(api, base, documents, seconds=120):
    waiting = list(documents)

    def done():
        # One at a time: a benchmark waits here, and asking for fifty costs what it measures.
        while waiting:
            now = api.call("GET", f"/api/v1/knowledge-bases/{base}/documents/{waiting[-1]}")
            if now["status"] == "failed":
                raise AssertionError(f"document failed: {now}")
            if now["status"] != "ready":
                return False
            waiting.pop()
        return True

    wait_for("documents ready", done, seconds)
