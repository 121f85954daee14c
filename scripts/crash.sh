# shellcheck shell=bash
# The crash suite of regress.sh: backends, the supervisor, the client and the postmaster end in every way, in every phase of a query, while it is under
# way in the engine. Sourced by regress.sh.
#
# A step is an ending in a phase. Invariants: each step starts from a server that answers, with the query in that phase; afterwards no process of the cluster
# is left that should have ended, and the server, if it is to run, gives the right answer from a new or the same engine. Where the engine is to go
# on, it holds nothing of the query within $crash_limit ms (and $crash_margin ms for the measuring, see there): no query, no segment of the session, no
# descriptor, no spilled file; nor does PostgreSQL hold a lock. It runs one query at a time here, so that a place that is not given back is missed by the
# next step.

# The promise, milliseconds.
crash_limit=100
# Not the engine's: the observer's question and answer, and other processes on the machine's cores.
crash_margin=${CRASH_MARGIN:-100}

# crash_suite: counts one test per step.
crash_suite() {
    local log=$collected/crash.log passed=0 failed=0 step ok
    note "PostgreSQL $PG_MAJOR: crash"
    : >"$log"
    crash_times=() crash_observer=
    server pg_fusion C
    crash_fifo=$work/$name/client
    mkfifo "$crash_fifo" "$crash_fifo.full"
    crash_spill=$work/$name/data/pg_fusion/spill
    crash_psql -q <<'SQL' >>"$log" 2>&1
ALTER SYSTEM SET client_connection_check_interval = '100ms';
ALTER SYSTEM SET fusion.max_queries = 1;
CREATE EXTENSION pg_fusion;
CREATE SCHEMA fast;
CREATE TABLE big AS SELECT g AS id, g % 100 AS k FROM generate_series(1, 20000) g;
CREATE TABLE paged AS SELECT g AS id, repeat('x', 400) AS t FROM generate_series(1, 40000) g;
VACUUM ANALYZE;
IMPORT FOREIGN SCHEMA public LIMIT TO (big, paged) FROM SERVER fusion INTO fast;
CHECKPOINT;
SQL
    cluster_stop "$name"
    cluster_start "$name"
    for step in ${STEPS:-$(crash_steps)}; do
        printf -- '--- %s\n' "$step" >>"$log"
        ok=
        ! { crash_begin "${step%-*}" "${step#*-}" && "crash_${step#*-}"; } >>"$log" 2>&1 || ok=1
        crash_clean >>"$log" 2>&1
        if [ -n "$ok" ] && crash_works >>"$log" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            warn "crash: $step failed"
        fi
    done
    as_server cat "$work/$name/log.old" "$work/$name/log" >"$collected/crash.server.log"
    # What PostgreSQL says where a pin, a snapshot, a relation or a file was not given back, or we crashed.
    if grep -E 'leak|PANIC|still referenced|by signal (11|6|7|4):' "$collected/crash.server.log"; then failed=$((failed + 1)); fi
    [ "$failed" = 0 ] || tail -n 60 "$log"
    printf '%s\n' "${crash_times[@]:-0}" | sort -n | tee -a "$log" |
        awk '{ t[NR] = $1; worst = $0 } END { printf "freed after %s ms at most, %d ms in the middle, %d endings\n", worst, t[int((NR + 1) / 2)], NR }'
    count_suite crash "$passed" "$failed"
}

# The steps, PHASE-ENDING. What the phases are: crash_begin; those at a stage of the engine lean on fusion.fault.
crash_steps() {
    local phase ending
    for phase in at_parse at_bind at_optimize at_translate at_begin at_exec at_end connecting unanswered waiting feeding computing joining sorting grouping windowing; do
        printf '%s-cancel\n' $phase
    done
    for phase in at_end connecting unanswered waiting feeding computing joining sorting grouping windowing; do
        printf '%s-statement_timeout\n' $phase
    done
    for phase in at_parse at_optimize at_end connecting unanswered waiting feeding computing joining sorting grouping windowing cursor stuck; do
        printf '%s-terminate\n' $phase
    done
    for phase in connecting unanswered waiting feeding computing sorting cursor stuck; do
        printf '%s-client_gone\n' $phase
    done
    printf 'cursor-idle_timeout\n'
    [ "$PG_MAJOR" -lt 17 ] || printf '%s-transaction_timeout\n' cursor computing
    for phase in computing feeding cursor; do
        for ending in backend_killed fast_shutdown immediate_shutdown; do
            printf '%s-%s\n' $phase $ending
        done
    done
    printf 'computing-supervisor_killed\ncomputing-postmaster_killed\n'
}

