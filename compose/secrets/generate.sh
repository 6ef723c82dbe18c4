#!/bin/sh
# Makes this installation's passwords at its first start, each readable by the container users that need it. What is there stays.
set -eu
cd /run/holdfast
umask 077

password() { head -c 30 /dev/urandom | base64 | tr '+/' '-_'; }

# keep FILE USER:GROUP [MODE]: standard input becomes FILE, whole or not at all
keep() {
  cat >"$1.new"
  chmod "${3:-0400}" "$1.new"
  chown "$2" "$1.new"
  mv "$1.new" "$1"
}

# The users of the images: postgres, holdfast, grafana, alertmanager.
postgres=999 holdfast=10001 grafana=472 alertmanager=65534
if [ ! -e postgres_password ]; then
  secret=$(password)
  printf 'postgres://holdfast:%s@postgres:5432/holdfast\n' "$secret" | keep database_url "$holdfast:$holdfast"
  printf '%s' "$secret" | keep postgres_password "$postgres:$postgres"
fi
[ -e grafana_password ] || password | keep grafana_password "$grafana:$grafana"
# Alertmanager presents it, Holdfast compares it.
[ -e alerts_token ] || password | tr -d '\n' | keep alerts_token "$holdfast:$alertmanager" 0440
chmod 0711 .
# On the host: the key that opens backups lies there, for Holdfast's user.
chown "$holdfast:$holdfast" /run/backup
chmod 0700 /run/backup
# One that a person put there, to restore with.
key=/run/backup/holdfast-backup.key
if [ -e $key ]; then
  chown "$holdfast:$holdfast" $key
  chmod 0400 $key
fi
