# shellcheck shell=bash
# The parts of scripts/upgrade-postgres that touch servers and volumes: source it after upgrade.lib.sh.
#
# State lies in compose/.upgrade/postgres: PG_PHASE switching (cut off), complete, back (rolled back); empty: nothing to go back to.

# shellcheck disable=SC2034,SC2154  # the variables are those of scripts/upgrade-postgres
database_state=$state/postgres
beside=$project-postgres-beside

# The service's own container: `docker compose exec` takes the one beside it, too.
server() { docker ps --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=postgres --filter label=com.docker.compose.oneoff=False; }
sql() { docker exec --interactive "$(server)" psql --username holdfast --dbname "${2:-holdfast}" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1" </dev/null; }

setting_in_file() { sed -n "s/^$1=//p" "$env_file" | tail -1 | tr -d "'"; }
volume_now() { local name; name=$(setting_in_file POSTGRES_VOLUME); echo "${name:-${project}_postgres}"; }
# The image of the server that runs, by the name that it was started with.
former_image() { inspect "$(server)" .Config.Image; }

load_database_state() {
  PG_PHASE='' PG_SPARE_VOLUME='' PG_STARTED=''
  # shellcheck disable=SC1090
  [ ! -e "$database_state" ] || . "$database_state"
}

save_database_state() {
  local name
  for name in PG_PHASE PG_WHEN PG_FORMER_MAJOR PG_FORMER_IMAGE PG_FORMER_VOLUME PG_NEW_MAJOR PG_NEW_IMAGE PG_NEW_VOLUME PG_SPARE_VOLUME PG_STARTED BACKUP; do
    printf '%s=%q\n' "$name" "${!name:-}"
  done >"$database_state.new"
  mv "$database_state.new" "$database_state"
}

# Databases that are copied. Not `postgres`: it is there in every cluster, and holds nothing of ours.
databases() { sql "select datname from pg_database where datallowconn and not datistemplate and datname <> 'postgres' order by 1" postgres; }

# Sets PG_FORMER_VOLUME, PG_NEW_VOLUME, size and free bytes; dies where there is what cannot be copied.
look_at_database() {
  PG_FORMER_VOLUME=$(volume_now) PG_NEW_VOLUME=${project}_postgres_$major
  ! docker volume inspect "$PG_NEW_VOLUME" >/dev/null 2>&1 || die "there is a volume $PG_NEW_VOLUME already, of something else: look into it, and remove it (docker volume rm $PG_NEW_VOLUME)"
  ! exists holdfast_before_upgrade || die "an upgrade of Holdfast keeps a database for its way back: first  scripts/upgrade --accept"
  ! exists holdfast_rolled_back || die "a rollback of Holdfast has set a database aside: first  scripts/upgrade --accept"
  [ "$(sql "select count(*) from pg_tablespace" postgres)" = 2 ] || die "there are tablespaces of your own: this command does not copy them"
  [ "$(sql "select count(*) from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')" postgres)" = 0 ] ||
    die "the database 'postgres' has tables, which this command does not copy: move them into a database of their own"
  size=$(sql "select sum(pg_database_size(datname))::bigint from pg_database where datallowconn" postgres)
  free=$(($(docker exec "$(server)" df -Pk /var/lib/postgresql/data </dev/null | awk 'NR == 2 {print $4}') * 1024))
  # And the log of what is written, until the first checkpoints have gone over it.
  [ $((size * 3 / 2 + (512 << 20))) -lt "$free" ] || die "too little disk: $(mib $((size * 3 / 2 + (512 << 20)))) MiB are needed, $(mib "$free") MiB are free"
}

# start_beside IMAGE VOLUME: a server of its own, with the settings of the service, in its network
start_beside() {
  docker rm --force "$beside" >/dev/null 2>&1 || true
  POSTGRES_IMAGE=$1 POSTGRES_VOLUME=$2 compose run --detach --no-deps --name "$beside" postgres >/dev/null </dev/null || return 1
  local until=$((SECONDS + 180))
  until [ "$(docker inspect --format '{{.State.Health.Status}}' "$beside" 2>/dev/null)" = healthy ]; do
    if [ $SECONDS -ge $until ] || [ "$(docker inspect --format '{{.State.Running}}' "$beside" 2>/dev/null)" != true ]; then
      docker logs --tail 20 "$beside" >&2
      return 1
    fi
    sleep 1
  done
}
stop_beside() {
  docker stop --time 60 "$beside" >/dev/null 2>&1 || true
  docker rm --force "$beside" >/dev/null 2>&1 || true
}
in_beside() { docker exec --interactive --user postgres "$beside" "$@" </dev/null; }

# Everything that can be counted, a line each. As a server's superuser, who sees all rows.
# shellcheck disable=SC2016
counts="
  select 'rows ' || format('%I.%I', table_schema, table_name) || ' ' || (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', table_schema, table_name), false, true, '')))[1]::text
    from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')
  union all select 'sequence ' || format('%I.%I', schemaname, sequencename) || ' ' || coalesce(last_value::text, 'unused') from pg_sequences
  union all select concat('relations ', relkind, ' ', relrowsecurity, relforcerowsecurity, ' ', count(*)) from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname not in ('pg_catalog', 'information_schema', 'pg_toast') group by relkind, relrowsecurity, relforcerowsecurity
  union all select concat('policies ', count(*)) from pg_policy
  union all select concat('constraints ', contype, ' ', convalidated, ' ', count(*)) from pg_constraint join pg_namespace n on n.oid = connamespace
    where contype <> 'n' and nspname not in ('pg_catalog', 'information_schema') group by contype, convalidated
  union all select concat('triggers ', count(*)) from pg_trigger where not tgisinternal
  union all select concat('functions ', count(*)) from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname not in ('pg_catalog', 'information_schema')
  union all select 'extension ' || extname from pg_extension
  union all select concat('role ', rolname, ' ', rolsuper, rolbypassrls, rolcanlogin) from pg_roles where rolname !~ '^pg_'
  order by 1"
count_here() { sql "$counts" "$1"; }
count_beside() { in_beside psql --username holdfast --dbname "$1" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$counts"; }

# Roles, then each database, out of the old server into the new one, by the new one's programs.
copy_database() {
  local name names
  step "Copying the database into PostgreSQL $PG_NEW_MAJOR"
  failure="the databases could not be listed"
  names=$(databases) && grep -qx holdfast <<<"$names" || return 1
  failure="the new server did not start"
  start_beside "$PG_NEW_IMAGE" "$PG_NEW_VOLUME" || return 1
  for name in $names; do disconnect "$name"; done
  failure="the roles could not be copied"
  # The superuser is there already, with the same password. Of those that are not, password and rights come along.
  # shellcheck disable=SC2016  # expanded inside
  in_beside bash -euo pipefail -c 'PGPASSWORD=$(cat /run/holdfast/postgres_password) pg_dumpall --host=postgres --username=holdfast --no-password --globals-only |
    { grep -v "^CREATE ROLE holdfast;$" || true; } | psql --username=holdfast --dbname=postgres --no-psqlrc --quiet --output=/dev/null --set ON_ERROR_STOP=1
    dropdb --username=holdfast holdfast' || return 1
  for name in $names; do
    failure="the database $name could not be copied"
    # shellcheck disable=SC2016  # expanded inside
    in_beside bash -euo pipefail -c 'PGPASSWORD=$(cat /run/holdfast/postgres_password) pg_dump --host=postgres --username=holdfast --no-password --format=custom --compress=0 "$1" |
      pg_restore --username=holdfast --dbname=postgres --create --exit-on-error' copy "$name" || return 1
  done
  step "Counting"
  failure="the copy is not what it was made of"
  for name in $names; do
    count_here "$name" >"$state/counts.former" || return 1
    count_beside "$name" >"$state/counts.new" || return 1
    # Nothing counted is nothing compared.
    grep -q '^relations ' "$state/counts.former" || return 1
    diff "$state/counts.former" "$state/counts.new" >&2 || return 1
    note "$name: $(grep -c '^rows' "$state/counts.new") tables, $(awk '/^rows/ {n += $NF} END {print n + 0}' "$state/counts.new") rows, the same on both"
  done
  failure="the statistics could not be made"
  in_beside vacuumdb --username=holdfast --all --analyze-only --quiet || return 1
  stop_beside
}

# name_database IMAGE VOLUME: in compose/.env, the defaults without a word
name_database() {
  if [ "$1" = "$(compose_image POSTGRES_IMAGE)" ]; then remove_setting POSTGRES_IMAGE; else put_setting POSTGRES_IMAGE "$1"; fi
  if [ "$2" = "${project}_postgres" ]; then remove_setting POSTGRES_VOLUME; else put_setting POSTGRES_VOLUME "$2"; fi
}
remove_setting() {
  (umask 077 && { grep -v "^$1=" "$env_file" || true; } >"$env_file.new")
  mv "$env_file.new" "$env_file"
}

# start_all: the server that compose/.env names, then Holdfast, then doctor
start_all() {
  failure="the server did not start"
  compose up --detach --no-deps --no-build --wait --wait-timeout 180 postgres >&2 || { compose logs --no-color --tail 20 postgres >&2; return 1; }
  failure="Holdfast did not start on it"
  PG_STARTED=yes
  save_database_state
  compose up --detach --no-deps --no-build --wait --wait-timeout 300 holdfast >&2 || { compose logs --no-color --tail 20 holdfast >&2; return 1; }
  runs_again
}

switch_database() {
  step "Starting PostgreSQL $PG_NEW_MAJOR"
  failure="the former server did not stop"
  compose stop --timeout 60 postgres >&2 || return 1
  name_database "$PG_NEW_IMAGE" "$PG_NEW_VOLUME"
  start_all || return 1
  step "Looking at every part"
  running holdfast doctor >"$state/doctor.log" 2>&1 || {
    cat "$state/doctor.log" >&2
    failure="doctor finds something"
    [ -n "$force" ] || return 1
    note "--force: it stays"
  }
}

# Back to the former server and volume. What is half made is removed; what Holdfast has written to stays until --accept.
go_back_to_former() {
  local started=$PG_STARTED
  step "Going back to PostgreSQL $PG_FORMER_MAJOR"
  stop_beside
  stop_on_purpose 12h || return 1
  compose stop --timeout 60 postgres >&2 || return 1
  name_database "$PG_FORMER_IMAGE" "$PG_FORMER_VOLUME"
  start_all || return 1
  running holdfast doctor >"$state/doctor.log" 2>&1 || cat "$state/doctor.log" >&2
  if [ -z "$started" ]; then
    docker volume rm "$PG_NEW_VOLUME" >/dev/null 2>&1 || true
    rm -f "$database_state"
    PG_PHASE=''
  else
    PG_PHASE=back PG_SPARE_VOLUME=$PG_NEW_VOLUME
    save_database_state
  fi
}

# Tables whose number of rows differs between now and what the former volume has.
compare_with_former() {
  local code=0
  start_beside "$PG_FORMER_IMAGE" "$PG_FORMER_VOLUME" || { stop_beside; return 1; }
  join -a1 -a2 -e- -o 0,1.2,2.2 <(count_here holdfast | sed -n 's/^rows //p' | sort) <(count_beside holdfast | sed -n 's/^rows //p' | sort) |
    awk '$2 != $3 {printf "    %-40s %10s now %10s then\n", $1, $2, $3}' >&2 || code=1
  stop_beside
  return $code
}