crash_psql() { cluster_psql "$name" -d postgres -At "$@"; }

# crash_client COMMANDS...: psql in the background, as the session "forever", whose standard input never ends and whose output nobody reads.
# A failed command does not end it. Sets crash_client.
crash_client() {
    local command
    local -a commands=()
    for command in "$@"; do commands+=(-c "$command"); done
    env ${PG_LIBRARY_PATH:+"LD_LIBRARY_PATH=$PG_LIBRARY_PATH"} PGHOST="$(cluster_socket_dir "$name")" PGPORT=$cluster_port PGUSER=$cluster_user \
        PGAPPNAME=forever "$PG_BINDIR/psql" -X -d postgres -q "${commands[@]}" <&"$crash_pipe" >&"$crash_sink" 2>/dev/null &
    crash_client=$!
    crash_clients+=("$crash_client")
}

# crash_begin PHASE ENDING: brings a query into a phase; sets crash_client, crash_backend, and how many sessions of it and of others stay in the engine.
crash_begin() {
    local phase=$1 query settings='SET fusion.force = on; SET fusion.fallback = off' sees='queries = 1 AND waiting = 0' state=active blocked=0
    local -a before=() after=('SELECT pg_sleep(60)')
    crash_clients=() crash_step=$1-$2 crash_stopped='' crash_blockers=0
    crash_observe || return 1
    query='SELECT count(*) FROM fast.big a, fast.big b, fast.big c WHERE a.id + b.id + c.id < 0'
    case $phase in
        at_*)
            settings+="; SET fusion.fault = '${phase#at_}:hang'"
            query='SELECT count(*) FROM fast.big'
            ;;
        computing) ;;
        # The kernel takes the connection, but nobody welcomes it.
        connecting)
            crash_stopped=1
            kill -STOP "$crash_engine"
            settings+="; SET fusion.connect_timeout = '20s'"
            ;;
        # Planning asks it how much is cached, then it is sent the query; it answers neither.
        unanswered)
            crash_stopped=1
            settings='SET fusion.min_cost = 0; SET fusion.fallback = off'
            before=('SET fusion.force = on' 'SELECT sum(id) FROM fast.big' 'SET fusion.force = off' "\\! kill -STOP $crash_engine")
            ;;
        waiting)
            crash_client "$settings" "$query"
            crash_blockers=1
            within 5 crash_sees "$sees" && crash_ask blocked "SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'forever'" || return 1
            sees='queries = 2 AND waiting = 1'
            ;;
        # The pages of one table are compared row by row with all rows of the other.
        feeding)
            before=("SELECT fusion.cache_evict('paged')")
            query='SELECT count(*) FROM fast.big a, fast.paged b WHERE a.id + b.id + length(b.t) < 0'
            ;;
        # Rows of equal keys by the hundred million, none of which fulfils the rest of the condition.
        joining) query='SELECT count(*) FROM fast.big a JOIN fast.big b ON a.k = b.k JOIN fast.big c ON b.k = c.k WHERE a.id + b.id + c.id < 0' ;;
        sorting) query='SELECT max(x) FROM (SELECT a.id * 20000::bigint + b.id AS x FROM fast.big a, fast.big b ORDER BY b.id, a.k OFFSET 100) s' ;;
        grouping) query='SELECT count(*) FROM (SELECT a.id * 20000::bigint + b.id AS x, count(*) FROM fast.big a, fast.big b GROUP BY 1) s' ;;
        # One partition, whose rows are collected first.
        windowing) query='SELECT max(x) FROM (SELECT sum(a.id) OVER () AS x FROM fast.big a, fast.big b WHERE b.id <= 300) s' ;;
        # Idle in a transaction, with a result that is read in part.
        cursor)
            before=(BEGIN 'DECLARE c NO SCROLL CURSOR FOR SELECT id, repeat(t, 3) FROM fast.paged')
            query='FETCH 10 FROM c'
            after=('\prompt x')
            state='idle in transaction'
            ;;
        # The client does not read what it is sent.
        stuck) query='COPY (SELECT id, repeat(t, 3) FROM fast.paged) TO STDOUT' ;;
    esac
    case $2 in
        statement_timeout)
            before+=("SET statement_timeout = '900ms'")
            after=('SET statement_timeout = 0' "${after[@]}")
            ;;
        idle_timeout) settings+="; SET idle_in_transaction_session_timeout = '900ms'" ;;
        transaction_timeout) settings+="; SET transaction_timeout = '900ms'" ;;
    esac
    crash_client "$settings" "${before[@]}" "$query" "${after[@]}"
    [ -n "$crash_stopped" ] || within 10 crash_sees "$sees" || return 1
    within 5 crash_finds "state = '$state' AND starts_with(query, '${query:0:12}') AND pid <> $blocked" || return 1
    # Under way, not only begun; before the timeouts that were set.
    sleep 0.2
}

