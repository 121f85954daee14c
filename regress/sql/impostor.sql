--
-- An engine that is not there, is not one, or lies (proto/examples/impostor.rs, which the file pg_fusion/lie tells what to do): every query is answered by PostgreSQL, or
-- ends with a clear error where it may not be, the session goes on, and the engine is back as soon as the setting is right.
--
\getenv impostor PG_FUSION_IMPOSTOR
CREATE EXTENSION pg_fusion;
CREATE SCHEMA fast;
CREATE TABLE told (id int, k int, t text);
INSERT INTO told SELECT g, g % 10, 'row ' || g FROM generate_series(1, 20000) g;
VACUUM ANALYZE told;
IMPORT FOREIGN SCHEMA public LIMIT TO (told) FROM SERVER fusion INTO fast;
SET fusion.force = on;
SET fusion.connect_timeout = '500ms';
SELECT pg_backend_pid() AS pid, pg_postmaster_start_time() AS since \gset

-- Waits until an engine is there, or none; how long, and how the one before it ended.
CREATE FUNCTION wait_for_engine(there bool, OUT in_time bool, OUT last_end text) LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz := clock_timestamp();
    found bool := NOT there;
BEGIN
    WHILE found <> there AND clock_timestamp() < since + interval '10 s' LOOP
        PERFORM pg_sleep(0.02);
        found := false;
        BEGIN
            SELECT true, s.last_end INTO found, last_end FROM fusion.stat_engine s WHERE version = fusion.version();
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
        found := coalesce(found, false);
    END LOOP;
    in_time := clock_timestamp() < since + interval '1 s';
