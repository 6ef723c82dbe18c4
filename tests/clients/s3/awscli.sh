#!/usr/bin/env bash
# tests/clients/s3/awscli.sh: aws-cli against the appliance (account in AWS_*, S3_ENDPOINT). Runs whichever `aws` is first in PATH.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
aws() { command aws --endpoint-url "$S3_ENDPOINT" "$@"; }
same() { diff -r "$1" "$2" || { echo "$1 and $2 differ" >&2; exit 1; }; }
bucket=awscli-$RANDOM$RANDOM
aws --version
aws s3 mb "s3://$bucket"
mkdir -p "$work/a/deep er"
head -c 20000000 /dev/urandom >"$work/a/large"
printf 'text' >"$work/a/deep er/ü +.txt"
: >"$work/a/empty"
aws s3 sync --only-show-errors "$work/a" "s3://$bucket/x"
aws s3 sync --only-show-errors "s3://$bucket/x" "$work/b"
same "$work/a" "$work/b"
# Nothing is left to do.
[ -z "$(aws s3 sync --dryrun "$work/a" "s3://$bucket/x")" ]
aws s3 cp --only-show-errors "s3://$bucket/x/large" "s3://$bucket/copied"
printf 'from a pipe' | aws s3 cp - "s3://$bucket/pipe"
[ "$(aws s3 cp "s3://$bucket/pipe" -)" = 'from a pipe' ]
aws s3 ls --recursive --summarize "s3://$bucket" | grep -q 'Total Objects: 5'
[ "$(curl -fsS "$(aws s3 presign --expires-in 60 "s3://$bucket/pipe")")" = 'from a pipe' ]
aws s3api put-object-tagging --bucket "$bucket" --key pipe --tagging 'TagSet=[{Key=a,Value=b}]'
[ "$(aws s3api get-object-tagging --bucket "$bucket" --key pipe --query 'TagSet[0].Value' --output text)" = b ]
aws s3api head-object --bucket "$bucket" --key copied --query ContentLength --output text | grep -qx 20000000
if aws s3 rb "s3://$bucket" 2>"$work/told"; then echo 'a bucket with objects was removed' >&2; exit 1; fi
grep -q BucketNotEmpty "$work/told"
aws s3 rm --only-show-errors --recursive "s3://$bucket"
aws s3 rb "s3://$bucket"
echo 'aws-cli: fine'
