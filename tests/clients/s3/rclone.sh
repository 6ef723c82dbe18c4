#!/usr/bin/env bash
# tests/clients/s3/rclone.sh [FILES]: rclone against the appliance: a sync of so many files (10000), compared on both sides, and back.
set -euo pipefail
files=${1:-10000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export RCLONE_CONFIG_THERE_TYPE=s3 RCLONE_CONFIG_THERE_PROVIDER=Other RCLONE_CONFIG_THERE_ENV_AUTH=true
export RCLONE_CONFIG_THERE_ENDPOINT=$S3_ENDPOINT RCLONE_CONFIG_THERE_FORCE_PATH_STYLE=true
bucket=rclone-$RANDOM$RANDOM
rclone version | head -1
for ((n = 0; n < files; n++)); do
  folder=$work/a/$((n / 500))
  [ -d "$folder" ] || mkdir -p "$folder"
  printf '%s' "$n" >"$folder/file $n"
done
head -c 30000000 /dev/urandom >"$work/a/large"
rclone mkdir "there:$bucket"
rclone sync --transfers 16 --checkers 16 "$work/a" "there:$bucket/x"
rclone check --checkers 16 "$work/a" "there:$bucket/x"
rclone copy --transfers 16 "there:$bucket/x" "$work/b"
diff -r "$work/a" "$work/b"
rclone check --download "$work/a/0" "there:$bucket/x/0"
# What changed, and nothing else.
printf 'changed' >"$work/a/0/file 1"
rm "$work/a/0/file 2"
rclone sync "$work/a" "there:$bucket/x" --stats-one-line -v 2>"$work/told"
grep -q 'file 1: Copied' "$work/told"
grep -q 'file 2: Deleted' "$work/told"
rclone moveto "there:$bucket/x/large" "there:$bucket/moved"
[ "$(rclone size --json "there:$bucket" | sed 's/.*"count":\([0-9]*\).*/\1/')" = "$files" ]
rclone purge "there:$bucket"
echo 'rclone: fine'
