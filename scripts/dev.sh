#!/usr/bin/env bash
# The private cluster of a developer: dev.sh start | stop | psql ARGUMENTS... | clean
#   start  build, install, (re)start, CREATE EXTENSION in database dev, write .dev/env
#   stop   stop every cluster of this checkout, also one that `make demo KEEP=1` left; the data stays
#   clean  the same, and remove the clusters, test output, and this checkout's PostgreSQL trees
# Invariant: only this checkout's clusters are touched.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
. "$scripts/cluster.sh"

start() {
    "$scripts/build.sh"
    "$scripts/install.sh"
    use_postgres
    local name=dev-$PG_MAJOR preload=pg_fusion
    [ "${PRELOAD:-yes}" != no ] || preload=
    trap 'cluster_stop "$name"' INT TERM
    cluster_exists "$name" || { cluster_remove "$name" && cluster_create "$name"; }
    cluster_stop "$name"
    cluster_configure "$name" <<CONF
shared_preload_libraries = '$preload'
shared_buffers = 512MB
work_mem = 64MB
max_worker_processes = 16
CONF
    cluster_start "$name"
    cluster_psql "$name" -d postgres -Atqc "SELECT 1 FROM pg_database WHERE datname = 'dev'" | grep -q 1 ||
        cluster_psql "$name" -d postgres -qc 'CREATE DATABASE dev'
    cluster_write_env "$name" dev
    cluster_psql "$name" -d dev -qc 'SET client_min_messages = warning' -c 'CREATE EXTENSION IF NOT EXISTS pg_fusion'
    say "PostgreSQL $PG_MAJOR is running; server log: $work/$name/log"
    say "use it with: make psql, or: . .dev/env; psql"
}

stop() {
    local name found=
    for name in $(cluster_names); do
        if as_server test -f "$work/$name/data/postmaster.pid"; then
            cluster_stop "$name"
            say "stopped $name"
            found=1
        fi
    done
    rm -f "$root/.dev/env"
    [ -n "$found" ] || say "nothing was running"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    psql)
        shift
        [ -f "$root/.dev/env" ] || die "no private cluster is running; make start (or make demo KEEP=1) starts one"
        . "$root/.dev/env"
        exec psql "$@"
        ;;
    clean)
        stop
        rm -rf "${work:?}" "$root/.dev"
        ;;
    *) die "usage: dev.sh start | stop | psql | clean" ;;
esac
