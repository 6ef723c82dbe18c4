# shellcheck shell=bash
# Helpers that the scripts share: source it, do not run it.
#
#   . "$(dirname "$0")/lib.sh"     sets ROOT (the checkout), PATH with cargo, CARGO_TARGET_DIR

# shellcheck disable=SC2034  # ROOT and CACHE are read by the scripts that source this file
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/holdfast/target}"
# shellcheck disable=SC2034
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/holdfast"
case ":$PATH:" in *":$HOME/.cargo/bin:"*) ;; *) PATH="$HOME/.cargo/bin:$PATH" ;; esac

if [ -t 2 ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') red=$(printf '\033[31m') off=$(printf '\033[0m'); else bold='' dim='' red='' off=''; fi
step() { printf '%s==> %s%s\n' "$bold" "$*" "$off" >&2; }
note() { printf '%s    %s%s\n' "$dim" "$*" "$off" >&2; }
die() {
  printf '%serror:%s %s\n' "$red" "$off" "$*" >&2
  exit 1
}

# The comment block at the top of a script is its help text.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p;}' "$0"; }

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# The prefix that runs a command as root, empty for root; fails where there is no way that needs no password.
as_root() {
  if is_root; then "$@"; elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo "$@"; else return 1; fi
}

# install_packages PACKAGE...: with apt where we may, otherwise names the command and fails.
install_packages() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq)
  [ $# -gt 0 ] || return 0
  have apt-get || die "missing: $*. Install them with your system's package manager, then run this again."
  step "Installing $*"
  if ! as_root "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1; then
    as_root "${apt[@]}" update >/dev/null 2>&1 || true
    as_root "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null ||
      die "could not install them. Run:  sudo apt-get update && sudo apt-get install -y $*"
  fi
}

# The folder with the newest PostgreSQL server binaries that we support (15 to 18); empty where there is none.
postgres_bin() {
  local version
  for version in 18 17 16 15; do
    if [ -x "/usr/lib/postgresql/$version/bin/postgres" ]; then
      echo "/usr/lib/postgresql/$version/bin"
      return
    fi
  done
  if have postgres && have initdb; then dirname "$(command -v postgres)"; fi
}

# Installs the PostgreSQL server where it is missing, without letting Debian start a cluster of its own.
need_postgres() {
  [ -n "$(postgres_bin)" ] && return 0
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    as_root mkdir -p /etc/postgresql-common 2>/dev/null || true
    echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null 2>&1 || true
  fi
  install_packages postgresql
  [ -n "$(postgres_bin)" ] || die "no PostgreSQL 15 to 18 found after installing it; on an older system see https://www.postgresql.org/download/"
}

# Installs what the build needs: protoc for lancedb, a C toolchain for the -sys crates, a fast linker where there is one.
need_build_tools() {
  local missing=()
  have protoc || missing+=(protobuf-compiler)
  have cc || missing+=(gcc libc6-dev)
  have make || missing+=(make)
  have cmake || missing+=(cmake)
  install_packages "${missing[@]}"
  if ! have mold && have apt-get; then (install_packages mold) 2>/dev/null || note "no mold: linking takes longer, nothing else"; fi
  have cargo || die "no Rust toolchain. Install it:  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
}

# cargo_build ARGS...: cargo with its own progress bar on a terminal, and on a pipe one line each 30 s.
cargo_build() {
  if [ -t 2 ]; then
    (cd "$ROOT" && cargo build "$@")
    return
  fi
  local line last=-30 count
  (cd "$ROOT" && CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100 CARGO_TERM_COLOR=never cargo build "$@" 2>&1) |
    stdbuf -oL tr '\r' '\n' | while IFS= read -r line; do
    line=${line#$'\e[K'}
    case "$line" in
    *Building*\]*)
      count=$(sed -n 's/.*\] *\([0-9]*\)\/\([0-9]*\).*/\1 of \2/p' <<<"$line")
      if [ -n "$count" ] && [ $((SECONDS - last)) -ge 30 ]; then
        last=$SECONDS
        note "compiling $count crates, $((SECONDS / 60)) min so far"
      fi
      ;;
    *Compiling* | *Downloaded* | *Downloading* | *Updating* | *Blocking* | '') ;;
    *) printf '%s\n' "$line" >&2 ;;
    esac
  done
}

# The binary that cargo_build makes: binary [release]
binary() { echo "$CARGO_TARGET_DIR/${1:-debug}/holdfast"; }
