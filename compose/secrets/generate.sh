#!/bin/sh
# Makes this installation's passwords at its first start, each readable by the one container user that needs it.
set -eu
cd /run/holdfast
umask 077

password() { head -c 30 /dev/urandom | base64 | tr '+/' '-_'; }

# keep FILE UID: standard input becomes FILE, whole or not at all
keep() {
  cat >"$1.new"
  chmod 0400 "$1.new"
  chown "$2:$2" "$1.new"
  mv "$1.new" "$1"
}

postgres=999 holdfast=10001
if [ ! -e postgres_password ]; then
  secret=$(password)
  printf 'postgres://holdfast:%s@postgres:5432/holdfast\n' "$secret" | keep database_url "$holdfast"
  printf '%s' "$secret" | keep postgres_password "$postgres"
fi
[ -e admin_password ] || password | keep admin_password "$holdfast"
chmod 0711 .
