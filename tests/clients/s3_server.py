#!/usr/bin/env python3
"""An S3 service for tests: moto, with signatures checked and conditional writes honoured.

usage: s3_server.py

Listens on a free port of 127.0.0.1, makes the bucket "holdfast" and one account that may use it, prints
{"endpoint": ..., "access_key_id": ..., "secret_access_key": ...} on one line, and ends when standard input does.
"""

import json
import logging
import os
import sys

# What happens before the account exists is not checked: making user, key, policy and bucket. Read when moto is imported.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def main():
    if "--help" in sys.argv:
        sys.exit(__doc__.strip())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"

    def client(service):
        return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")

    client("iam").create_user(UserName="holdfast")
    key = client("iam").create_access_key(UserName="holdfast")["AccessKey"]
    client("iam").put_user_policy(UserName="holdfast", PolicyName="s3", PolicyDocument=json.dumps(POLICY))
    client("s3").create_bucket(Bucket="holdfast")
    account = {"endpoint": endpoint, "access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
    print(json.dumps(account), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
