#!/usr/bin/env bash
# The SQL tests on one PostgreSQL, in a private cluster that is removed afterwards: regress.sh
#   PG_CONFIG= or PG_MAJOR=  which PostgreSQL
#   TESTS="a b"              these tests (preloaded) instead of the schedules
#   COUNTS=FILE              appends one line "suite passed failed" per suite
# Suites: regress/schedule with the library preloaded, regress/schedule_isolation the same with isolation specs,
# regress/schedule_nopreload without it, regress/schedule_locale in en_US.UTF-8 where that locale can be had. The last
# three are run when the file is there. Database: UTF-8, C locale; server settings: regress/regress.conf.
# Results are copied to .dev/regress-MAJOR (so that an expected file can be made from them); differences are printed.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$scripts/postgres.sh"
. "$scripts/cluster.sh"

"$scripts/build.sh" "${BUILD:-all}"
"$scripts/install.sh"
use_postgres

name=regress-$PG_MAJOR
input=$work/$name-input
output=$work/$name-output
collected=$root/.dev/regress-$PG_MAJOR
counts=${COUNTS:-/dev/null}
failed_suites=0

finish() {
    local rc=$?
    trap - EXIT
    trap '' INT TERM
    cluster_remove "$name" || rc=1
    rm -rf "$input" "$output"
    exit "$rc"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cluster_remove "$name" || true
rm -rf "$input" "$output" "$collected"
mkdir -p "$collected"
# The checkout may be closed to the server's user.
cp -R "$root/regress" "$input"
# A missing expected file makes pg_regress stop altogether; an empty one fails that test only.
for test in "$input"/sql/*.sql "$input"/specs/*.spec; do
    test=$(basename "${test%.*}")
    compgen -G "$input/expected/${test}*.out" >/dev/null || : >"$input/expected/$test.out"
done
regress=$(pg_regress_path regress/pg_regress)
[ -n "$regress" ] || die "this PostgreSQL has no pg_regress; on Debian, install postgresql-server-dev-$PG_MAJOR"

# server PRELOAD LOCALE: a fresh cluster.
server() {
    cluster_remove "$name"
    cluster_create "$name" "$2"
    { cat "$root/regress/regress.conf" && printf "shared_preload_libraries = '%s'\n" "$1"; } | cluster_configure "$name"
    cluster_start "$name"
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
    if as_server grep -qE 'PANIC|was terminated by signal' "$work/$name/log"; then
        as_server grep -E -B5 -A20 'PANIC|was terminated by signal' "$work/$name/log" | head -n 100
    fi
    as_server cat "$work/$name/log" >"$collected/$label.server.log"
    rm -rf "$output"
    printf '%s passed %s, failed %s\n' "$label:" "$passed" "$failed"
    printf '%s-%s %s %s\n' "$PG_MAJOR" "$label" "$passed" "$failed" >>"$counts"
    [ "$failed" = 0 ] || failed_suites=$((failed_suites + 1))
}

# have_locale NAME: make it if we may.
have_locale() {
    locale -a 2>/dev/null | grep -qi '^en_US\.utf-\?8$' && return 0
    [ "$EUID" = 0 ] && command -v apt-get >/dev/null || return 1
    command -v localedef >/dev/null && [ -e /usr/share/i18n/locales/en_US ] ||
        progress "installing the package locales" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install locales || return 1
    localedef -i en_US -f UTF-8 en_US.UTF-8
}

server pg_fusion C
if [ -n "${TESTS:-}" ]; then
    # shellcheck disable=SC2086
    suite tests "$regress" --no-locale $TESTS
else
    suite preload "$regress" --no-locale --schedule="$input/schedule"
    if [ -f "$input/schedule_isolation" ]; then
        isolation=$(pg_regress_path isolation/pg_isolation_regress)
        if [ -n "$isolation" ]; then
            suite isolation "$isolation" --no-locale --schedule="$input/schedule_isolation"
        else
            warn "this PostgreSQL has no pg_isolation_regress; the isolation tests are left out"
        fi
    fi
    if [ -f "$input/schedule_nopreload" ]; then
        server '' C
        suite nopreload "$regress" --no-locale --schedule="$input/schedule_nopreload"
    fi
    # The embedded PostgreSQL knows no ICU; its libc locales are the machine's, like the distribution's.
    if [ -f "$input/schedule_locale" ]; then
        if have_locale; then
            server pg_fusion en_US.UTF-8
            suite locale "$regress" --schedule="$input/schedule_locale"
        else
            warn "the locale en_US.UTF-8 is not there and cannot be made; schedule_locale is left out"
        fi
    fi
fi
[ "$failed_suites" = 0 ] || die "see $collected"
rm -rf "$collected"/*/
