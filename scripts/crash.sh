# shellcheck shell=bash
# The crash suite of regress.sh: backends, the supervisor, the client and the postmaster end in every way while queries run in the engine.
# Sourced by regress.sh.
#
# Invariants: each step starts from a server that answers, with a query under way in the engine; afterwards no process of the cluster is left that
# should have ended, and the server, if it is to run, gives the right answer from a new or the same engine.

# crash_suite: counts one test per step.
crash_suite() {
    local log=$collected/crash.log passed=0 failed=0 step
    note "PostgreSQL $PG_MAJOR: crash"
    : >"$log"
    server pg_fusion C
    crash_psql -q <<'SQL' >>"$log" 2>&1
ALTER SYSTEM SET client_connection_check_interval = '100ms';
SELECT pg_reload_conf();
CREATE EXTENSION pg_fusion;
CREATE SCHEMA fast;
CREATE TABLE big AS SELECT g AS id, g % 100 AS k FROM generate_series(1, 20000) g;
VACUUM ANALYZE big;
IMPORT FOREIGN SCHEMA public LIMIT TO (big) FROM SERVER fusion INTO fast;
CHECKPOINT;
SQL
    for step in backend_terminated client_gone backend_killed supervisor_killed fast_shutdown immediate_shutdown postmaster_killed; do
        printf -- '--- %s\n' "$step" >>"$log"
        if crash_query && "crash_$step" >>"$log" 2>&1 && crash_works >>"$log" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            warn "crash: $step failed"
        fi
        kill -9 "$crash_client" 2>/dev/null || true
        wait "$crash_client" 2>/dev/null || true
    done
    as_server cat "$work/$name/log" >"$collected/crash.server.log"
    [ "$failed" = 0 ] || tail -n 60 "$log"
    count_suite crash "$passed" "$failed"
}

crash_psql() { cluster_psql "$name" -d postgres -At "$@"; }

# crash_query: a query that takes for ever is started in the engine; sets crash_client, crash_backend, crash_engine, crash_supervisor.
crash_query() {
    local tries
    env ${PG_LIBRARY_PATH:+"LD_LIBRARY_PATH=$PG_LIBRARY_PATH"} PGHOST="$(cluster_socket_dir "$name")" PGPORT=$cluster_port PGUSER=$cluster_user \
        PGAPPNAME=forever "$PG_BINDIR/psql" -X -d postgres -qc \
        'SET fusion.force = on; SET fusion.fallback = off; SELECT count(*) FROM fast.big a, fast.big b, fast.big c WHERE a.id + b.id + c.id < 0' \
        >/dev/null 2>&1 &
    crash_client=$!
    for tries in {1..100}; do
        read -r crash_backend crash_engine crash_supervisor < <(crash_psql -F ' ' -c "SELECT (SELECT pid FROM pg_stat_activity WHERE application_name = 'forever'),
            (SELECT pid FROM fusion.stat_engine WHERE queries > 0), (SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor')" 2>/dev/null)
        [ -z "${crash_supervisor:-}" ] || return 0
        sleep 0.1
    done
    warn "the query does not run in the engine ($tries tries)"
    return 1
}

# within SECONDS COMMAND...: until it succeeds.
within() {
    local tries=$(($1 * 20))
    shift
    while [ $tries -gt 0 ]; do
        ! "$@" || return 0
        sleep 0.05
        tries=$((tries - 1))
    done
    printf 'not in time: %s\n' "$*"
    return 1
}

crash_is_gone() { [ ! -e "/proc/$1" ]; }
crash_is_idle() { [ "$(crash_psql -c 'SELECT queries FROM fusion.stat_engine')" = 0 ]; }
crash_same_engine() { [ "$(crash_psql -c 'SELECT pid FROM fusion.stat_engine')" = "$crash_engine" ]; }
crash_answers() { [ "$(crash_psql -c 'SELECT count(*) FROM fusion.stat_engine' 2>/dev/null)" = 1 ]; }
crash_no_processes() { [ -z "$(cluster_processes "$name")" ]; }

# crash_works: the server answers, from an engine, what is right.
crash_works() {
    local answer
    within 20 crash_answers || return 1
    answer=$(crash_psql -qc "SET fusion.force = on; SET fusion.fallback = off; SELECT (SELECT sum(id) FROM fast.big WHERE k = 7) = (SELECT sum(id) FROM big WHERE k = 7)")
    [ "$answer" = t ]
}

crash_backend_terminated() {
    crash_psql -c "SELECT pg_terminate_backend($crash_backend)"
    within 3 crash_is_gone "$crash_backend" && within 3 crash_is_idle && crash_same_engine
}

crash_client_gone() {
    kill -9 "$crash_client"
    within 4 crash_is_gone "$crash_backend" && within 3 crash_is_idle && crash_same_engine
}

# A backend that dies by a signal makes the postmaster end all processes and start again.
crash_backend_killed() {
    as_server kill -9 "$crash_backend"
    within 10 crash_is_gone "$crash_engine" && within 20 crash_answers && ! crash_same_engine
}

crash_supervisor_killed() {
    as_server kill -9 "$crash_supervisor"
    within 10 crash_is_gone "$crash_engine" && within 20 crash_answers && ! crash_same_engine
}

crash_fast_shutdown() {
    as_server "$PG_BINDIR/pg_ctl" -D "$work/$name/data" -w -t 10 -m fast stop && within 5 crash_no_processes && cluster_start "$name"
}

crash_immediate_shutdown() {
    as_server "$PG_BINDIR/pg_ctl" -D "$work/$name/data" -w -t 10 -m immediate stop && within 5 crash_no_processes && cluster_start "$name"
}

crash_postmaster_killed() {
    as_server kill -9 "$(as_server head -n 1 "$work/$name/data/postmaster.pid")"
    within 5 crash_no_processes || return 1
    # In a container nobody may have waited for it: then its number still is in use.
    as_server rm -f "$work/$name/data/postmaster.pid" "$(cluster_socket_dir "$name")/.s.PGSQL.$cluster_port.lock"
    cluster_start "$name"
}
