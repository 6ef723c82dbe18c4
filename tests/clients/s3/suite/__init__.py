"""Tests of the S3 API in the manner of ceph's s3-tests, with its names where a test tests the same. Each takes a `Case`."""
import itertools
import re

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from account import ENDPOINT, REGION

TESTS = {}
_numbers = itertools.count(1)


def test(function):
    """Puts a test into the suite, by its name."""
    assert function.__name__ not in TESTS, f"two tests are called {function.__name__}"
    TESTS[function.__name__] = function
    return function


class Case:
    """What a test works with: a client, and names of buckets that nobody has."""

    def __init__(self, key):
        self.key = key
        self.client = self.connect()

    def connect(self, key=None, **config):
        key = key or self.key
        return boto3.client(
            "s3",
            endpoint_url=ENDPOINT,
            region_name=REGION,
            aws_access_key_id=key["access_key_id"],
            aws_secret_access_key=key["secret_access_key"],
            config=Config(**{"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 0}, **config}),
        )

    def name(self):
        return f"suite-{next(_numbers)}"

    def bucket(self, **how):
        name = self.name()
        self.client.create_bucket(Bucket=name, **how)
        return name

    def filled(self, *keys):
        """A bucket with these keys; each is its own content."""
        bucket = self.bucket()
        for key in keys:
            self.client.put_object(Bucket=bucket, Key=key, Body=key.encode())
        return bucket

    def read(self, bucket, key, **how):
        return self.client.get_object(Bucket=bucket, Key=key, **how)["Body"].read()


def refused(call, *arguments, status=None, code=None, **named):
    """Calls, and returns the error, which must be this one."""
    try:
        call(*arguments, **named)
    except ClientError as error:
        told = error.response
        got = (told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"])
        assert status in (None, got[0]) and code in (None, got[1]), f"{got} instead of {(status, code)}: {told}"
        assert told["ResponseMetadata"].get("RequestId"), told
        return told
    raise AssertionError(f"{call.__name__} was not refused")


def keys(page):
    return [entry["Key"] for entry in page.get("Contents", [])]


def prefixes(page):
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def is_md5(etag):
    return re.fullmatch(r'"[0-9a-f]{32}"', etag) is not None
