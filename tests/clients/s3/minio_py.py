#!/usr/bin/env python3
"""MinIO's client for Python against the port of the S3 API: it signs chunks, and lists versions."""
import io
import os
import uuid
from urllib.parse import urlsplit

from minio import Minio
from minio.error import S3Error

client = Minio(urlsplit(os.environ["S3_ROOT"]).netloc, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], secure=False)
bucket = f"minio-{uuid.uuid4().hex[:10]}"
client.make_bucket(bucket)
content = os.urandom(12 << 20)
client.put_object(bucket, "a/large", io.BytesIO(content), -1, part_size=5 << 20)
client.put_object(bucket, "a/small", io.BytesIO(b"x"), 1, metadata={"colour": "blue"})
for name, expected in (("a/large", content), ("a/small", b"x")):
    answer = client.get_object(bucket, name)
    assert answer.read() == expected, name
    answer.close()
assert client.stat_object(bucket, "a/small").metadata["x-amz-meta-colour"] == "blue"
assert [one.object_name for one in client.list_objects(bucket)] == ["a/"]
assert [one.object_name for one in client.list_objects(bucket, recursive=True)] == ["a/large", "a/small"]
try:
    client.stat_object(bucket, "never")
    raise SystemExit("there is an object that was never written")
except S3Error as error:
    assert error.code == "NoSuchKey", error
for one in list(client.list_objects(bucket, recursive=True)):
    client.remove_object(bucket, one.object_name)
client.remove_bucket(bucket)
print("minio for Python: fine")
