"""Objects that are written, read, replaced, listed and deleted; equal content; one that is refused."""
import hashlib
import urllib.error
import urllib.request

BUCKET = "/api/v1/buckets/load-files"


def run(load):
    api = load.session
    api.call("POST", "/api/v1/buckets", {"name": "load-files", "versioning": "on"})

    def ask(method, key, content=None, **more):
        headers = {**api.headers, "Content-Type": "text/plain", **more}
        request = urllib.request.Request(f"{load.url}{BUCKET}/objects/{key}", content, headers, method=method)
        try:
            with api.opener.open(request, timeout=60) as response:
                response.read()
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    for n in range(20):
        assert ask("PUT", f"folder/{n}.txt", f"kettle {n}".encode()) == 201
        assert ask("PUT", f"folder/{n}.txt", f"kettle {n}, again".encode()) == 200
        # The content is there already.
        assert ask("PUT", f"copies/{n}.txt", f"kettle {n}, again".encode()) == 201
        assert ask("GET", f"folder/{n}.txt") == 200
    assert len(api.call("GET", f"{BUCKET}/objects?prefix=folder/&limit=10")["data"]) == 10
    for n in range(5):
        assert ask("DELETE", f"folder/{n}.txt") == 204
    # Its hash is that of another.
    wrong = hashlib.sha256(b"something else").hexdigest()
    assert ask("PUT", "wrong.txt", b"kettle", **{"X-Content-SHA256": wrong}) == 400
