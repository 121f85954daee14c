# shellcheck shell=bash
# A private cluster with TPC-H in it, for demo.sh and bench.sh. Sourced, after lib.sh, postgres.sh and cluster.sh.
#
#   SF=0.1     scale factor
#   LOCALE=C   of the database: C, or such as en_US.UTF-8
#   KEEP=1     leaves the cluster running, with .dev/env pointing to it; a next run with the same SF and LOCALE reuses its data
# Invariants: the data that is reused was loaded to the end and not changed since (tpch_will_change says so beforehand);
# nothing is left running, and no data, unless KEEP=1.

# tpch_arguments DEFAULT_SF: sets sf, locale and queries, or ends.
tpch_arguments() {
    sf=${SF:-$1}
    locale=${LOCALE:-C}
    queries=${QUERIES:-$(seq -s " " 22)}
    [[ $sf =~ ^[0-9]*\.?[0-9]+$ ]] && awk "BEGIN { exit !($sf > 0 && $sf <= 100) }" || die "SF=$sf: a number above 0, up to 100"
    [ "$locale" = C ] || have_locale "$locale" || die "the locale $locale is not there and cannot be made"
}

# tpch_start: builds and installs, starts the cluster `tpch_name` with the data, the extension and the fusion tables in it,
# points the environment to it, and sees to its end. Sets bench, the path of fusion_bench.
tpch_start() {
    "$scripts/build.sh"
    "$scripts/install.sh"
    use_postgres
    bench=$CARGO_TARGET_DIR/release/fusion_bench
    tpch_name=demo-$PG_MAJOR
    [ "$locale" = C ] || tpch_name=$tpch_name-${locale//[^A-Za-z0-9]/}
    tpch_kept=
    trap tpch_finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    # A cluster of an earlier run: its data is good if it was loaded to the end, with this scale.
    local reuse=
    if cluster_exists "$tpch_name" && [ "$(cat "$work/$tpch_name/loaded" 2>/dev/null)" = "$sf" ]; then
        reuse=1
        cluster_stop "$tpch_name"
    else
        cluster_remove "$tpch_name"
        cluster_create "$tpch_name" "$locale"
    fi
    tpch_configure
    cluster_start "$tpch_name"

    PGHOST=$(cluster_socket_dir "$tpch_name")
    export PGHOST PGPORT=$cluster_port PGUSER=$cluster_user PGDATABASE=tpch
    if [ -n "$reuse" ]; then
        note "TPC-H data of scale factor $sf is there from an earlier run"
    else
        cluster_psql "$tpch_name" -d postgres -qc "CREATE DATABASE $PGDATABASE"
        note "loading TPC-H data of scale factor $sf"
        "$bench" load --scale "$sf"
        printf '%s\n' "$sf" >"$work/$tpch_name/loaded"
    fi

    note "creating the extension and the fusion tables"
    cluster_psql "$tpch_name" -d "$PGDATABASE" -q <<'SQL'
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_fusion CASCADE;
DROP SCHEMA IF EXISTS fast CASCADE;
CREATE EXTENSION pg_fusion;
CREATE SCHEMA fast;
IMPORT FOREIGN SCHEMA public FROM SERVER fusion INTO fast;
SQL

    if [ "${KEEP:-}" = 1 ]; then
        tpch_kept=1
        cluster_write_env "$tpch_name" "$PGDATABASE"
        say "    this cluster is left running: . .dev/env; psql    (make stop stops it)"
    fi
}

# Shared buffers hold everything, and PostgreSQL scans a table through all of them only when it is smaller than a quarter of
# them (lineitem is 1 GB at scale factor 1): both where a quarter of the machine's memory is enough.
tpch_configure() {
    local ram_mb buffers_mb
    ram_mb=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null || echo 8192)
    buffers_mb=$(awk "BEGIN { b = $sf * 4096; c = $ram_mb / 4; if (b > c) b = c; if (b < 128) b = 128; print int(b) }")
    cluster_configure "$tpch_name" <<CONF
shared_preload_libraries = 'pg_fusion'
shared_buffers = ${buffers_mb}MB
effective_cache_size = $((ram_mb / 2))MB
work_mem = 64MB
maintenance_work_mem = 256MB
max_wal_size = 8GB
max_worker_processes = 16
max_parallel_workers = 8
max_parallel_workers_per_gather = 2
random_page_cost = 1.1
autovacuum = off
CONF
    note "starting PostgreSQL $PG_MAJOR, locale $locale, with ${buffers_mb} MB of shared buffers"
}

# tpch_will_change: what comes next writes to the tables, so a later run must load them again.
tpch_will_change() { rm -f "$work/$tpch_name/loaded"; }

# tpch_show_log: what the server said of crashes.
tpch_show_log() {
    as_server grep -E 'WARNING|FATAL|PANIC|terminated by signal' "$work/$tpch_name/log" | tail -n 20 | sed 's/^/server log: /' >&2 || true
}

tpch_finish() {
    local rc=$?
    trap - EXIT
    trap '' INT TERM
    [ -n "$tpch_kept" ] || cluster_remove "$tpch_name" || [ "$rc" != 0 ] || rc=1
    exit "$rc"
}
