#!/usr/bin/env bash
# tests/clients/s3/restic.sh: restic against the port of the S3 API (S3_ROOT: its endpoint has no path).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bucket=restic-$RANDOM$RANDOM
export RESTIC_REPOSITORY=s3:$S3_ROOT/$bucket RESTIC_PASSWORD=secret RESTIC_CACHE_DIR=$work/cache
restic version
mkdir -p "$work/a"
restic init
for round in 1 2 3; do
  head -c 8000000 /dev/urandom >"$work/a/$round"
  printf '%s' "$round" >"$work/a/changing"
  restic backup --quiet "$work/a"
done
[ "$(restic snapshots --json | grep -o '"short_id"' | wc -l)" = 3 ]
restic check --quiet --read-data
restic forget --quiet --keep-last 2 --prune
restic check --quiet --read-data
restic restore --quiet latest --target "$work/b"
diff -r "$work/a" "$work/b/$work/a"
restic list locks --quiet
echo 'restic: fine'
