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

# own_mail: what nobody has said yet about the mail of Holdfast itself. Its server may be Alertmanager's, which is then asked for once.
own_mail() {
  local server login port
  answer HOLDFAST_MAIL_FROM 'As which address does Holdfast send mail: invitations, links for new passwords, reports? Empty: it sends none'
  [ -n "${contact[HOLDFAST_MAIL_FROM]:-}" ] || return 0
  if [ -z "${contact[HOLDFAST_MAIL_HOST]:-}" ] && [ -z "$(present HOLDFAST_MAIL_HOST || true)" ]; then
    server=${contact[ALERTS_MAIL_SERVER]:-$(present ALERTS_MAIL_SERVER || true)}
    login=${contact[ALERTS_MAIL_LOGIN]:-$(present ALERTS_MAIL_LOGIN || true)}
    if [ -z "$server" ]; then
      server=$(reply_to HOLDFAST_MAIL_HOST 'Through which mail server, as host:port (587 with STARTTLS, or 465)?')
      login=$(reply_to HOLDFAST_MAIL_USER 'Its login, as user:password. Empty: the server wants none')
    fi
    port=${server##*:}
    case "$server" in ?*:*) ;; *) die "HOLDFAST_MAIL_FROM needs a mail server, as host:port" ;; esac
    case "$login" in '' | ?*:?*) ;; *) die "the login of the mail server is user:password, or empty" ;; esac
    server=${server%:*}
    server=${server#'['}
    contact[HOLDFAST_MAIL_HOST]=${server%']'}
    contact[HOLDFAST_MAIL_PORT]=$port
    [ "$port" != 465 ] || contact[HOLDFAST_MAIL_SECURITY]=tls
    contact[HOLDFAST_MAIL_USER]=${login%%:*}
    contact[HOLDFAST_MAIL_PASSWORD]=${login#*:}
  fi
  answer HOLDFAST_NOTICES_TO 'Whom does Holdfast write to about alerts, failed backups and the week, with commas between them? Empty: its operators'
}

# alerts_through_own_mail: Alertmanager sends through the server of Holdfast, where nobody has named another one; fails otherwise
alerts_through_own_mail() {
  local host port user
  if [ -z "${contact[ALERTS_MAIL_TO]:-}" ]; then
    # Said for Holdfast alone.
    if [ -n "${contact[HOLDFAST_MAIL_HOST]:-}" ] && [ -z "$(present ALERTS_MAIL_TO || true)" ]; then
      unset 'contact[ALERTS_MAIL_SERVER]' 'contact[ALERTS_MAIL_LOGIN]'
    fi
    return 1
  fi
  [ -z "${contact[ALERTS_MAIL_SERVER]:-}$(present ALERTS_MAIL_SERVER || true)" ] || return 1
  host=${contact[HOLDFAST_MAIL_HOST]:-$(present HOLDFAST_MAIL_HOST || true)}
  port=${contact[HOLDFAST_MAIL_PORT]:-$(present HOLDFAST_MAIL_PORT || true)}
  user=${contact[HOLDFAST_MAIL_USER]:-$(present HOLDFAST_MAIL_USER || true)}
  [ -n "$host" ] || return 1
  case "$host" in *:*) host="[$host]" ;; esac
  contact[ALERTS_MAIL_SERVER]=$host:${port:-587}
  [ -z "$user" ] || contact[ALERTS_MAIL_LOGIN]=$user:${contact[HOLDFAST_MAIL_PASSWORD]:-$(present HOLDFAST_MAIL_PASSWORD || true)}
  return 0
}

# Both through one server: as one sender, which the server lets them use.
same_sender() {
  local sender
  sender=$(present HOLDFAST_MAIL_FROM || true)
  [ -n "$sender" ] && [ -n "$(present ALERTS_MAIL_TO || true)" ] && ! present ALERTS_MAIL_FROM >/dev/null || return 0
  case "$(present ALERTS_MAIL_SERVER)" in
  "$(present HOLDFAST_MAIL_HOST):"*)
    sender=${sender##*<}
    put ALERTS_MAIL_FROM "${sender%>}"
    ;;
  esac
}

# Refused here rather than at the start.
check_own_mail() {
  local from host port
  from=$(present HOLDFAST_MAIL_FROM || true)
  host=$(present HOLDFAST_MAIL_HOST || true)
  port=$(present HOLDFAST_MAIL_PORT || true)
  if [ -n "$from" ] && [ -z "$host" ]; then die "compose/.env: HOLDFAST_MAIL_FROM needs HOLDFAST_MAIL_HOST"; fi
  if [ -z "$from" ] && [ -n "$host" ]; then die "compose/.env: HOLDFAST_MAIL_HOST needs HOLDFAST_MAIL_FROM"; fi
  case "$from" in '' | ?*@?*) ;; *) die "compose/.env: HOLDFAST_MAIL_FROM is an address such as Holdfast <holdfast@example.com>" ;; esac
  case "$host" in *[[:space:]/]*) die "compose/.env: HOLDFAST_MAIL_HOST is the name of a host" ;; esac
  case "$port" in
  '') ;;
  *[!0-9]* | ??????*) die "compose/.env: HOLDFAST_MAIL_PORT is a port: the mail server is host:port" ;;
  *) { [ "$port" -ge 1 ] && [ "$port" -le 65535 ]; } || die "compose/.env: HOLDFAST_MAIL_PORT is a port" ;;
  esac
  case "$(present HOLDFAST_MAIL_SECURITY || true)" in '' | starttls | tls | none) ;; *) die "compose/.env: HOLDFAST_MAIL_SECURITY is starttls, tls or none" ;; esac
  case "$(present HOLDFAST_MAIL_USER || true):$(present HOLDFAST_MAIL_PASSWORD || true)" in
  : | ?*:?*) ;;
  *) die "compose/.env: HOLDFAST_MAIL_USER and HOLDFAST_MAIL_PASSWORD, or neither" ;;
  esac
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

# The S3 API beside the console: both are published as one range of two ports, because a port that is not always there cannot stand in
# compose/docker-compose.yml.
publish_s3() {
  local console address port
  console=$(present HOLDFAST_PORT)
  port=${console##*:}
  address=${console%"$port"}
  [[ "$port" =~ ^[0-9]+$ ]] && [ "$port" -lt 65535 ] || die "compose/.env: HOLDFAST_PORT=$console has no port that another could follow"
  put HOLDFAST_S3_LISTEN 0.0.0.0:8081
  put HOLDFAST_PUBLISH "$address$port-$((port + 1)):8080-8081"
  note "the S3 API is at ${address:-0.0.0.0:}$((port + 1)); after a change of HOLDFAST_PORT run this again with --s3"
}
