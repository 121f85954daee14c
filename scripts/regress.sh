#!/usr/bin/env bash
# The SQL tests on one PostgreSQL, in a private cluster that is removed afterwards: regress.sh
#   PG_CONFIG= or PG_MAJOR=  which PostgreSQL
#   TESTS="a b"              these tests (preloaded) instead of the schedules
#   SUITES="a b"             these suites instead of all: preload isolation nopreload corrupt impostor locale diff stress chaos soak crash standby
#   COUNTS=FILE              appends one line "suite passed failed" per suite
# and for the differential suite
#   FILES="a b"              these query files of regress/diff instead of all
#   RANDOM_QUERIES=N SEED=S  so many generated queries, too (default: 300, 9)
#   REWRITE=1                change the expectations in the files of this checkout to what happened
# and for crash
#   STEPS="a-b c-d"          these steps, PHASE-ENDING, instead of all
# and for stress, chaos and soak
#   LONG_SECONDS=N SEED=S    so long (default: 60, before PostgreSQL 18 20; soak 30 and 20), with this seed (default: 1)
#   QUERIES_TOTAL=N CLIENTS=N  so many queries of the soak, by so many sessions
# Suites: regress/schedule with the library preloaded, regress/schedule_isolation the same with isolation specs,
# regress/schedule_nopreload without it, regress/schedule_locale in en_US.UTF-8 where that locale can be had (isolation to locale
# are run when the file is there); regress/schedule_corrupt on a server with checksums and few buffers, whose files it damages; regress/schedule_impostor where
# the engine is missing or an impostor; regress/diff (see regress/README.md) under both locales; stress, chaos and soak under C, preloaded;
# crash (crash.sh) ends processes, standby (standby.sh) has a primary and a standby, each on clusters of its own.
# Database: UTF-8, C locale; server settings: regress/regress.conf.
# Results are copied to .dev/regress-MAJOR (so that an expected file can be made from them); differences are printed.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
. "$scripts/cluster.sh"
. "$scripts/standby.sh"
. "$scripts/crash.sh"

"$scripts/build.sh" "${BUILD:-all}"
"$scripts/install.sh"
use_postgres

name=regress-$PG_MAJOR
input=$work/$name-input
output=$work/$name-output
collected=$root/.dev/regress-$PG_MAJOR
counts=${COUNTS:-/dev/null}
failed_suites=0
# Lets tests ask for faults (fusion.fault): the engine inherits it from the server.
export PG_FUSION_FAULTS=1
# What a test has started in the engine's place.
export PG_FUSION_IMPOSTOR=$work/impostor

