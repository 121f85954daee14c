--
-- Faults at every stage of a query (fusion.fault, which the engine heeds because this server was started with PG_FUSION_FAULTS): the answer comes
-- all the same, or a clear error where rows had gone out; nothing but the engine restarts.
--
CREATE TABLE fuel (id int, k int, t text);
INSERT INTO fuel SELECT g, g % 10, repeat('x', 50) FROM generate_series(1, 100000) g;
VACUUM ANALYZE fuel;
IMPORT FOREIGN SCHEMA public LIMIT TO (fuel) FROM SERVER fusion INTO fast;
SET fusion.force = on;
SELECT pg_backend_pid() AS pid, pg_postmaster_start_time() AS since \gset

-- Waits until an engine answers: which one, and how the one before it ended.
CREATE FUNCTION engine_is_there(OUT pid int, OUT last_end text) LANGUAGE plpgsql AS $$
BEGIN
    FOR attempt IN 1..200 LOOP
        SELECT s.pid, s.last_end INTO pid, last_end FROM fusion.stat_engine s;
        EXIT WHEN pid IS NOT NULL;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;

-- A query that suffers a fault: its rows, where it ran, and whether the engine was another one afterwards.
CREATE FUNCTION suffering(fault text, OUT answer bigint, OUT ran text, OUT restarted bool) LANGUAGE plpgsql AS $$
DECLARE
    line text;
    before int;
BEGIN
    SELECT pid INTO before FROM engine_is_there();
    PERFORM set_config('fusion.fault', fault, false);
    SELECT sum(k) INTO answer FROM fast.fuel WHERE id > 5;
    ran := 'in the engine';
    PERFORM engine_is_there();
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT sum(k) FROM fast.fuel WHERE id > 5' LOOP
        IF line ~ 'Fallback' THEN
            ran := 'natively: ' || regexp_replace(line, '.*Fallback: ', '');
        END IF;
    END LOOP;
    PERFORM set_config('fusion.fault', '', false);
    restarted := before <> (SELECT pid FROM engine_is_there());
END $$;
SELECT * FROM suffering('');
SELECT stage, kind, s.answer, s.ran, s.restarted
FROM unnest('{parse,bind,optimize,translate,begin,exec,end}'::text[]) WITH ORDINALITY AS a (stage, n),
     unnest('{error,panic,memory,disk}'::text[]) AS kind,
     suffering(stage || ':' || kind) s
ORDER BY n, kind;
-- The engine itself dies. (One that dies within a second of its start is started again later and later.)
CREATE FUNCTION dying(fault text, OUT answer bigint, OUT restarted bool) LANGUAGE plpgsql AS $$
DECLARE
    before int;
BEGIN
    SELECT pid INTO before FROM engine_is_there();
    PERFORM pg_sleep(1.1);
    PERFORM set_config('fusion.fault', fault, false);
    SELECT sum(k) INTO answer FROM fast.fuel WHERE id > 5;
    PERFORM set_config('fusion.fault', '', false);
    restarted := before <> (SELECT pid FROM engine_is_there());
END $$;
SELECT stage, kind, s.answer, s.restarted
FROM unnest('{parse,exec,end}'::text[]) WITH ORDINALITY AS a (stage, n),
     unnest('{abort,exit,kill}'::text[]) AS kind,
     dying(stage || ':' || kind) s
ORDER BY n, kind;
SELECT last_end FROM engine_is_there();

-- It stops, and nothing of it answers: it is killed.
ALTER SYSTEM SET fusion.engine_timeout = '4s';
SELECT pg_reload_conf();
SELECT answer, restarted FROM dying('exec:stop');
SELECT regexp_replace(last_end, '\d+', 'N') FROM engine_is_there();
-- Its folder is gone with the socket: sessions that are connected go on, others run natively until the supervisor has noticed.
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm -rf pg_fusion';
SELECT same('SELECT sum(k) FROM fast.fuel') AS connected;
\c -
SET fusion.force = on;
SET fusion.connect_timeout = '100ms';
SELECT sum(k) FROM fast.fuel;
RESET fusion.connect_timeout;
SELECT pid IS NOT NULL AS is_there FROM engine_is_there();
SELECT same('SELECT sum(k) FROM fast.fuel');
SELECT pg_backend_pid() AS pid \gset
ALTER SYSTEM RESET fusion.engine_timeout;
SELECT pg_reload_conf();

-- A query that hangs alone: it can be cancelled, others go on.
SET fusion.fault = 'exec:hang';
SET statement_timeout = '300ms';
SELECT sum(k) FROM fast.fuel;
RESET statement_timeout;
RESET fusion.fault;
SELECT same('SELECT sum(k) FROM fast.fuel');

-- After rows have gone out the native plan cannot take over.
SET fusion.fault = 'rows:error';
SELECT code, message, hint FROM error_of('DO $d$ DECLARE r record; BEGIN FOR r IN SELECT a.* FROM fast.fuel a JOIN fast.fuel b ON b.k = a.k AND b.id <= 100 LOOP NULL; END LOOP; END $d$');
SET fusion.fault = 'rows:kill';
SELECT code, message, hint FROM error_of('DO $d$ DECLARE r record; BEGIN FOR r IN SELECT a.* FROM fast.fuel a JOIN fast.fuel b ON b.k = a.k AND b.id <= 100 LOOP NULL; END LOOP; END $d$');
RESET fusion.fault;
SELECT pid IS NOT NULL AS is_there FROM engine_is_there();
SELECT same('SELECT sum(k) FROM fast.fuel');

-- Too many queries: they wait for each other, and not for ever. A cursor that is open keeps its place.
ALTER SYSTEM SET fusion.max_queries = 1;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SET fusion.fault = 'parse:kill';
SELECT count(*) FROM fast.fuel;
RESET fusion.fault;
SELECT pid IS NOT NULL AS is_there FROM engine_is_there();
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT * FROM fast.fuel;
MOVE 1 FROM c;
SELECT sum(k) FROM fast.fuel;
SELECT same('SELECT sum(k) FROM fast.fuel') AS within_the_same_session;
COMMIT;
ALTER SYSTEM RESET fusion.max_queries;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SET fusion.fault = 'parse:kill';
SELECT count(*) FROM fast.fuel;
RESET fusion.fault;
SELECT pid IS NOT NULL AS is_there FROM engine_is_there();

-- Only superusers ask for faults.
CREATE ROLE fusion_nobody;
SET ROLE fusion_nobody;
SET fusion.fault = 'parse:kill';
RESET ROLE;
DROP ROLE fusion_nobody;

SELECT pg_backend_pid() = :pid AS same_backend, pg_postmaster_start_time() = :'since' AS same_server;
DROP FUNCTION suffering, dying, engine_is_there;
DROP FOREIGN TABLE fast.fuel;
DROP TABLE fuel;
