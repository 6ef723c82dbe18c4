#!/bin/sh
# configure.sh <alertmanager.yml >CONFIGURATION
#
# Adds those outside whom compose/.env names, so that an alert leaves this host when Holdfast itself is what is down:
#
#   ALERTS_MAIL_TO=oncall@example.com           mail, to one or more addresses, with commas between them
#   ALERTS_MAIL_SERVER=smtp.example.com:587
#   ALERTS_MAIL_LOGIN=user@example.com:password      empty where the server wants none
#   ALERTS_SLACK_URL=https://hooks.slack.com/...     Slack's incoming webhooks, and those of Mattermost, Rocket.Chat, Discord (.../slack)
#   ALERTS_WEBHOOK_URL=https://...                   Alertmanager's own JSON by POST
#   ALERTS_MAIL_FROM=holdfast@example.com            where it is not the login's address
#   ALERTS_MAIL_TLS=off                              a server without STARTTLS; the login goes over the line as it is
#
# None of them: the configuration as it is, which tells Holdfast alone. What it writes holds the secrets: a file for Alertmanager's user.
set -eu

refuse() {
  echo "compose/.env: $*" >&2
  exit 1
}
# As YAML: in single quotes, which only know a quote written twice.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"; }
# Alertmanager takes what follows and finds out about it when the first alert is to be sent.
address() {
  case "$2" in
  *[[:space:]]*) refuse "$1 has a blank in it" ;;
  http://?* | https://?*) ;;
  *) refuse "$1 is no http or https address" ;;
  esac
}

to=${ALERTS_MAIL_TO:-} server=${ALERTS_MAIL_SERVER:-} login=${ALERTS_MAIL_LOGIN:-}
slack=${ALERTS_SLACK_URL:-} webhook=${ALERTS_WEBHOOK_URL:-}
if [ -z "$to$slack$webhook" ]; then
  [ -z "$server$login" ] || refuse "ALERTS_MAIL_SERVER or ALERTS_MAIL_LOGIN without ALERTS_MAIL_TO"
  exec cat
fi
sed 's/receiver: nobody # or outside$/receiver: outside/'
echo '  - name: outside'
if [ -n "$to" ]; then
  # Each of them, with commas between.
  set -f
  (
    case "$to" in *,) exit 1 ;; esac # splitting takes no empty one at the end
    IFS=,
    for one in $to; do
      case "$one" in
      *[!\ ]*@*[!\ ]*) ;;
      *) exit 1 ;;
      esac
    done
  ) || refuse "ALERTS_MAIL_TO is mail addresses (name@host) with commas between them"
  set +f
  port=${server##*:}
  case "$port" in
  *[!0-9]* | '' | ??????*) port=0 ;;
  esac
  case "$server" in
  ?*:*) ;;
  *) port=0 ;;
  esac
  { [ "$port" -ge 1 ] && [ "$port" -le 65535 ]; } || refuse "ALERTS_MAIL_TO needs ALERTS_MAIL_SERVER=host:port"
  case "$login" in
  '' | ?*:?*) ;;
  *) refuse "ALERTS_MAIL_LOGIN is user:password, or empty" ;;
  esac
  from=${ALERTS_MAIL_FROM:-}
  case "${login%%:*}" in
  *@*) from=${from:-${login%%:*}} ;;
  esac
  tls=true
  # At port 465 the connection begins with TLS, and Alertmanager must not ask for STARTTLS besides.
  case "$server" in *:465) tls=false ;; esac
  case "${ALERTS_MAIL_TLS:-}" in
  '' | on) ;;
  off) tls=false ;;
  *) refuse "ALERTS_MAIL_TLS is off, or empty" ;;
  esac
  echo '    email_configs:'
  echo "      - to: $(quoted "$to")"
  echo "        from: $(quoted "${from:-${to%%,*}}")"
  echo "        smarthost: $(quoted "$server")"
  if [ -n "$login" ]; then
    echo "        auth_username: $(quoted "${login%%:*}")"
    echo "        auth_password: $(quoted "${login#*:}")"
  fi
  echo "        require_tls: $tls"
  echo '        send_resolved: true'
  echo "        headers: {Subject: '{{ template \"outside.title\" . }}'}"
  echo "        html: ''"
  echo "        text: '{{ template \"outside.text\" . }}'"
fi
if [ -n "$slack" ]; then
  address ALERTS_SLACK_URL "$slack"
  echo '    slack_configs:'
  echo "      - api_url: $(quoted "$slack")"
  echo '        send_resolved: true'
  echo "        title: '{{ template \"outside.title\" . }}'"
  echo "        fallback: '{{ template \"outside.title\" . }}'"
  echo "        text: '{{ template \"outside.text\" . }}'"
fi
if [ -n "$webhook" ]; then
  address ALERTS_WEBHOOK_URL "$webhook"
  echo '    webhook_configs:'
  echo "      - url: $(quoted "$webhook")"
  echo '        send_resolved: true'
fi