END $$;
CREATE FUNCTION kill_engine() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    engine int;
BEGIN
    SELECT pid INTO engine FROM fusion.stat_engine;
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'cat > /dev/null; kill -9 ' || engine);
END $$;
-- What comes of a query: its answer or SQLSTATE and message, without and with the fallback; a long time is told.
CREATE FUNCTION answer_to(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    since timestamptz := clock_timestamp();
BEGIN
    EXECUTE query INTO answer;
    RETURN answer || CASE WHEN clock_timestamp() > since + interval '10 s' THEN ' late' ELSE '' END;
EXCEPTION WHEN OTHERS OR query_canceled THEN
    RETURN SQLSTATE || ': ' || left(SQLERRM, 80) || CASE WHEN clock_timestamp() > since + interval '10 s' THEN ' late' ELSE '' END;
END $$;
CREATE FUNCTION answers(OUT alone text, OUT routed text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('fusion.fallback', 'off', false);
    alone := answer_to('SELECT sum(id) FROM fast.told WHERE k = 3');
    PERFORM set_config('fusion.fallback', 'on', false);
    routed := answer_to('SELECT sum(id) FROM fast.told WHERE k = 3');
END $$;
SELECT * FROM answers();

-- The program is not there, cannot be run, or ends at once; then the setting is mended.
ALTER SYSTEM SET fusion.engine_path = '/nowhere/pg_fusion_engine';
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SELECT kill_engine();
-- The end is met by the connection, or by the query.
SELECT left(alone, 5) AS alone, routed FROM answers();
SELECT count(*) AS engines FROM fusion.stat_engine;
ALTER SYSTEM SET fusion.engine_path = '/etc/passwd';
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SELECT * FROM answers();
ALTER SYSTEM SET fusion.engine_path = '/bin/false';
SELECT pg_reload_conf();
-- Again and again, with pauses that grow.
SELECT pg_sleep(2);
SELECT * FROM answers();
ALTER SYSTEM RESET fusion.engine_path;
SELECT pg_reload_conf();
SELECT * FROM wait_for_engine(true);
SELECT restarts BETWEEN 2 AND 8 AS restarts FROM fusion.stat_engine;
SELECT * FROM answers();

-- The folder of the socket may not be written to, or something else is in its place.
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; chmod 500 pg_fusion';
SELECT kill_engine();
SELECT in_time, last_end FROM wait_for_engine(true);
SELECT * FROM answers();
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm pg_fusion/engine.sock; mkdir -p pg_fusion/engine.sock/full';
\c -
SET fusion.force = on;
SET fusion.connect_timeout = '500ms';
SELECT * FROM answers();
ALTER SYSTEM SET fusion.engine_timeout = '3s';
SELECT pg_reload_conf();
-- The supervisor reaches nobody there either, and kills the engine; the next one cannot bind.
SELECT pg_sleep(5);
SELECT * FROM answers();
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm -r pg_fusion/engine.sock';
SELECT pg_reload_conf();
SELECT * FROM wait_for_engine(true);
SELECT * FROM answers();
ALTER SYSTEM RESET fusion.engine_timeout;

-- The disk takes no more of what is spilled: the engine may write no file of more than 4 MB, as under a quota.
CREATE TABLE much (id int, t text);
INSERT INTO much SELECT g, repeat(md5(g::text), 6) FROM generate_series(1, 300000) g;
VACUUM ANALYZE much;
IMPORT FOREIGN SCHEMA public LIMIT TO (much) FROM SERVER fusion INTO fast;
COPY (SELECT pid FROM fusion.stat_engine) TO PROGRAM
    'read pid; { echo "#!/bin/sh"; echo "trap \"\" XFSZ; ulimit -f 8192"; echo "exec $(readlink /proc/$pid/exe) \"\$@\""; } > pg_fusion/limited; chmod 700 pg_fusion/limited';
ALTER SYSTEM SET fusion.engine_path = 'pg_fusion/limited';
ALTER SYSTEM SET fusion.memory_limit = '32MB';
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SET fusion.session_memory = '3MB';
SELECT kill_engine();
SELECT in_time FROM wait_for_engine(true);
SET fusion.fallback = off;
SELECT answer_to('SELECT count(*) || '' '' || sum(length(t)) FROM (SELECT DISTINCT t FROM fast.much) x');
SET fusion.fallback = on;
SELECT answer_to('SELECT count(*) || '' '' || sum(length(t)) FROM (SELECT DISTINCT t FROM fast.much) x');
-- What was spilled is gone, and the same engine goes on.
SELECT count(*) AS files FROM pg_ls_dir('pg_fusion/spill') folder, pg_ls_dir('pg_fusion/spill/' || folder);
SELECT * FROM answers();
SELECT last_end FROM fusion.stat_engine;
ALTER SYSTEM RESET fusion.memory_limit;

-- The engine is an impostor.
COPY (SELECT 'closes') TO PROGRAM 'cat > pg_fusion/lie';
ALTER SYSTEM SET fusion.engine_path = :'impostor';
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SELECT kill_engine();
SELECT pg_sleep(1);
CREATE TABLE lies (n serial, lie text);
INSERT INTO lies (lie) VALUES ('closes'), ('is silent'), ('is of another version'), ('babbles'), ('announces too much'), ('begins a long message'),
    ('speaks out of turn'), ('sends no segment'), ('sends a short segment'), ('sends an empty segment'), ('sends another file'),
    ('hangs up'), ('answers another query'), ('answers another question'), ('ends twice'), ('welcomes again'),
    ('grants what is not there'), ('grants twice'), ('asks for no scan'), ('asks for far blocks'), ('asks for much'),
    ('sends noise as rows'), ('sends a header as rows'), ('sends rows behind the frame'), ('sends no columns'),
    ('sends noise as a row'), ('sends an empty row'), ('sends no state'), ('sends a warning'), ('sends a state of noise'),
    ('sends a long message'), ('babbles later');
CREATE FUNCTION told_lie(this text, OUT alone text, OUT routed text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L) TO PROGRAM %L', this, 'cat > pg_fusion/lie');
    SELECT a.alone, a.routed INTO alone, routed FROM answers() a;
END $$;
SELECT lie, a.* FROM lies, told_lie(lie) a ORDER BY n;
-- A lie about a query that is waited for: it can be cancelled.
COPY (SELECT 'never ends') TO PROGRAM 'cat > pg_fusion/lie';
SET statement_timeout = '300ms';
SELECT sum(id) FROM fast.told;
SELECT sum(id) FROM fast.told;
RESET statement_timeout;
-- Plans and other questions.
SELECT count(*) > 0 AS explained FROM answer_to('EXPLAIN SELECT sum(id) FROM fast.told');
SET statement_timeout = '300ms';
SELECT answer_to('SELECT fusion.cache_evict(''told'')');
RESET statement_timeout;
SELECT pid > 0 AS pid, started_at, version, restarts, queries, queries_total FROM fusion.stat_engine;

-- One that answers the supervisor in another's name is killed, as one that does not answer.
ALTER SYSTEM SET fusion.engine_timeout = '2s';
COPY (SELECT 'no status') TO PROGRAM 'cat > pg_fusion/lie';
SELECT pg_reload_conf();
SELECT pg_sleep(1);
ALTER SYSTEM RESET fusion.engine_path;
SELECT pg_reload_conf();
SELECT regexp_replace(last_end, '\d+', 'N') FROM wait_for_engine(true);
SELECT * FROM answers();

SELECT pg_postmaster_start_time() = :'since' AS same_server;