# crash_observe: a session of our own, which can ask without the start of a psql each time, and what the engine holds with it alone. Sets
# crash_engine and crash_supervisor.
crash_observe() {
    local answer
    exec {crash_pipe}<>"$crash_fifo" {crash_sink}<>"$crash_fifo.full"
    # The server may not be up yet.
    within 20 crash_answers || return 1
    coproc CRASH_OBSERVER { exec stdbuf -oL env ${PG_LIBRARY_PATH:+"LD_LIBRARY_PATH=$PG_LIBRARY_PATH"} PGHOST="$(cluster_socket_dir "$name")" \
        PGPORT=$cluster_port PGUSER=$cluster_user "$PG_BINDIR/psql" -X -d postgres -qAt; }
    crash_observer=$CRASH_OBSERVER_PID
    within 5 crash_sees 'queries = 0 AND sessions = 1' || return 1
    crash_ask crash_engine 'SELECT pid FROM fusion.stat_engine' || return 1
    crash_ask crash_supervisor "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor'" || return 1
    crash_look || return 1
    crash_segments_before=$crash_segments crash_descriptors_before=$crash_descriptors
}

# crash_ask VARIABLE QUERY: its one value, from the observer.
crash_ask() {
    printf '%s;\n' "$2" >&"${CRASH_OBSERVER[1]}" && read -r -t 5 "$1" <&"${CRASH_OBSERVER[0]}" && return 0
    printf 'no answer: %s\n' "$2"
    return 1
}

# crash_sees CONDITION: whether it holds of fusion.stat_engine.
crash_sees() {
    local answer
    crash_ask answer "SELECT coalesce((SELECT $1 FROM fusion.stat_engine), false)" && [ "$answer" = t ]
}

# crash_finds CONDITION: whether there is such a session "forever"; sets crash_backend.
crash_finds() {
    crash_ask crash_backend "SELECT coalesce((SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'forever' AND $1), 0)" && [ "$crash_backend" != 0 ]
}

# crash_look: how many segments and descriptors the engine has. Starts no process, which would take longer than all else here.
crash_look() {
    local line
    local -a lines
    mapfile -t lines 2>/dev/null <"/proc/$crash_engine/maps" || return 1
    crash_segments=0
    for line in "${lines[@]}"; do [[ $line != *memfd:* ]] || crash_segments=$((crash_segments + 1)); done
    set -- "/proc/$crash_engine/fd/"*
    crash_descriptors=$#
}

# crash_is_free SESSIONS: whether the engine holds nothing of the step but so many idle sessions (and what blocked it).
crash_is_free() {
    local sessions=$(($1 + crash_blockers))
    crash_look && [ "$crash_segments" = $((crash_segments_before + sessions)) ] || return 1
    [ "$sessions" != 0 ] || [ "$crash_descriptors" -le "$crash_descriptors_before" ] || return 1
    ! compgen -G "$crash_spill/*/*" >/dev/null || return 1
    crash_sees "queries = $crash_blockers AND waiting = 0"
}

crash_is_asleep() {
    local answer
    crash_ask answer "SELECT count(*) FROM pg_stat_activity WHERE pid = $crash_backend AND query ~ '^SELECT pg_sleep'" && [ "$answer" = 1 ]
}

crash_has_no_locks() {
    local answer
    crash_ask answer "SELECT count(*) FROM pg_locks WHERE pid = $crash_backend AND relation IN ('big'::regclass, 'paged'::regclass)" && [ "$answer" = 0 ]
}

# Microseconds.
crash_now() { crash_time=${EPOCHREALTIME/[.,]/}; }

# crash_in_time SINCE COMMAND...: until it succeeds, which is to be soon enough after SINCE.
crash_in_time() {
    local since=$1 polls=0 ms
    shift
    while ! "$@"; do
        crash_now
        if [ $((crash_time - since)) -gt 20000000 ]; then
            printf 'not in 20 s: %s; segments %s (before: %s), descriptors %s (%s)\n' "$*" "$crash_segments" "$crash_segments_before" "$crash_descriptors" \
                "$crash_descriptors_before"
            return 1
        fi
        polls=$((polls + 1))
    done
    crash_now
    ms=$(((crash_time - since) / 1000))
    printf '%s after %d ms (%d polls)\n' "$1" $ms $polls
    crash_times+=("$ms ($crash_step, $1)")
    [ $ms -le $((crash_limit + crash_margin)) ]
}

