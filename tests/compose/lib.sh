# shellcheck shell=bash
# What the tests of compose/ share: an installation in a folder of its own, as somebody would have it who has just copied the files.
#
#   . "$(dirname "$0")/lib.sh" NAME     project holdfast-NAME with the image in $IMAGE, console on $PORT; removed at the end

. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

export COMPOSE_PROJECT_NAME=holdfast-$1
IMAGE=${IMAGE:-holdfast:local}
PORT=${PORT:-18080}
docker info >/dev/null 2>&1 || PATH="$("$ROOT/tests/compose/engine" start):$PATH"
docker image inspect "$IMAGE" >/dev/null 2>&1 || die "no image $IMAGE. Build one:  scripts/image"
home=$(mktemp -d)
mkdir "$home/alerts" "$home/dashboards"
cp -r "$ROOT/compose" "$ROOT/scripts" "$home/"
[ ! -e "$ROOT/alerts" ] || cp -r "$ROOT/alerts" "$home/"
rm -rf "$home/compose/.env" "$home/compose/.upgrade"

files=(--file "$home/compose/docker-compose.yml")
compose() { docker compose "${files[@]}" "$@"; }
cleanup() {
  code=$?
  if [ $code != 0 ]; then
    compose ps --all
    compose logs --no-color --tail 15
  fi
  # What a test has started beside the containers.
  # shellcheck disable=SC2086  # one or more processes
  [ -z "${listener:-}" ] || kill $listener 2>/dev/null
  compose down --volumes --timeout 40 >/dev/null 2>&1
  rm -rf "$home"
}
trap cleanup EXIT

# install: compose-init, with this test's image and ports
install() {
  (cd "$home" && scripts/compose-init "$@" >/dev/null 2>&1)
  sed -i "s/^HOLDFAST_PORT=.*/HOLDFAST_PORT=127.0.0.1:$PORT/; s/^GRAFANA_PORT=.*/GRAFANA_PORT=127.0.0.1:$((PORT + 1))/" "$home/compose/.env"
  echo "HOLDFAST_IMAGE=$IMAGE" >>"$home/compose/.env"
}

# A certificate authority and a registry, for the tests: tests/compose/engine has made it, another engine makes it now.
need_front() {
  docker image inspect holdfast-test/front >/dev/null 2>&1 ||
    printf 'FROM debian:trixie-slim\nRUN apt-get update && apt-get install -y --no-install-recommends pebble docker-registry wget\n' | docker build --quiet --tag holdfast-test/front - >/dev/null
}

passed=0
# check WHAT COMMAND...
check() {
  local what=$1 log
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 || { tail -30 "$log" >&2; die "$what: failed: $*"; }
  rm -f "$log"
  echo "ok    $what"
  passed=$((passed + 1))
}
# refuse WHAT COMMAND...: the command must fail
refuse() {
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then die "$what: should have failed: $*"; fi
  echo "ok    $what"
  passed=$((passed + 1))
}
# eventually SECONDS COMMAND...
eventually() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || return 1
    sleep 1
  done
}
inside() { compose exec -T holdfast "$@" </dev/null; }
sql() { compose exec -T postgres psql --username holdfast --dbname "${2:-holdfast}" -Atqc "$1" </dev/null; }
health() { docker inspect --format '{{.State.Health.Status}}' "$(compose ps --all --quiet "$1")"; }
healthy() { [ "$(health "$1")" = healthy ]; }

# The first admin's password, once chosen in place of the one that the first start made.
own_password='chosen in this test'
first_password() { inside sed -n 2p /var/lib/holdfast/first-admin-password; }
# sign_in PASSWORD: as the first admin
sign_in() {
  curl --silent --fail --output /dev/null --cookie-jar "$home/cookies" "http://127.0.0.1:$PORT/api/v1/auth/login" -H "Origin: http://127.0.0.1:$PORT" \
    --json "{\"email\":\"admin@holdfast.local\",\"password\":\"$1\"}"
}
# api METHOD PATH [JSON]: as the first admin
api() {
  local password
  if [ ! -e "$home/cookies" ]; then
    if password=$(first_password 2>/dev/null) && [ -n "$password" ]; then
      sign_in "$password" || return 1
      call POST /auth/password "{\"current_password\":\"$password\",\"new_password\":\"$own_password\"}" || return 1
    else
      sign_in "$own_password" || return 1
    fi
  fi
  call "$@"
}
call() { curl --silent --fail --cookie "$home/cookies" --request "$1" "http://127.0.0.1:$PORT/api/v1$2" -H "Origin: http://127.0.0.1:$PORT" ${3:+--json "$3"}; }
