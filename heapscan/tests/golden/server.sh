# Sourced by make.sh and ../../benches/make_fixture.sh: a private server that is gone when the script ends.
#
# start_server PGROOT   PGROOT: a PostgreSQL tree with bin/ and lib/. Run as root, the server runs as user postgres.
# sql [psql options]    psql as the superuser, input from stdin or -c
# relation_bytes NAME   the main fork of a relation, after a checkpoint, to stdout

unset RUST_BACKTRACE
export TZ=UTC LC_ALL=C.UTF-8

start_server() {
    root=$1
    work=$(mktemp -d "${TMPDIR:-/tmp}/pgf-heapscan.XXXXXX")
    as_server=
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$work"
        as_server="runuser -u postgres --"
    fi
    trap stop_server EXIT INT TERM
    export LD_LIBRARY_PATH="$root/lib"
    $as_server env LD_LIBRARY_PATH="$root/lib" "$root/bin/initdb" -D "$work/data" -U postgres -A trust \
        -E UTF8 --locale=C --no-sync >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" >&2; exit 1; }
    cat >>"$work/data/postgresql.conf" <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$work'
	autovacuum = off
	fsync = off
	timezone = UTC
	extra_float_digits = 1
	CONF
    $as_server env LD_LIBRARY_PATH="$root/lib" "$root/bin/pg_ctl" -D "$work/data" -l "$work/log" -w start >/dev/null ||
        { cat "$work/log" >&2; exit 1; }
}

stop_server() {
    $as_server env LD_LIBRARY_PATH="$root/lib" "$root/bin/pg_ctl" -D "$work/data" -m fast -w -t 20 stop >/dev/null 2>&1 ||
        $as_server env LD_LIBRARY_PATH="$root/lib" "$root/bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}

sql() {
    "$root/bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$work" -U postgres -d postgres "$@"
}

relation_bytes() {
    sql -c CHECKPOINT
    cat "$work/data/$(sql -At -c "SELECT pg_relation_filepath('$1')")"
}
