#!/usr/bin/env bash
# tests/clients/s3/s3cmd.sh: s3cmd against the port of the S3 API (S3_ROOT: its endpoint has no path).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
host=${S3_ROOT#http://}
s3cmd() {
  command s3cmd --config /dev/null --no-ssl --host "$host" --host-bucket "$host" --access_key "$AWS_ACCESS_KEY_ID" \
    --secret_key "$AWS_SECRET_ACCESS_KEY" --no-progress "$@"
}
bucket=s3cmd-$RANDOM$RANDOM
command s3cmd --version
s3cmd mb "s3://$bucket"
mkdir -p "$work/a/b"
head -c 20000000 /dev/urandom >"$work/a/large"
printf 'x' >"$work/a/b/ü +"
s3cmd put --multipart-chunk-size-mb 5 "$work/a/large" "s3://$bucket/parts"
s3cmd get "s3://$bucket/parts" "$work/back"
cmp "$work/a/large" "$work/back"
s3cmd sync "$work/a/" "s3://$bucket/x/"
mkdir "$work/c"
s3cmd sync "s3://$bucket/x/" "$work/c/"
diff -r "$work/a" "$work/c"
s3cmd setacl --acl-private "s3://$bucket"
s3cmd info "s3://$bucket/parts" | grep -q 'File size: 20000000'
[ "$(curl -fsS "$(s3cmd signurl "s3://$bucket/x/b/ü +" +60)" 2>/dev/null || echo refused)" != x ] ||
  { echo 'a signature of the old kind was accepted' >&2; exit 1; }
s3cmd du "s3://$bucket" | grep -q '^ *40000001 '
s3cmd del --recursive --force "s3://$bucket"
s3cmd rb "s3://$bucket"
echo 's3cmd: fine'
