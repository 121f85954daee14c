#!/usr/bin/env bash
# TPC-H on a private cluster, natively and through the engine: SF=0.1 QUERIES="1 3 6" LOCALE=C KEEP= demo.sh
#   QUERIES=     some of the 22 queries; all of them unless given
#   PG_MAJOR=15  or PG_CONFIG=..., another PostgreSQL
#   RESULTS=STEM also writes the table to STEM.csv and STEM.md
#   SF= LOCALE= KEEP=  see tpch.sh
# Invariants: ends with 0 only when every query ran in the engine and gave PostgreSQL's answer byte for byte;
# leaves nothing running, and no data, unless KEEP=1.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
. "$scripts/cluster.sh"
. "$scripts/tpch.sh"

tpch_arguments 0.1
tpch_start
note "running queries ${queries// /, } natively and in the engine"
rc=0
"$bench" run --queries "$queries" --runs "${RUNS:-3}" --directory "$root/bench/queries/tpch" \
    --label "TPC-H, SF $sf, locale $locale" ${RESULTS:+--results "$RESULTS"} || rc=$?
[ "$rc" = 0 ] || tpch_show_log
exit "$rc"
