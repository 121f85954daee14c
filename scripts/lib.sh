# shellcheck shell=bash
# What every script here shares: places, messages, and how to run something as the user a server runs as.
# Sourced, never run.
#
# Places (all outside the checkout, because root's home is closed to the user that runs PostgreSQL):
#   $base   one per user:     downloaded wheels and pristine PostgreSQL trees that are only read
#   $work   one per checkout: the PostgreSQL tree that `make install` writes to, clusters, test output
#   $root   the checkout; the only things written into it are .dev/ and bench/results/
# Invariants: nothing outside these places, the cargo target directory and an installed PostgreSQL is written;
# every directory a server writes to belongs to $server_user and has mode 0700.

set -euo pipefail
umask 022

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
scripts=$root/scripts

say()  { printf '%s\n' "$*"; }
note() { printf '==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die()  { printf 'error: %s\n' "$*" >&2; exit 1; }

if [ -n "${PG_FUSION_STATE:-}" ]; then
    base=$PG_FUSION_STATE
elif [ "$EUID" = 0 ]; then
    base=/var/tmp/pg_fusion-0
else
    base=${XDG_CACHE_HOME:-$HOME/.cache}/pg_fusion
fi
mkdir -p "$base"
[ -O "$base" ] || die "$base belongs to someone else; set PG_FUSION_STATE to a directory of your own"
work=$base/$(printf '%s' "$root" | sha256sum | cut -c1-8)

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/pg_fusion/target}

# Servers refuse to run as root: then it is the user postgres where there is one.
if [ "$EUID" != 0 ]; then
    server_user=$(id -un)
elif id -u postgres >/dev/null 2>&1 && ! id -u pgfusion >/dev/null 2>&1; then
    server_user=postgres
else
    # Once made it stays the one, also when a package brings the user postgres later: it owns the clusters.
    server_user=pgfusion
    id -u pgfusion >/dev/null 2>&1 ||
        useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin pgfusion ||
        die "cannot create the unprivileged user pgfusion that PostgreSQL servers run as"
fi

# as_server COMMAND...: run it as the server's user, with the server's libraries, in a directory both can read.
# RUST_BACKTRACE would put backtraces into ERROR details, which the tests compare.
as_server() {
    local -a env=(env -u RUST_BACKTRACE "HOME=$base")
    [ -z "${PG_LIBRARY_PATH:-}" ] || env+=("LD_LIBRARY_PATH=$PG_LIBRARY_PATH")
    if [ "$EUID" = 0 ]; then
        (cd "$base" && exec runuser -u "$server_user" -- "${env[@]}" "$@")
    else
        (cd "$base" && exec "${env[@]}" "$@")
    fi
}

# server_dir DIR: make DIR, closed to everyone but the server's user (and root).
server_dir() {
    mkdir -p "$work"
    [ -d "$1" ] || mkdir "$1"
    chmod 0700 "$1"
    [ "$EUID" != 0 ] || chown "$server_user" "$1"
}

# as_root COMMAND...: for apt-get and for installing into a distribution's PostgreSQL.
can_be_root() { [ "$EUID" = 0 ] || sudo -n true 2>/dev/null; }
as_root() {
    if [ "$EUID" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# progress MESSAGE COMMAND...: run a silent command; after 2 s say that it is under way, then every 15 s.
# On failure its output is shown.
progress() {
    local message=$1 log start=$SECONDS watcher rc=0
    shift
    log=$(mktemp)
    (
        trap 'kill "$nap" 2>/dev/null; exit 0' TERM
        wait_s=2
        while :; do
            sleep "$wait_s" & nap=$!
            wait "$nap" || exit 0
            printf '    %s ... %ds\n' "$message" $((SECONDS - start))
            wait_s=15
        done
    ) &
    watcher=$!
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    if [ "$rc" != 0 ]; then
        cat "$log" >&2
        rm -f "$log"
        printf 'error: %s failed\n' "$message" >&2
        return "$rc"
    fi
    rm -f "$log"
}
