#!/usr/bin/env bash
# TPC-H on a private cluster, measured: in PostgreSQL, in fusion, and in other engines on the same rows, in turns: bench.sh
#   ENGINES="native warm duckdb"  some of: native cold warm routed memory duckdb; native is always among them
#   QUERIES="1 3 6" RUNS=3        some queries; timed runs of each in each engine, after a warm-up
#   INGEST=1                      instead: natively and in fusion, while another session updates lineitem
#   DURATION=120 PERCENT=1 VACUUM=30   for so many seconds, so many per cent a minute, with a VACUUM every so many seconds
#   SF=1 LOCALE= KEEP=            see tpch.sh
# Results go to bench/results/ as CSV, Markdown and an SVG chart. Nothing else should run on the machine meanwhile.
# Invariants: ends with 0 only when every answer was PostgreSQL's byte for byte and every forced query ran in the engine; an
# engine that was asked for and cannot be had is an error, one that was not is left out and said so.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
. "$scripts/cluster.sh"
. "$scripts/tpch.sh"

tpch_arguments 1
engines=${ENGINES:-native cold warm routed memory duckdb}
memory=$CARGO_TARGET_DIR/memory/release/fusion_bench_memory
duckdb_version=$(sed -nE 's/^duckdb==([^ ]+).*/\1/p' "$root/bench/duckdb-requirements.txt")
duckdb_packages=$base/duckdb-$duckdb_version-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)

# has ENGINE
has() { [[ " ${engines//,/ } " == *" $1 "* ]]; }

# DataFusion with its SQL parser, which the engine is built without: a workspace and a target directory of its own.
build_memory() {
    [ -x "$memory" ] || note "building DataFusion for the comparison in memory (the first time this takes another quarter of an hour)"
    cargo build --release --locked --manifest-path "$root/bench/memory/Cargo.toml" --target-dir "$CARGO_TARGET_DIR/memory"
}

fetch_duckdb() {
    [ ! -d "$duckdb_packages" ] || return 0
    command -v python3 >/dev/null || return 1
    note "fetching DuckDB $duckdb_version"
    rm -rf "$duckdb_packages.new"
    progress "downloading" python3 -m pip install --quiet --no-deps --only-binary=:all: --require-hashes \
        --root-user-action=ignore --target "$duckdb_packages.new" -r "$root/bench/duckdb-requirements.txt" || return 1
    mv "$duckdb_packages.new" "$duckdb_packages"
}

if [ "${INGEST:-}" != 1 ]; then
    for engine in ${engines//,/ }; do
        [[ $engine =~ ^(native|cold|warm|routed|memory|duckdb)$ ]] ||
            die "ENGINES: $engine is none of native cold warm routed memory duckdb"
    done
    if has duckdb && ! fetch_duckdb; then
        [ -z "${ENGINES:-}" ] || die "DuckDB $duckdb_version cannot be fetched"
        warn "DuckDB $duckdb_version cannot be fetched from the package index; it is left out"
        engines=${engines/duckdb/}
    fi
    ! has memory || build_memory
fi

tpch_start
mkdir -p "$root/bench/results"
commit=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
label="SF $sf, locale $locale, pg_fusion $commit"
rc=0
if [ "${INGEST:-}" = 1 ]; then
    note "running queries ${queries// /, } natively and in the engine, while lineitem is updated"
    tpch_will_change
    "$bench" ingest --queries "$queries" --seconds "${DURATION:-120}" --percent "${PERCENT:-1}" --vacuum "${VACUUM:-30}" \
        --directory "$root/bench/queries/tpch" --label "TPC-H under writing, $label" \
        --results "$root/bench/results/ingest-sf$sf" || rc=$?
else
    note "running queries ${queries// /, } in: $engines"
    PYTHONPATH=$duckdb_packages "$bench" bench --queries "$queries" --runs "${RUNS:-3}" --engines "$engines" --scale "$sf" \
        --memory "$memory" --duckdb "$root/bench/duckdb_server.py" --directory "$root/bench/queries/tpch" \
        --label "TPC-H, $label" --results "$root/bench/results/tpch-sf$sf" || rc=$?
fi
[ "$rc" = 0 ] || tpch_show_log
exit "$rc"
