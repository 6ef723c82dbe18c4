# shellcheck shell=bash
# The parts of scripts/upgrade that touch Docker, PostgreSQL and the data: source it, do not run it.
#
# State lies in compose/.upgrade: `state` (what an upgrade did), `former.yml` (how the former container was started: an older
# version may not know the settings of a newer compose file), logs of the last run.

# shellcheck disable=SC2034  # the variables are those of scripts/upgrade
state=$ROOT/compose/.upgrade
env_file=$ROOT/compose/.env
project=${COMPOSE_PROJECT_NAME:-holdfast}

compose() { docker compose --project-name "$project" "${files[@]}" "$@"; }
inspect() { docker inspect --format "{{$2}}" "$1"; }
mib() { echo $((($1 + 1048575) / 1048576)); }
version() { docker run --rm --network none "$1" --version 2>/dev/null || echo "unknown version"; }
typed() {
  local line=''
  read -r line || true
  [ "$line" = "$1" ]
}

# sql STATEMENT [DATABASE]: as the superuser, over the socket inside its container
sql() { compose exec -T postgres psql --username holdfast --dbname "${2:-holdfast}" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1" </dev/null; }

# Number and newest of the migrations, failed ones too.
schema_now() { sql "select count(*) || '/' || coalesce(max(version), 0) || case when bool_and(success) then '' else ' (failed)' end from _sqlx_migrations"; }

# running PROGRAM ARGUMENTS...: in the container that runs. Standard input stays ours, for what the person types.
running() { compose exec -T holdfast "$@" </dev/null; }

# once [--backed-up] ARGUMENTS...: holdfast in a container of its own; --backed-up: no second backup before the migration
once() {
  local options=()
  if [ "$1" = --backed-up ]; then shift; options=(--env HOLDFAST_BACKUP__BEFORE_MIGRATION=false); fi
  compose run --rm --no-deps -T "${options[@]}" holdfast "$@" </dev/null
}

# former ARGUMENTS...: the former version's holdfast, with its settings of then, in a container of its own
former() { (files+=(--file "$state/former.yml") && compose run --rm --no-deps -T holdfast "$@" </dev/null); }

# Whether the former version can work with the schema as it is now: it is asked itself, so that what we believe is what it will do when
# it starts. No answer is no, and `unasked` says why.
unasked=''
compatible() {
  local said knows column="select count(*) from information_schema.columns where table_name = 'installation' and column_name = 'compatible_since'"
  if said=$(former migrate --plan --json 2>"$state/former.log"); then
    grep -q '^  "serves": true' <<<"$said"
    return
  fi
  # It does not know the question. Versions before it compare installation.compatible_since with the highest number that they know, where
  # they know the column.
  said=$(former migrate --plan 2>>"$state/former.log") || { unasked="$(tail -1 "$state/former.log")" unasked=${unasked:-no answer}; return 1; }
  knows=$(sed -n 's/.*; this version knows \([0-9]*\)$/\1/p' <<<"$said")
  [ -n "$knows" ] && [ "$(sql "$column" holdfast_before_upgrade)" = 1 ] && [ "$(sql "select max(compatible_since) <= $knows from installation")" = t ]
}

# inside SCRIPT: with the data directory, as its owner, in the image that ran before
inside() { HOLDFAST_IMAGE=holdfast:before-upgrade compose run --rm --no-deps -T --entrypoint sh holdfast -euc "cd /var/lib/holdfast; $1" </dev/null >&2; }

# The container that runs, and the compose files it was started with.
find_installation() {
  local file list
  files=(--file "$ROOT/compose/docker-compose.yml")
  container=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=holdfast --filter label=com.docker.compose.oneoff=False | head -1)
  [ -n "$container" ] || die "no installation of compose/docker-compose.yml here (project $project). Start it first:  docker compose -f compose/docker-compose.yml up -d"
  [ -e "$env_file" ] || die "no compose/.env yet. Make it:  scripts/compose-init"
  list=$(inspect "$container" 'index .Config.Labels "com.docker.compose.project.config_files"')
  while IFS= read -rd, file; do
    case "$file" in
    "$state"/* | "$ROOT/compose/docker-compose.yml") ;;
    *) [ ! -e "$file" ] || files+=(--file "$file") ;;
    esac
  done <<<"$list,"
  mkdir -p "$state"
  chmod 0700 "$state"
  exec 9>"$state/lock"
  flock --nonblock 9 || die "another scripts/upgrade is at work"
}

# setting NAME: of the environment of the service holdfast, or of compose/.env
setting() {
  if [ "$1" = HOLDFAST_IMAGE ]; then
    sed -n 's/^HOLDFAST_IMAGE=//p' "$env_file" | tail -1 | tr -d "'"
  else
    compose config --format json | sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}$/\1/p" | head -1
  fi
}

# put_setting NAME VALUE: into compose/.env, whole or not at all
put_setting() {
  (umask 077 && { grep -v "^$1=" "$env_file" || true; echo "$1=$2"; } >"$env_file.new")
  mv "$env_file.new" "$env_file"
}

load_state() {
  # shellcheck disable=SC1091
  [ ! -e "$state/state" ] || . "$state/state"
}

save_state() {
  local name
  for name in PHASE FORMER_IMAGE FORMER_ID FORMER_DIGEST SCHEMA BACKUP WHEN SET_ASIDE; do
    printf '%s=%q\n' "$name" "${!name:-}"
  done >"$state/state.new"
  mv "$state/state.new" "$state/state"
}

# The former image gets a name of its own; `docker image prune --all` removes it all the same, since nothing runs it: by its digest it can be
# pulled again, where it came from a registry. Its container's environment is written down.
remember_former() {
  docker tag "$FORMER_ID" holdfast:before-upgrade
  FORMER_DIGEST=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$FORMER_ID" | head -1)
  (umask 077 && {
    printf 'services:\n  holdfast:\n    image: holdfast:before-upgrade\n    env_file: !reset []\n    environment: !override '
    # A dollar would be a variable to compose.
    # shellcheck disable=SC2016
    inspect "$container" 'json .Config.Env' | sed 's/\$/$$/g'
  } >"$state/former.yml")
}

# stop_on_purpose DURATION: nobody is woken by a Holdfast that is stopped on purpose, for so long, or until it runs again.
# Without Alertmanager (--minimal) there is nobody to be woken.
amtool() { compose exec -T alertmanager amtool --alertmanager.url=http://127.0.0.1:9093 "$@" </dev/null 2>/dev/null; }
stop_on_purpose() {
  amtool silence add --duration="$1" --author=scripts/upgrade --comment="stopped by scripts/upgrade" alertname=HoldfastDown >/dev/null || true
  compose stop --timeout 60 holdfast >&2
}
runs_again() {
  local silence
  for silence in $(amtool silence query --quiet --created-by=scripts/upgrade || true); do amtool silence expire "$silence" || true; done
}

# The former image, for a rollback: here, or pulled. Nothing has been touched yet.
former_is_here() {
  ! docker image inspect holdfast:before-upgrade >/dev/null 2>&1 || return 0
  if ! docker image inspect "$FORMER_ID" >/dev/null 2>&1; then
    [ -n "${FORMER_DIGEST:-}" ] && step "Pulling $FORMER_DIGEST" && docker pull --quiet "$FORMER_DIGEST" >&2 || return 1
    docker tag "$FORMER_DIGEST" holdfast:before-upgrade
    return
  fi
  docker tag "$FORMER_ID" holdfast:before-upgrade
}

# Stops Holdfast and keeps the database and the files as they are. Files are written once and never in place, so links are a copy.
keep_state() {
  step "Stopping Holdfast"
  stop_on_purpose 15m
  step "Keeping the database and the files"
  failure="the database could not be kept"
  disconnect holdfast
  sql "drop database if exists holdfast_before_upgrade" postgres
  sql "create database holdfast_before_upgrade template holdfast strategy file_copy" postgres
  failure="the files could not be kept"
  # shellcheck disable=SC2016  # expanded inside
  inside 'rm -rf before-upgrade before-upgrade.new; mkdir before-upgrade.new
    for folder in objects vectors; do [ ! -e $folder ] || cp -al $folder before-upgrade.new/; done
    mv before-upgrade.new before-upgrade'
  failure=''
}

disconnect() { sql "select pg_terminate_backend(pid) from pg_stat_activity where datname = '$1' and pid <> pg_backend_pid()" postgres >/dev/null; }

exists() { [ "$(sql "select 1 from pg_database where datname = '$1'" postgres)" = 1 ]; }

# The kept database and files take the place of the present ones, which are set aside. Each step may be repeated.
swap_state() {
  step "Bringing back the database and the files of $WHEN"
  if exists holdfast_before_upgrade; then
    if exists holdfast; then
      disconnect holdfast
      sql "alter database holdfast rename to holdfast_rolled_back" postgres || return 1
    fi
    disconnect holdfast_before_upgrade
    sql "alter database holdfast_before_upgrade rename to holdfast" postgres || return 1
  fi
  # shellcheck disable=SC2016  # expanded inside
  inside 'mkdir -p rolled-back
    if [ -e before-upgrade ]; then for folder in objects vectors; do
      [ -e rolled-back/$folder ] || [ ! -e $folder ] || mv $folder rolled-back/
      [ ! -e before-upgrade/$folder ] || mv before-upgrade/$folder .
    done; rmdir before-upgrade; fi' || return 1
}

# Back to the former image; with $exact to the former state too, where the schema is another. Needs FORMER_*, SCHEMA.
go_back() {
  step "Going back to $FORMER_IMAGE"
  sql "select 1" postgres >/dev/null || return 1 # what cannot be asked is not taken for missing
  stop_on_purpose 15m || return 1
  if [ -n "${SET_ASIDE:-}" ] || ! exists holdfast || { [ -n "$exact" ] && [ "$(schema_now)" != "$SCHEMA" ]; }; then
    SET_ASIDE=yes
    save_state
    swap_state || return 1
  fi
  local name=holdfast:before-upgrade
  # Its own name again, where that still means the same image.
  if [ "$(docker image inspect --format '{{.Id}}' "$FORMER_IMAGE" 2>/dev/null)" = "$FORMER_ID" ]; then name=$FORMER_IMAGE; fi
  put_setting HOLDFAST_IMAGE "$name"
  (files+=(--file "$state/former.yml") && compose up --detach --no-deps --no-build --wait --wait-timeout 300 holdfast) >&2 || return 1
  runs_again
  running holdfast doctor >"$state/doctor.log" 2>&1 || cat "$state/doctor.log" >&2
  PHASE=complete
  if [ -z "${SET_ASIDE:-}" ]; then forget_state; else save_state; fi
  note "compose/.env names $name now. Until compose/ is that version's again, start it with:"
  note "docker compose -f compose/docker-compose.yml -f compose/.upgrade/former.yml up -d"
}

# A backup off this host, made and verified before anything is changed; asked for where none are configured.
backups_are_on() { running holdfast config show | sed -n '/^\[backup\]/,/^\[/p' | grep -qE '^(recipients = \["|key_file = ")'; }

# backup is that of the script: ask, none or run.
# shellcheck disable=SC2154
ask_without_backup() {
  [ "$backup" = ask ] || return 0
  note "There will be no backup off this host: if the disk fails now, everything is lost. Configure [backup], or type: without backup"
  typed "without backup" || die "not confirmed: nothing was changed (--without-backup says yes)"
}

make_backup() {
  BACKUP=''
  [ "$backup" = run ] || return 0
  step "Making a backup"
  running holdfast backup run --json >"$state/backup.json" ||
    die "the backup is not verified, nothing was changed: see  docker compose exec holdfast holdfast backup list"
  BACKUP=$(sed -n 's/^  "id": "\(.*\)",$/\1/p' "$state/backup.json")
  note "backup $BACKUP"
}

# Tables whose number of rows differs between now and then.
compare_rows() {
  local query="select table_name || ' ' || (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I', table_name), false, true, '')))[1]::text
    from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1"
  join -a1 -a2 -e- -o 0,1.2,2.2 <(sql "$query" | sort) <(sql "$query" holdfast_before_upgrade | sort) |
    awk '$2 != $3 {printf "    %-40s %10s now %10s then\n", $1, $2, $3}' >&2
}

# Removes what a rollback would need and what one has set aside.
forget_state() {
  local database
  for database in holdfast_before_upgrade holdfast_rolled_back; do
    disconnect $database
    sql "drop database if exists $database" postgres
  done
  docker image inspect holdfast:before-upgrade >/dev/null 2>&1 || docker tag "$(inspect "$container" .Image)" holdfast:before-upgrade
  inside 'rm -rf before-upgrade before-upgrade.new rolled-back'
  # Its layers stay while something else names or runs them.
  if [ "$(setting HOLDFAST_IMAGE)" != holdfast:before-upgrade ]; then docker rmi holdfast:before-upgrade >/dev/null 2>&1 || true; fi
  rm -f "$state/state" "$state/former.yml"
}