finish() {
    local rc=$?
    trap - EXIT
    trap '' INT TERM
    cluster_remove "$name" || rc=1
    standby_remove || rc=1
    rm -rf "$input" "$output" "$PG_FUSION_IMPOSTOR"
    exit "$rc"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cluster_remove "$name" || true
rm -rf "$input" "$output" "$collected"
mkdir -p "$work" "$collected"
# The checkout may be closed to the server's user.
cp -R "$root/regress" "$input"
# A missing expected file makes pg_regress stop altogether; an empty one fails that test only.
for test in "$input"/sql/*.sql "$input"/specs/*.spec; do
    test=$(basename "${test%.*}")
    compgen -G "$input/expected/${test}*.out" >/dev/null || : >"$input/expected/$test.out"
done
regress=$(pg_regress_path regress/pg_regress)
[ -n "$regress" ] || die "this PostgreSQL has no pg_regress; on Debian, install postgresql-server-dev-$PG_MAJOR"

# server PRELOAD LOCALE [SETTING] [INITDB-OPTION...]: a fresh cluster.
server() {
    cluster_remove "$name"
    cluster_create "$name" "$2" "${@:4}"
    { cat "$root/regress/regress.conf" && printf "shared_preload_libraries = '%s'\n%s\n" "$1" "${3:-}"; } | cluster_configure "$name"
    cluster_start "$name"
}

show_crashes() {
    if as_server grep -qE 'PANIC|was terminated by signal' "$work/$name/log"; then
        as_server grep -E -B5 -A20 'PANIC|was terminated by signal' "$work/$name/log" | head -n 100
    fi
}

# count_suite LABEL PASSED FAILED: says, and notes in COUNTS, what came of a suite.
count_suite() {
    printf '%s: passed %s, failed %s\n' "$1" "$2" "$3"
    printf '%s-%s %s %s\n' "$PG_MAJOR" "$1" "$2" "$3" >>"$counts"
    [ "$3" = 0 ] || failed_suites=$((failed_suites + 1))
}

# suite LABEL DRIVER SELECTION...: run a driver of the pg_regress family on the running cluster.
suite() {
    local label=$1 driver=$2 log passed failed rc=0
    shift 2
    log=$collected/$label.log
    note "PostgreSQL $PG_MAJOR: $label"
    server_dir "$output"
    as_server env -u PGDATABASE -u PGOPTIONS -u PGSERVICE "$driver" --bindir="$PG_BINDIR" --inputdir="$input" \
        --outputdir="$output" --host="$(cluster_socket_dir "$name")" --port=$cluster_port --user=$cluster_user \
        --dbname=regression --encoding=UTF8 "$@" 2>&1 | tee "$log" || rc=$?
    # TAP since 16, "name ... ok" before.
    passed=$(grep -cE '^ok [0-9]|\.\.\. ok( |$)' "$log") || true
    failed=$(grep -cE '^not ok [0-9]|\.\.\. FAILED' "$log") || true
    [ "$rc" = 0 ] || [ "$failed" != 0 ] || failed=1
    mkdir -p "$collected/$label"
    cp -R "$output"/. "$collected/$label/" 2>/dev/null || true
    if [ -f "$output/regression.diffs" ] && [ "$failed" != 0 ]; then
        head -n 1000 "$output/regression.diffs"
    fi
    show_crashes
    as_server cat "$work/$name/log" >"$collected/$label.server.log"
    rm -rf "$output"
    count_suite "$label" "$passed" "$failed"
}

# wanted SUITE
wanted() { [[ " ${SUITES:-preload isolation nopreload corrupt impostor locale diff stress chaos soak crash standby} " == *" $1 "* ]]; }

# diff_suite LABEL: the differential suite on the running cluster, in a database of its own.
diff_suite() {
    local label=$1 log=$collected/$1.log rc=0 passed failed line
    local -a at
    note "PostgreSQL $PG_MAJOR: $label"
    cluster_psql "$name" -d postgres -qc 'CREATE DATABASE differential TEMPLATE template0'
    cluster_psql "$name" -d differential -q -f "$root/regress/diff/schema.sql"
    at=(env PGHOST="$(cluster_socket_dir "$name")" PGPORT=$cluster_port PGUSER="$cluster_user" PGDATABASE=differential
        "$CARGO_TARGET_DIR/release/fusion_bench" diff)
    "${at[@]}" --directory "$root/regress/diff" ${FILES:+--files "$FILES"} ${REWRITE:+--rewrite} | tee "$log" || rc=$?
    if [ "${RANDOM_QUERIES:-300}" != 0 ]; then
        "${at[@]}" --random "${RANDOM_QUERIES:-300}" --seed "${SEED:-9}" | tee -a "$log" || rc=$?
    fi
    show_crashes
    as_server cat "$work/$name/log" >"$collected/$label.server.log"
    # The last lines: "diff: N queries, E in the engine, ..., D different, W not as the file says".
    passed=0 failed=0
    while read -r line; do
        passed=$((passed + $(sed -E 's/^diff: ([0-9]+) queries.*/\1/' <<<"$line")))
        failed=$((failed + $(grep -oE '[0-9]+ (different|not as the file says)' <<<"$line" | awk '{ n += $1 } END { print n + 0 }')))
    done < <(grep '^diff: ' "$log" || true)
    passed=$((passed - failed))
    [ "$rc" = 0 ] || [ "$failed" != 0 ] || failed=1
    count_suite "$label" "$passed" "$failed"
}

