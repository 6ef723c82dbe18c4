#!/bin/sh
# Starts PostgreSQL; a database that another major version has made is refused in words, before anything touches it. compose/ may have moved
# to a newer one with a `git pull`.
set -eu
here=$(postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
there=$(cat "$PGDATA/PG_VERSION" 2>/dev/null || echo "$here")
if [ "$here" != "$there" ]; then
  cat >&2 <<E2

The database was made by PostgreSQL $there, and this image is PostgreSQL $here. Nothing was touched. On the host:

  scripts/compose-init       stays with $there: names its image in compose/.env (POSTGRES_IMAGE)
  docker compose -f compose/docker-compose.yml up -d
  scripts/upgrade-postgres   and then moves the database to $here, with a backup before and a way back

E2
  exit 64
fi
exec docker-entrypoint.sh "$@"
