#!/usr/bin/env bash
# pg_regress against a server that is already running: PG_CONFIG= PGHOST= PGPORT= PGUSER= installcheck.sh
# Runs regress/schedule when the server has preloaded the library, else regress/schedule_nopreload.
# Invariant: the server keeps running; only the database contrib_regression is made anew.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
[ -n "${PG_CONFIG:-}" ] || [ ! -f "$root/.dev/env" ] || . "$root/.dev/env"
use_postgres
regress=$(pg_regress_path regress/pg_regress)
[ -n "$regress" ] || die "this PostgreSQL has no pg_regress; on Debian, install postgresql-server-dev-$PG_MAJOR"
[ -z "$PG_LIBRARY_PATH" ] || export LD_LIBRARY_PATH=$PG_LIBRARY_PATH
unset RUST_BACKTRACE

preloaded=$("$PG_BINDIR/psql" -XAtqd postgres -c 'SHOW shared_preload_libraries') || die "no server answers; set PGHOST and PGPORT"
schedule=$root/regress/schedule
[[ $preloaded == *pg_fusion* ]] || schedule=$root/regress/schedule_nopreload
output=$root/.dev/installcheck
mkdir -p "$output"
"$regress" --bindir="$PG_BINDIR" --inputdir="$root/regress" --outputdir="$output" --dbname=contrib_regression \
    --encoding=UTF8 --no-locale --schedule="$schedule" || {
    cat "$output/regression.diffs" 2>/dev/null || true
    die "see $output"
}
