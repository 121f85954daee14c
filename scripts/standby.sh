# shellcheck shell=bash
# The standby suite of regress.sh: a primary and a streaming standby, an engine on both, the same queries on both while the primary
# writes. Sourced by regress.sh.
#
# Invariants: both clusters are removed however the suite ends; a query that does not run in the standby's engine fails the suite.

# standby_suite: counts one test per round of queries, and one for the conflict with recovery.
standby_suite() {
    local primary=$name-primary standby=$name-standby log=$collected/standby.log passed=0 failed=0 round
    note "PostgreSQL $PG_MAJOR: standby"
    standby_remove
    cluster_create "$primary" C
    standby_settings | cluster_configure "$primary"
    cluster_start "$primary"
    cluster_psql "$primary" -d postgres -qc 'CREATE DATABASE differential TEMPLATE template0'
    cluster_psql "$primary" -d differential -q -f "$root/regress/diff/schema.sql"
    cluster_psql "$primary" -d differential -q -f "$root/regress/standby/schema.sql"
    server_dir "$work/$standby.backup"
    progress "base backup" as_server "$PG_BINDIR/pg_basebackup" -h "$(cluster_socket_dir "$primary")" -p $cluster_port \
        -U "$cluster_user" -D "$work/$standby.backup" -R -X stream -c fast
    server_dir "$work/$standby"
    mv "$work/$standby.backup" "$work/$standby/data"
    as_server sed -i "s|^include '.*|include '$work/$standby/config'|" "$work/$standby/data/postgresql.conf"
    printf 'PG_BINDIR=%q PG_LIBRARY_PATH=%q\n' "$PG_BINDIR" "$PG_LIBRARY_PATH" >"$work/$standby/server"
    standby_settings | cluster_configure "$standby"
    cluster_start "$standby"
    : >"$log"
    for round in 1 2 3; do
        cluster_psql "$primary" -d differential -q -v round=$round -f "$root/regress/standby/write.sql" >>"$log" 2>&1
        standby_wait || { failed=$((failed + 1)) && break; }
        # Twice: the second time with what the first has left in the cache.
        if standby_diff && standby_diff && standby_equal; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
    if standby_conflict; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    as_server cat "$work/$standby/log" >"$collected/standby.server.log"
    if as_server grep -qE 'PANIC|was terminated by signal' "$work/$standby/log"; then failed=$((failed + 1)); fi
    standby_remove
    [ "$failed" = 0 ] || tail -n 100 "$log"
    count_suite standby "$passed" "$failed"
}

standby_settings() {
    cat "$root/regress/regress.conf"
    cat <<'CONF'
shared_preload_libraries = 'pg_fusion'
wal_level = replica
max_wal_senders = 4
full_page_writes = on
hot_standby = on
max_standby_streaming_delay = 200ms
CONF
}

standby_remove() {
    cluster_remove "$name-standby"
    cluster_remove "$name-primary"
    rm -rf "$work/$name-standby.backup"
}

# standby_wait: until the standby has replayed what the primary has written.
standby_wait() {
    local lsn tries
    lsn=$(cluster_psql "$name-primary" -d postgres -qAtc 'SELECT pg_current_wal_insert_lsn()')
    cluster_psql "$name-primary" -d postgres -qAtc 'SELECT pg_switch_wal()' >/dev/null
    for tries in {1..300}; do
        [ "$(cluster_psql "$name-standby" -d postgres -qAtc "SELECT pg_last_wal_replay_lsn() >= '$lsn'" 2>/dev/null)" = t ] && return 0
        sleep 0.1
    done
    warn "the standby does not follow ($tries tries)"
    return 1
}

# standby_diff: query files of the differential suite, natively and in the engine, on the standby.
standby_diff() {
    env PGHOST="$(cluster_socket_dir "$name-standby")" PGPORT=$cluster_port PGUSER="$cluster_user" PGDATABASE=differential \
        "$CARGO_TARGET_DIR/release/fusion_bench" diff --directory "$root/regress/diff" --files "scan filter joins aggregate" >>"$log" 2>&1
}

# standby_equal: the tables that are written to, on both, each natively and in the engine.
standby_equal() {
    local cluster answer first=
    for cluster in "$name-primary" "$name-standby"; do
        answer=$(cluster_psql "$cluster" -d differential -qAtX -f "$root/regress/standby/read.sql" 2>&1)
        printf '%s:\n%s\n' "$cluster" "$answer" >>"$log"
        # A line that is "f" is a comparison that failed.
        ! grep -qE 'ERROR|^f$' <<<"$answer" || return 1
        [ -z "$first" ] || [ "$answer" = "$first" ] || return 1
        first=$answer
    done
}

# standby_conflict: a cursor in the standby's engine over rows that the primary vacuums away ends with PostgreSQL's own error.
standby_conflict() {
    local answer
    answer=$(
        {
            printf '%s\n' "SET fusion.force = on; SET fusion.fallback = off; BEGIN ISOLATION LEVEL REPEATABLE READ;" \
                "DECLARE c NO SCROLL CURSOR FOR SELECT * FROM fast.written; FETCH 1 FROM c;"
            sleep 1
            cluster_psql "$name-primary" -d differential -qc 'DELETE FROM heap.written WHERE id % 2 = 0' -c 'VACUUM heap.written' >/dev/null
            sleep 3
            printf '%s\n' "SELECT count(*) FROM fast.written;" "COMMIT;" "SELECT count(*) > 0 FROM fast.written;"
        } | cluster_psql "$name-standby" -d differential -qAtX -v ON_ERROR_STOP=0 -v VERBOSITY=verbose 2>&1
    )
    printf 'conflict:\n%s\n' "$answer" >>"$log"
    # 40001 where the statement is cancelled, 57P01 or a lost connection where the idle transaction is.
    [[ $answer == *"conflict with recovery"* ]]
}
