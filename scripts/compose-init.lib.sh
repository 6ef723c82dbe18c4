# shellcheck shell=bash
# The parts of scripts/compose-init about TLS, images and PostgreSQL's version: source it, do not run it.

# shellcheck disable=SC2154  # file, contact, profile and added are those of scripts/compose-init
project=${COMPOSE_PROJECT_NAME:-holdfast}

# images: the variables of all of them
images() { sed -n 's#^ *image: ${\([A-Z_]*\):-.*#\1#p' "$ROOT/compose/docker-compose.yml" | sort -u; }
engine() { have docker && docker info >/dev/null 2>&1; }

# forget NAME: out of compose/.env
forget() {
  local rest
  rest=$(grep -v "^$1=" "$file" || true)
  (umask 077 && printf '%s\n' "$rest" >"$file.new") && mv "$file.new" "$file"
}

# An update of this folder may name a newer major version of PostgreSQL than the database was made by. It stays with that one's image until
# scripts/upgrade-postgres moves it.
stay_with_database() {
  local volume wanted there here
  present POSTGRES_IMAGE >/dev/null && return
  engine || return 0
  volume=$(present POSTGRES_VOLUME || echo "${project}_postgres")
  docker volume inspect "$volume" >/dev/null 2>&1 || return 0
  wanted=$(compose_image POSTGRES_IMAGE)
  here=${wanted##*:}
  here=${here%%[!0-9]*}
  # Any image with a shell reads it; the newer one is not pulled for that.
  there=$(docker ps --all --filter "volume=$volume" --format '{{.Image}}' | sort -u | while read -r image; do
    docker run --rm --network none --entrypoint cat --volume "$volume:/database:ro" "$image" /database/PG_VERSION 2>/dev/null && break
  done) || true
  if [ -z "$there" ] || [ "$there" = "$here" ]; then return 0; fi
  add POSTGRES_IMAGE "postgres:$there"
  note "the database was made by PostgreSQL $there, and this folder names $here: it stays with $there until  scripts/upgrade-postgres"
}

# What --domain means for the rest of compose/.env.
put_in_front() {
  local name domain mail port base
  # Said by a flag or in the environment: it changes what is there.
  for name in "${front[@]}"; do
    if [ -n "${contact[$name]+set}" ]; then put "$name" "${contact[$name]}"; fi
  done
  domain=$(present HOLDFAST_DOMAIN || true)
  mail=$(present HOLDFAST_TLS_MAIL || true)
  [[ -z "$mail" || "$mail" =~ ^[^[:space:]\{\}@]+@[^[:space:]\{\}@]+$ ]] || die "--mail takes one address such as ops@example.com"
  [ -n "${contact[HOLDFAST_DOMAIN]:-}" ] || return 0
  [[ "$domain" =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]] || die "--domain takes a name such as ai.example.com, without https:// and port"
  case "$(present HOLDFAST_TLS || echo acme)" in acme | internal | own) ;; *) die "--tls takes acme, internal or own" ;; esac
  base=$(present COMPOSE_PROFILES)
  base=${base%,tls}
  put COMPOSE_PROFILES "$base,tls"
  put HOLDFAST_BESIDE "$base"
  port=$(present HOLDFAST_HTTPS_PORT || echo 443)
  port=${port##*:}
  [ "$port" != 443 ] || port=''
  put HOLDFAST_PUBLIC_URL "https://$domain${port:+:$port}"
  # Who came past Caddy would come unencrypted.
  port=$(present HOLDFAST_PORT)
  case "$port" in 127.*:* | '[::1]':*) ;; *) put HOLDFAST_PORT "127.0.0.1:${port##*:}" ;; esac
}

# targets PROFILES: what Prometheus scrapes only where it runs
targets() {
  local to=$ROOT/compose/prometheus/targets/caddy.yml
  case "$1" in
  *,tls) [ -e "$to" ] || echo '- targets: [caddy:2020]' >"$to" ;;
  *) rm -f "$to" ;;
  esac
}

say_front() {
  local certificates=$ROOT/compose/caddy/certificates
  case "$(present COMPOSE_PROFILES)" in *,tls) ;; *) return 0 ;; esac
  case "$(present HOLDFAST_TLS || echo acme)" in
  own)
    if ! [ -e "$certificates/certificate.pem" ] || ! [ -e "$certificates/key.pem" ]; then
      note "put certificate.pem (with what stands between it and its root) and key.pem into compose/caddy/certificates before you start it"
    fi
    ;;
  internal) note "browsers must be given the root of Caddy's own authority: docs/operations.md, TLS in Docker" ;;
  esac
  case "$(present GRAFANA_PORT || true)" in 127.*) ;; *) note "Grafana is published without TLS: browsers that know $(present HOLDFAST_DOMAIN) as https alone do not open it by that name (server.hsts_seconds)" ;; esac
}

# Each image as NAME:TAG@sha256:..., where it came from a registry: that one and no other is started from now on.
pin_images() {
  local name image last digest missing=()
  engine || die "the Docker engine does not answer: digests are those of the images that it has"
  for name in $(images); do
    image=$(present "$name" || compose_image "$name")
    image=${image%@*} last=${image##*/}
    # A tag that stands behind another name of the same image would be another's digest.
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$(present "$name" || echo "$image")" 2>/dev/null | grep -m 1 "^${image%"$last"}${last%%:*}@" || true)
    if [ -n "$digest" ]; then
      put "$name" "$image@${digest#*@}"
      note "$image@${digest#*@}"
    elif docker image inspect "$image" >/dev/null 2>&1; then
      missing+=("$image: built or loaded here, no registry knows it; its id is $(docker image inspect --format '{{.Id}}' "$image")")
    else
      missing+=("$image: not here; docker compose -f compose/docker-compose.yml pull, then --pin again")
    fi
  done
  step "compose/.env: ${#added[@]} changed"
  [ ${#missing[@]} = 0 ] || { step "NOT pinned"; printf '    %s\n' "${missing[@]}" >&2; }
}

unpin_images() {
  local name image
  for name in $(images); do
    image=$(present "$name" || true)
    case "$image" in
    *@sha256:*) if [ "${image%@*}" = "$(compose_image "$name")" ]; then forget "$name"; else put "$name" "${image%@*}"; fi ;;
    esac
  done
  step "compose/.env: no digest any more"
}

# A pinned image stays when this folder names a newer one: said, since it would be missed.
say_pins() {
  local name image
  for name in $(images); do
    image=$(present "$name" || true)
    case "$image" in
    *@sha256:*)
      if [ "$name" != HOLDFAST_IMAGE ] && [ "${image%@*}" != "$(compose_image "$name")" ]; then
        note "$name is pinned to ${image%@*}, and this folder names $(compose_image "$name"): --unpin, then pull, then --pin"
      fi
      ;;
    esac
  done
}
