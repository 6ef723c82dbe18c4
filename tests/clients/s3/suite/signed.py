"""Presigned addresses, forms, and keys with few rights."""
import json
import urllib.error
import urllib.request
import uuid

from account import access_key, admin

from . import refused, test


def fetch(method, url, body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


@test
def test_object_presigned_get(s3):
    bucket = s3.filled("a b+c")
    for version in ("s3v4",):
        client = s3.connect(signature_version=version)
        url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b+c"}, ExpiresIn=60)
        assert fetch("GET", url)[:2] == (200, b"a b+c"), url
        assert fetch("DELETE", url)[0] == 403
        assert fetch("GET", url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))[0] == 403


@test
def test_object_presigned_put(s3):
    bucket = s3.bucket()
    what = {"Bucket": bucket, "Key": "k", "ContentType": "text/plain", "Metadata": {"a": "b"}}
    url = s3.client.generate_presigned_url("put_object", what, ExpiresIn=60)
    assert fetch("PUT", url, b"x", {"Content-Type": "text/html"})[0] == 403
    status, text, _ = fetch("PUT", url, b"x", {"Content-Type": "text/plain", "x-amz-meta-a": "b"})
    assert status == 200, text
    assert s3.client.head_object(Bucket=bucket, Key="k")["Metadata"] == {"a": "b"}
    assert fetch("PUT", url, b"x", {"Content-Type": "text/plain", "x-amz-meta-a": "b", "x-amz-copy-source": f"/{bucket}/k"})[0] == 403


@test
def test_object_signature_v2_is_refused(s3):
    client = s3.connect(signature_version="s3")
    told = refused(client.list_objects, Bucket=s3.bucket(), status=400, code="InvalidRequest")
    assert "AWS4-HMAC-SHA256" in told["Error"]["Message"], told


@test
def test_object_anon_is_refused(s3):
    from account import ENDPOINT

    assert fetch("GET", f"{ENDPOINT}/{s3.filled('k')}/k")[0] == 403


def form(fields, content, name="file.txt"):
    mark = uuid.uuid4().hex
    lines = [f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    lines.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n')
    return "".join(lines).encode() + content + f"\r\n--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def post(signed, content, **changes):
    fields = {**signed["fields"], **changes}
    body, kind = form({name: value for name, value in fields.items() if value is not None}, content)
    return fetch("POST", signed["url"], body, {"Content-Type": kind})


@test
def test_post_object_authenticated_request(s3):
    bucket = s3.bucket()
    signed = s3.client.generate_presigned_post(bucket, "foo.txt", ExpiresIn=60)
    status, text, _ = post(signed, b"bar")
    assert status == 204, text
    assert s3.read(bucket, "foo.txt") == b"bar"


@test
def test_post_object_set_key_from_filename(s3):
    bucket = s3.bucket()
    signed = s3.client.generate_presigned_post(bucket, "up/${filename}", ExpiresIn=60)
    assert post(signed, b"bar")[0] == 204
    assert s3.read(bucket, "up/file.txt") == b"bar"


@test
def test_post_object_set_success_code(s3):
    bucket = s3.bucket()
    conditions = [{"success_action_status": "201"}]
    signed = s3.client.generate_presigned_post(bucket, "k", {"success_action_status": "201"}, conditions, 60)
    status, text, _ = post(signed, b"bar")
    assert status == 201 and b"<Key>k</Key>" in text and b"<ETag>" in text, text


@test
def test_post_object_success_redirect_action(s3):
    bucket = s3.bucket()
    where = "http://localhost/done?x=1"
    signed = s3.client.generate_presigned_post(bucket, "k", {"success_action_redirect": where}, [{"success_action_redirect": where}], 60)

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    body, kind = form(signed["fields"], b"bar")
    request = urllib.request.Request(signed["url"], body, {"Content-Type": kind}, method="POST")
    try:
        urllib.request.build_opener(Stay).open(request)
        raise AssertionError("no redirect")
    except urllib.error.HTTPError as error:
        assert error.code == 303 and error.headers["Location"].startswith(f"{where}&bucket={bucket.replace('-', '%2D')}&key=k&etag="), error.headers["Location"]


@test
def test_post_object_upload_size_limit_exceeded(s3):
    bucket = s3.bucket()
    signed = s3.client.generate_presigned_post(bucket, "k", None, [["content-length-range", 2, 3]], 60)
    for content, code in ((b"abcd", b"EntityTooLarge"), (b"a", b"EntityTooSmall")):
        status, text, _ = post(signed, content)
        assert status == 400 and code in text, text
    assert post(signed, b"abc")[0] == 204


@test
def test_post_object_tampered(s3):
    bucket, other = s3.bucket(), s3.bucket()
    signed = s3.client.generate_presigned_post(bucket, "k", ExpiresIn=60)
    assert post(signed, b"x", key="other")[0] == 403
    assert post(signed, b"x", acl="private")[0] == 403, "a field that no condition mentions"
    assert post(signed, b"x", policy=None)[0] == 403
    assert post(signed, b"x", **{"x-amz-signature": "0" * 64})[0] == 403
    assert post({**signed, "url": signed["url"].replace(bucket, other)}, b"x")[0] == 403
    policy = json.loads(__import__("base64").b64decode(signed["fields"]["policy"]))
    policy["expiration"] = "2099-01-01T00:00:00Z"
    forged = __import__("base64").b64encode(json.dumps(policy).encode()).decode()
    assert post(signed, b"x", policy=forged)[0] == 403


@test
def test_keys_with_few_rights(s3):
    bucket = s3.filled("k", "a/k")
    api = admin()
    reader = s3.connect(access_key(api, verbs=["read"]))
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"k"
    refused(reader.get_object, Bucket=bucket, Key="never", status=403, code="AccessDenied")
    for call, named in ((reader.put_object, {"Key": "k", "Body": b"x"}), (reader.delete_object, {"Key": "k"}), (reader.list_objects_v2, {})):
        refused(call, Bucket=bucket, **named, status=403, code="AccessDenied")
    below = s3.connect(access_key(api, verbs=["list", "read", "write"], prefix="a/"))
    assert below.list_objects_v2(Bucket=bucket, Prefix="a/")["KeyCount"] == 1
    refused(below.list_objects_v2, Bucket=bucket, status=403, code="AccessDenied")
    refused(below.get_object, Bucket=bucket, Key="k", status=403, code="AccessDenied")
    refused(below.copy_object, Bucket=bucket, Key="a/copy", CopySource=f"{bucket}/k", status=403, code="AccessDenied")


@test
def test_key_revoked(s3):
    import time

    api = admin()
    key = access_key(api)
    client, bucket = s3.connect(key), s3.bucket()
    client.list_objects_v2(Bucket=bucket)
    api.call("DELETE", f"/api/v1/access-keys/{key['id']}")
    end = time.monotonic() + 12
    while time.monotonic() < end:
        try:
            client.list_objects_v2(Bucket=bucket)
        except client.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidAccessKeyId", error
            return
        time.sleep(0.2)
    raise AssertionError("a revoked key is good after ten seconds")
