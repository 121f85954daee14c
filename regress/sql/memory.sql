--
-- The engine out of memory: PostgreSQL's plan answers. The limit cannot be lower than 16 MiB. This test restarts the engine.
--
CREATE TABLE wide (id int, t text);
INSERT INTO wide SELECT g, repeat(md5(g::text), 6) FROM generate_series(1, 150000) g;
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
ALTER SYSTEM RESET fusion.memory_limit;
SELECT pg_reload_conf();
SELECT pg_sleep(1);
SELECT restart_engine();
SELECT same('SELECT count(*) FROM fast.wide a JOIN fast.wide b ON a.t = b.t');
DROP FUNCTION restart_engine;
DROP FOREIGN TABLE fast.wide;
DROP TABLE wide;
