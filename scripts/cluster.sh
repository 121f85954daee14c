# shellcheck shell=bash
# Private PostgreSQL clusters: made, started, stopped and removed by name. Sourced, after lib.sh and postgres.sh.
#
# A cluster is $work/NAME: data/, s/ (its socket), log, log.old (before the last start), config (our settings, included by postgresql.conf), and
# server (which installation runs it).
# Invariants: no TCP; only the server's user and root can reach the socket; durability is off, the data is disposable;
# a stop always ends: fast first, immediate after 20 s (PostgreSQL 18.6 can hang on a fast shutdown during recovery).

cluster_port=54318 # not PostgreSQL's own, so that a forgotten PGHOST never reaches another server
cluster_user=postgres

cluster_dir() { printf '%s\n' "$work/$1"; }

# Socket paths end at 107 bytes; a long home directory gets a socket below /tmp.
cluster_socket_dir() {
    local dir=$work/$1/s
    if [ ${#dir} -gt 85 ]; then
        dir=/tmp/pgf-$EUID-$(printf '%s' "$dir" | sha256sum | cut -c1-10)
    fi
    printf '%s\n' "$dir"
}

cluster_exists()  { as_server test -f "$work/$1/data/PG_VERSION" 2>/dev/null; }
cluster_running() { cluster_exists "$1" && as_server "$PG_BINDIR/pg_ctl" -D "$work/$1/data" status >/dev/null 2>&1; }

# cluster_create NAME [LOCALE] [INITDB-OPTION...]
cluster_create() {
    local dir=$work/$1 locale=${2:-C}
    server_dir "$dir"
    server_dir "$dir/data"
    progress "initdb" as_server "$PG_BINDIR/initdb" -D "$dir/data" -U "$cluster_user" -A trust --no-sync \
        --encoding=UTF8 --locale="$locale" "${@:3}"
    printf "include '%s/config'\n" "$dir" | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
    printf 'PG_BINDIR=%q PG_LIBRARY_PATH=%q\n' "$PG_BINDIR" "$PG_LIBRARY_PATH" >"$dir/server"
    cluster_configure "$1" </dev/null
}

# cluster_configure NAME: sets its settings to the fixed ones and those on standard input. In force at the next start.
cluster_configure() {
    local dir=$work/$1
    {
        cat <<CONF
listen_addresses = ''
port = $cluster_port
unix_socket_directories = '$(cluster_socket_dir "$1")'
unix_socket_permissions = 0700
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_connections = 50
log_line_prefix = '%m [%p] %b '
CONF
        cat
    } | as_server tee "$dir/config" >/dev/null
}

# cluster_start NAME
cluster_start() {
    local dir=$work/$1 socket
    socket=$(cluster_socket_dir "$1")
    server_dir "$socket"
    if [ "$EUID" != 0 ]; then [ -O "$socket" ] || die "$socket belongs to someone else"; fi
    as_server mv -f "$dir/log" "$dir/log.old" 2>/dev/null || true
    if ! progress "starting the server" as_server "$PG_BINDIR/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start; then
        as_server tail -n 40 "$dir/log" >&2 || true
        die "the server did not start"
    fi
}

# cluster_stop NAME: whatever state it is in, also half made.
cluster_stop() {
    local dir=$work/$1 PG_BINDIR=${PG_BINDIR:-} PG_LIBRARY_PATH=${PG_LIBRARY_PATH:-}
    # It may be of another major than the one chosen now.
    [ ! -f "$dir/server" ] || . "$dir/server"
    if [ -d "$dir" ] && as_server test -f "$dir/data/postmaster.pid"; then
        as_server "$PG_BINDIR/pg_ctl" -D "$dir/data" -w -t 20 -m fast stop >/dev/null 2>&1 ||
            as_server "$PG_BINDIR/pg_ctl" -D "$dir/data" -w -t 20 -m immediate stop >/dev/null 2>&1 || true
    fi
    local rc=0 socket
    cluster_reap "$1" || rc=1
    socket=$(cluster_socket_dir "$1")
    [[ $socket != /tmp/pgf-* ]] || rm -rf "$socket"
    return $rc
}

# cluster_reap NAME: the processes that work in the cluster's directory must end with the server, the engine above all.
# Prints those that did not within 5 s, ends them, and returns 1.
cluster_reap() {
    local pids= tries
    for tries in {1..50}; do
        pids=$(cluster_processes "$1")
        [ -n "$pids" ] || return 0
        sleep 0.1
    done
    warn "still running after the server of $1 had stopped ($tries tries):"
    # shellcheck disable=SC2086
    ps -o pid,etime,args -p $pids >&2 || true
    # shellcheck disable=SC2086
    as_server kill -9 $pids 2>/dev/null || true
    return 1
}

cluster_processes() {
    local link
    for link in /proc/[0-9]*/cwd; do
        [[ $(readlink "$link" 2>/dev/null) != "$work/$1"/* ]] || { link=${link#/proc/} && printf '%s ' "${link%/cwd}"; }
    done
}

# cluster_names: all clusters of this checkout.
cluster_names() {
    local dir
    for dir in "$work"/*/data; do
        [ ! -d "$dir" ] || { dir=${dir%/data} && printf '%s\n' "${dir##*/}"; }
    done
}

# cluster_remove NAME
cluster_remove() {
    [ -d "$work/$1" ] || return 0
    local rc=0
    cluster_stop "$1" || rc=1
    rm -rf "${work:?}/$1"
    ! grep -q "cluster $1\." "$root/.dev/env" 2>/dev/null || rm -f "$root/.dev/env"
    return $rc
}

# cluster_psql NAME ARGUMENTS...: psql as the caller, who is root or the server's user.
cluster_psql() {
    local name=$1
    shift
    env ${PG_LIBRARY_PATH:+"LD_LIBRARY_PATH=$PG_LIBRARY_PATH"} PGHOST="$(cluster_socket_dir "$name")" \
        PGPORT=$cluster_port PGUSER=$cluster_user "$PG_BINDIR/psql" -X -v ON_ERROR_STOP=1 "$@"
}

# cluster_write_env NAME DATABASE: .dev/env, so that `. .dev/env; psql` talks to this cluster.
cluster_write_env() {
    mkdir -p "$root/.dev"
    {
        printf '# Written by make: the private cluster %s. Use: . .dev/env; psql\n' "$1"
        printf 'export PGHOST=%q\n' "$(cluster_socket_dir "$1")"
        printf 'export PGPORT=%q\n' "$cluster_port"
        printf 'export PGUSER=%q\n' "$cluster_user"
        printf 'export PGDATABASE=%q\n' "$2"
        printf 'export PG_CONFIG=%q\n' "$PG_CONFIG"
        [ -z "$PG_LIBRARY_PATH" ] || printf 'export LD_LIBRARY_PATH=%q\n' "$PG_LIBRARY_PATH"
        printf 'case :$PATH: in *:%q:*) ;; *) export PATH=%q:$PATH ;; esac\n' "$PG_BINDIR" "$PG_BINDIR"
    } >"$root/.dev/env"
}

# have_locale NAME: whether the machine has the UTF-8 locale NAME, such as en_US.UTF-8; it is made where we may.
have_locale() {
    local name=${1%.*}
    ! locale -a 2>/dev/null | grep -qi "^$name\.utf-\?8\$" || return 0
    [ "$EUID" = 0 ] && command -v apt-get >/dev/null || return 1
    command -v localedef >/dev/null && [ -e "/usr/share/i18n/locales/$name" ] ||
        progress "installing the package locales" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install locales || return 1
    localedef -i "$name" -f UTF-8 "$name.UTF-8"
}
