#!/usr/bin/env bash
# TPC-H on a private cluster, natively and through the engine: SF=0.1 QUERIES="1 3 6" LOCALE=C KEEP= RESULTS= demo.sh
#   QUERIES=     some of the 22 queries; all of them unless given
#   LOCALE=      of the database: C, or such as en_US.UTF-8
#   PG_MAJOR=15  or PG_CONFIG=..., another PostgreSQL
#   KEEP=1       leaves the cluster running, with .dev/env pointing to it; a next run with the same SF reuses its data
#   RESULTS=DIR  also writes the table there, as CSV and Markdown
# Invariants: ends with 0 only when every query ran in the engine and gave PostgreSQL's answer byte for byte;
# leaves nothing running, and no data, unless KEEP=1.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
. "$scripts/cluster.sh"

sf=${SF:-0.1}
queries=${QUERIES:-$(seq -s " " 22)}
locale=${LOCALE:-C}
runs=${RUNS:-3}
[[ $sf =~ ^[0-9]*\.?[0-9]+$ ]] && awk "BEGIN { exit !($sf > 0 && $sf <= 100) }" || die "SF=$sf: a number above 0, up to 100"

[ "$locale" = C ] || have_locale "$locale" || die "the locale $locale is not there and cannot be made"

"$scripts/build.sh"
"$scripts/install.sh"
use_postgres
bench=$CARGO_TARGET_DIR/release/fusion_bench
name=demo-$PG_MAJOR
[ "$locale" = C ] || name=$name-${locale//[^A-Za-z0-9]/}
database=tpch

kept=
finish() {
    local rc=$?
    trap - EXIT
    trap '' INT TERM
    [ -n "$kept" ] || cluster_remove "$name" || [ "$rc" != 0 ] || rc=1
    exit "$rc"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A cluster of an earlier run: its data is good if it was loaded to the end, with this scale.
reuse=
if cluster_exists "$name" && [ "$(cat "$work/$name/loaded" 2>/dev/null)" = "$sf" ]; then
    reuse=1
    cluster_stop "$name"
else
    cluster_remove "$name"
    cluster_create "$name" "$locale"
fi

ram_mb=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null || echo 8192)
buffers_mb=$(awk "BEGIN { b = $sf * 1536; c = $ram_mb / 4; if (b > c) b = c; if (b < 128) b = 128; print int(b) }")
cluster_configure "$name" <<CONF
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
cluster_start "$name"

PGHOST=$(cluster_socket_dir "$name")
export PGHOST PGPORT=$cluster_port PGUSER=$cluster_user PGDATABASE=$database
if [ -n "$reuse" ]; then
    note "TPC-H data of scale factor $sf is there from an earlier run"
else
    cluster_psql "$name" -d postgres -qc "CREATE DATABASE $database"
    note "loading TPC-H data of scale factor $sf"
    "$bench" load --scale "$sf"
    printf '%s\n' "$sf" >"$work/$name/loaded"
fi

note "creating the extension and the fusion tables"
cluster_psql "$name" -d "$database" -q <<'SQL'
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_fusion CASCADE;
DROP SCHEMA IF EXISTS fast CASCADE;
CREATE EXTENSION pg_fusion;
CREATE SCHEMA fast;
IMPORT FOREIGN SCHEMA public FROM SERVER fusion INTO fast;
SQL

if [ "${KEEP:-}" = 1 ]; then
    kept=1
    cluster_write_env "$name" "$database"
    say "    this cluster is left running: . .dev/env; psql    (make stop stops it)"
fi

note "running queries ${queries// /, } natively and in the engine"
rc=0
# shellcheck disable=SC2086
"$bench" run --queries "$queries" --runs "$runs" --directory "$root/bench/queries/tpch" --label "TPC-H, SF $sf, locale $locale" \
    ${RESULTS:+--results "$RESULTS"} || rc=$?
if [ "$rc" != 0 ]; then
    as_server grep -E 'WARNING|FATAL|PANIC|terminated by signal' "$work/$name/log" | tail -n 20 | sed 's/^/server log: /' >&2 || true
fi
exit "$rc"
