--
-- The engine out of memory: PostgreSQL's plan answers. The limit cannot be lower than 16 MiB. This test restarts the engine.
--
CREATE TABLE wide (id int, t text);
INSERT INTO wide SELECT g, repeat(md5(g::text), 6) FROM generate_series(1, 300000) g;
VACUUM ANALYZE wide;
IMPORT FOREIGN SCHEMA public LIMIT TO (wide) FROM SERVER fusion INTO fast;
CREATE FUNCTION restart_engine() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    old int;
BEGIN
    SELECT pid INTO old FROM fusion.stat_engine;
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'cat > /dev/null; kill -9 ' || old);
    FOR attempt IN 1..100 LOOP
        PERFORM pg_sleep(0.1);
        IF EXISTS (SELECT 1 FROM fusion.stat_engine WHERE pid <> old) THEN
            RETURN 'another engine';
        END IF;
    END LOOP;
    RETURN 'no engine';
END $$;
ALTER SYSTEM SET fusion.memory_limit = '1MB';
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT restart_engine();
SET fusion.force = on;
SET fusion.fallback = off;
SELECT code FROM error_of('SELECT count(*) FROM fast.wide a JOIN fast.wide b ON a.t = b.t');
RESET fusion.fallback;
SELECT count(*) FROM fast.wide a JOIN fast.wide b ON a.t = b.t;
-- The engine goes on.
SELECT same('SELECT count(*), sum(id) FROM fast.wide');
-- What groups spills, and stays in the engine; a window over everything cannot.
ALTER SYSTEM SET fusion.memory_limit = '32MB';
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT restart_engine();
SELECT same('SELECT count(*), sum(length(t)) FROM (SELECT DISTINCT t FROM fast.wide) x');
SET fusion.fallback = off;
SELECT code FROM error_of('SELECT t, sum(id) OVER () FROM fast.wide');
RESET fusion.fallback;
SELECT count(s), min(s), max(s) FROM (SELECT id, t, sum(id) OVER () AS s FROM fast.wide) x;
-- Where nothing may be spilled, PostgreSQL groups.
ALTER SYSTEM SET fusion.temp_limit = '1MB';
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT restart_engine();
SET fusion.fallback = off;
SELECT code FROM error_of('SELECT count(*), sum(length(t)) FROM (SELECT DISTINCT t FROM fast.wide) x');
RESET fusion.fallback;
SELECT count(*), sum(length(t)) FROM (SELECT DISTINCT t FROM fast.wide) x;
-- In a folder that others use, too: the engine has its own below it.
ALTER SYSTEM SET fusion.temp_limit = '100MB';
ALTER SYSTEM SET fusion.temp_dir = '/tmp';
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT restart_engine();
SELECT same('SELECT count(*), sum(length(t)) FROM (SELECT DISTINCT t FROM fast.wide) x');
SELECT count(*) > 0 AS there FROM pg_ls_dir('/tmp') d WHERE d LIKE 'pg\_fusion\_spill.%';
ALTER SYSTEM RESET fusion.temp_dir;
ALTER SYSTEM RESET fusion.temp_limit;
ALTER SYSTEM RESET fusion.memory_limit;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT restart_engine();
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm -rf /tmp/pg_fusion_spill.*.$(stat -c %i pg_fusion)';
SELECT same('SELECT count(*) FROM fast.wide a JOIN fast.wide b ON a.t = b.t');
DROP FUNCTION restart_engine;
DROP FOREIGN TABLE fast.wide;
DROP TABLE wide;