# long_suite LABEL SECONDS OPTIONS...: a command of fusion_bench that runs for a while, stress, chaos or soak, in a database of its own. It counts as one test.
long_suite() {
    local label=$1 log=$collected/$1.log seconds=$2 passed=1 failed=0
    shift 2
    [ "$PG_MAJOR" -ge 18 ] || seconds=20
    note "PostgreSQL $PG_MAJOR: $label"
    cluster_psql "$name" -d postgres -qc "CREATE DATABASE $label TEMPLATE template0"
    env PGHOST="$(cluster_socket_dir "$name")" PGPORT=$cluster_port PGUSER="$cluster_user" PGDATABASE="$label" \
        "$CARGO_TARGET_DIR/release/fusion_bench" "$label" --seconds "${LONG_SECONDS:-$seconds}" --seed "${SEED:-1}" "$@" |
        tee "$log" || passed=0 failed=1
    show_crashes
    as_server cat "$work/$name/log" >"$collected/$label.server.log"
    count_suite "$label" "$passed" "$failed"
}

if [ -n "${TESTS:-}" ]; then
    server pg_fusion C
    # shellcheck disable=SC2086
    suite tests "$regress" --no-locale $TESTS
else
    if wanted preload || wanted isolation || wanted diff || wanted stress || wanted chaos || wanted soak; then
        server pg_fusion C
    fi
    if wanted preload; then
        suite preload "$regress" --no-locale --schedule="$input/schedule"
    fi
    if wanted isolation && [ -f "$input/schedule_isolation" ]; then
        isolation=$(pg_regress_path isolation/pg_isolation_regress)
        if [ -n "$isolation" ]; then
            suite isolation "$isolation" --no-locale --schedule="$input/schedule_isolation"
        else
            warn "this PostgreSQL has no pg_isolation_regress; the isolation tests are left out"
        fi
    fi
    if wanted diff; then
        diff_suite diff
    fi
    if wanted stress; then
        long_suite stress 60
    fi
    if wanted chaos; then
        long_suite chaos 60
    fi
    if wanted soak; then
        long_suite soak 30 ${QUERIES_TOTAL:+--queries "$QUERIES_TOTAL"} ${CLIENTS:+--clients "$CLIENTS"}
    fi
    if wanted nopreload && [ -f "$input/schedule_nopreload" ]; then
        server '' C
        suite nopreload "$regress" --no-locale --schedule="$input/schedule_nopreload"
    fi
    if wanted corrupt; then
        server pg_fusion C "shared_buffers = '1MB'" --data-checksums
        suite corrupt "$regress" --no-locale --schedule="$input/schedule_corrupt"
    fi
    if wanted impostor; then
        progress "building the impostor" cargo build --manifest-path "$root/Cargo.toml" --release --locked -p fusion_proto --example impostor
        install -m 755 "$CARGO_TARGET_DIR/release/examples/impostor" "$PG_FUSION_IMPOSTOR"
        server pg_fusion C
        suite impostor "$regress" --no-locale --schedule="$input/schedule_impostor"
    fi
    # The embedded PostgreSQL knows no ICU; its libc locales are the machine's, like the distribution's.
    if { wanted locale && [ -f "$input/schedule_locale" ]; } || wanted diff; then
        if have_locale en_US.UTF-8; then
            server pg_fusion en_US.UTF-8
            if wanted locale && [ -f "$input/schedule_locale" ]; then
                suite locale "$regress" --schedule="$input/schedule_locale"
            fi
            if wanted diff; then
                diff_suite diff-en_US
            fi
        else
            warn "the locale en_US.UTF-8 is not there and cannot be made; schedule_locale and the differential suite under it are left out"
        fi
    fi
    if wanted crash; then
        crash_suite
    fi
    if wanted standby; then
        cluster_remove "$name"
        standby_suite
    fi
fi
[ "$failed_suites" = 0 ] || die "see $collected"
rm -rf "$collected"/*/
