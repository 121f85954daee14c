--
-- fusion.stat_activity: what runs in the engine, and who sees it.
--
CREATE ROLE fusion_worker;
CREATE ROLE fusion_colleague;
CREATE ROLE fusion_monitor;
CREATE SCHEMA activity;
CREATE TABLE activity.big AS SELECT g AS id, g % 10 AS k FROM generate_series(1, 3000) g;
IMPORT FOREIGN SCHEMA activity LIMIT TO (big) FROM SERVER fusion INTO fast;
GRANT USAGE ON SCHEMA activity, fast TO fusion_worker;
GRANT SELECT ON activity.big, fast.big TO fusion_worker;
GRANT fusion_worker TO fusion_monitor;
SET fusion.force = on;
SET fusion.fallback = off;
SELECT count(*) FROM fusion.stat_activity WHERE pid = pg_backend_pid();

-- A query that is far from its end.
BEGIN;
SET ROLE fusion_worker;
DECLARE many CURSOR FOR SELECT a.id, b.id AS other FROM fast.big a, fast.big b;
MOVE 1 IN many;
SELECT datname = current_database() AS here, usename, state, started_at < clock_timestamp() AS started, memory > 0 AS memory, pages > 0 AS pages,
       rows_decoded > 0 AS decoded, rows_returned > 0 AS returned, query
FROM fusion.stat_activity WHERE pid = pg_backend_pid();
SET ROLE fusion_colleague;
SELECT count(*) FROM fusion.stat_activity;
SELECT count(*) FROM fusion.stat_activity();
SET ROLE fusion_monitor;
SELECT usename FROM fusion.stat_activity;
RESET ROLE;
GRANT pg_read_all_stats TO fusion_colleague;
SET ROLE fusion_colleague;
SELECT usename, query LIKE 'SELECT usename, query%' AS query FROM fusion.stat_activity WHERE pid = pg_backend_pid();
RESET ROLE;
CLOSE many;
COMMIT;
-- The engine hears of it by a message.
DO $$
BEGIN
    FOR tries IN 1..100 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM fusion.stat_activity WHERE pid = pg_backend_pid());
        PERFORM pg_sleep(0.05);
    END LOOP;
END $$;
SELECT count(*) FROM fusion.stat_activity WHERE pid = pg_backend_pid();

DROP FOREIGN TABLE fast.big;
DROP SCHEMA activity CASCADE;
REVOKE USAGE ON SCHEMA fast FROM fusion_worker;
DROP ROLE fusion_worker, fusion_colleague, fusion_monitor;
