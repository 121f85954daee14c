--
-- Faults: the engine is killed, a page is damaged, a query is cancelled, the encoding is another.
--
SET search_path = fast, public;
SET fusion.force = on;
-- Killed between two statements of a session, and while a cursor is open that has given no row: PostgreSQL finishes the query.
SELECT count(*), sum(n15) FROM numbers WHERE id <= 500;
CREATE FUNCTION kill_engine() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    old int;
BEGIN
    SELECT pid INTO old FROM fusion.stat_engine;
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'cat > /dev/null; kill -9 ' || old);
    -- The session learns of it when it next reads the socket; the supervisor has a new engine within a second or so.
    FOR attempt IN 1..100 LOOP
        PERFORM pg_sleep(0.1);
        IF EXISTS (SELECT 1 FROM fusion.stat_engine WHERE pid <> old) THEN
            RETURN 'another engine';
        END IF;
    END LOOP;
    RETURN 'no engine';
END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT id, n15 FROM numbers WHERE id < 4 ORDER BY id;
SELECT kill_engine();
FETCH 2 FROM c;
COMMIT;
SELECT kill_engine();
SET fusion.fallback = off;
SELECT count(*), sum(n15) FROM numbers WHERE id <= 500;
-- Timeouts and cancel: the engine is busy with a join of some hundred million pairs.
SET statement_timeout = '300ms';
DO $$
DECLARE
    started timestamptz := clock_timestamp();
BEGIN
    PERFORM count(*) FROM fast.numbers a, fast.numbers b, fast.numbers c, fast.numbers d WHERE a.id + b.id + c.id < d.id;
EXCEPTION WHEN query_canceled THEN
    RAISE NOTICE 'cancelled in time: %', clock_timestamp() - started < interval '1 second';
END $$;
RESET statement_timeout;
SELECT same('SELECT count(*) FROM numbers');
-- A damaged page: its file is copied under another table, with pd_lower of block 1 pointing behind the page.
CREATE TABLE public.sound (id int, t text) WITH (autovacuum_enabled = off);
INSERT INTO public.sound SELECT g, 'row ' || g FROM generate_series(1, 1000) g;
CREATE TABLE public.damaged (LIKE public.sound);
CHECKPOINT;
IMPORT FOREIGN SCHEMA public LIMIT TO (damaged) FROM SERVER fusion INTO fast;
DO $$
DECLARE
    source text := current_setting('data_directory') || '/' || pg_relation_filepath('public.sound');
    target text := current_setting('data_directory') || '/' || pg_relation_filepath('public.damaged');
BEGIN
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', format(
        'cat > /dev/null; cp %1$s %2$s; printf ''\377\377'' | dd conv=notrunc bs=1 seek=8204 count=2 of=%2$s 2>/dev/null', source, target));
END $$;
SET client_min_messages = error;
SET fusion.fallback = off;
SELECT code, message LIKE 'invalid page in block 1 of relation %' AS names_the_block FROM error_of('SELECT count(*) FROM fast.damaged');
SET fusion.fallback = on;
SELECT code, message LIKE 'invalid page in block 1 of relation %' AS names_the_block FROM error_of('SELECT count(*) FROM fast.damaged');
SET fusion.fallback = off;
RESET client_min_messages;
SELECT same('SELECT count(*) FROM numbers');
DROP FOREIGN TABLE damaged;
DROP TABLE public.sound, public.damaged;
-- Another encoding than UTF8: PostgreSQL runs everything, and says why.
CREATE DATABASE regression_fusion_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\c regression_fusion_latin1
CREATE EXTENSION pg_fusion;
CREATE TABLE here (id int, t text);
INSERT INTO here VALUES (1, 'x');
CREATE SCHEMA fast;
IMPORT FOREIGN SCHEMA public FROM SERVER fusion INTO fast;
SET fusion.force = on;
SELECT * FROM fast.here;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.here');
\c regression
DROP DATABASE regression_fusion_latin1;