# crash_clean: ends what the step has left.
crash_clean() {
    local pid
    [ -z "${crash_stopped:-}" ] || kill -CONT "$crash_engine" 2>/dev/null || true
    for pid in "${crash_clients[@]}" $crash_observer; do
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    crash_clients=() crash_observer=''
    exec {crash_pipe}>&- {crash_sink}>&- || true
}

# within SECONDS COMMAND...: until it succeeds.
within() {
    local end=$((SECONDS + $1 + 1))
    shift
    while [ $SECONDS -lt $end ]; do
        ! "$@" || return 0
        sleep 0.02
    done
    printf 'not in time: %s\n' "$*"
    return 1
}

# Also one that nobody has waited for yet: what it held is free.
crash_is_gone() { [ ! -e "/proc/$1/exe" ]; }
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

# The statement ends, the session goes on: so it is the cancel that frees, not the end of the session.
crash_cancel() {
    local since
    crash_now
    since=$crash_time
    kill -INT "$crash_backend"
    crash_statement_ended "$since"
}

# crash_statement_ended SINCE
crash_statement_ended() {
    local sessions=1
    if [ -n "$crash_stopped" ]; then
        # An engine that does not answer keeps nobody.
        crash_in_time "$1" crash_is_asleep || return 1
        [ "${crash_step%-*}" != connecting ] || sessions=0
        crash_now
        kill -CONT "$crash_engine"
        crash_stopped=
        set -- "$crash_time"
    fi
    crash_in_time "$1" crash_is_free $sessions && within 5 crash_is_asleep && crash_has_no_locks && crash_same_engine
}

crash_statement_timeout() {
    within 5 crash_is_asleep || return 1
    crash_now
    crash_statement_ended "$crash_time"
}

crash_terminate() {
    crash_now
    kill -TERM "$crash_backend"
    crash_session_ended "$crash_time"
}

# crash_session_ended SINCE
crash_session_ended() {
    crash_in_time "$1" crash_is_gone "$crash_backend" || return 1
    if [ -n "$crash_stopped" ]; then
        crash_now
        kill -CONT "$crash_engine"
        crash_stopped=
        set -- "$crash_time"
    fi
    crash_in_time "$1" crash_is_free 0 && crash_same_engine
}

# PostgreSQL looks every 100 ms whether the client is there; what counts is the time after that.
crash_client_gone() {
    kill -9 "$crash_client"
    within 4 crash_is_gone "$crash_backend" || return 1
    crash_now
    crash_session_ended "$crash_time"
}

crash_idle_timeout() {
    until crash_is_gone "$crash_backend"; do :; done
    crash_now
    crash_session_ended "$crash_time"
}

crash_transaction_timeout() { crash_idle_timeout; }

# A backend that dies by a signal makes the postmaster end all processes and start again.
crash_backend_killed() {
    kill -9 "$crash_backend"
    crash_server_ended "$crash_supervisor" && within 20 crash_answers && ! crash_same_engine
}

crash_supervisor_killed() {
    kill -9 "$crash_supervisor"
    crash_server_ended "$crash_supervisor" && within 20 crash_answers && ! crash_same_engine
}

# crash_server_ended PID: the engine ends with its supervisor.
crash_server_ended() {
    within 10 crash_is_gone "$1" || return 1
    crash_now
    crash_in_time "$crash_time" crash_is_gone "$crash_engine"
}

crash_fast_shutdown() {
    as_server "$PG_BINDIR/pg_ctl" -D "$work/$name/data" -w -t 10 -m fast stop && within 1 crash_no_processes && cluster_start "$name"
}

crash_immediate_shutdown() {
    as_server "$PG_BINDIR/pg_ctl" -D "$work/$name/data" -w -t 10 -m immediate stop && within 1 crash_no_processes && cluster_start "$name"
}

crash_postmaster_killed() {
    kill -9 "$(as_server head -n 1 "$work/$name/data/postmaster.pid")"
    within 1 crash_no_processes || return 1
    # In a container nobody may have waited for it: then its number still is in use.
    as_server rm -f "$work/$name/data/postmaster.pid" "$(cluster_socket_dir "$name")/.s.PGSQL.$cluster_port.lock"
    cluster_start "$name"
}
