--
-- Parameters and cached plans: PREPARE with custom and generic plans, PL/pgSQL, SQL functions, cursors, DDL between executions.
--
SET search_path = fast, public;
SET fusion.force = on;
SET fusion.fallback = off;
CREATE TABLE public.live (id int PRIMARY KEY, k int, n numeric(10,2), t text, d date);
INSERT INTO public.live SELECT g, g % 10, g * 1.5, 'text ' || g, date '2020-01-01' + g FROM generate_series(1, 1000) g;
VACUUM ANALYZE public.live;
IMPORT FOREIGN SCHEMA public LIMIT TO (live) FROM SERVER fusion INTO fast;

-- Whether a prepared statement runs in the engine.
CREATE FUNCTION route_of(execute_command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || execute_command INTO plan;
    RETURN coalesce(plan #>> '{0,Plan,Fusion Route}', plan #>> '{0,Plan,Plans,0,Fusion Route}', plan #>> '{0,Plan,Node Type}');
END $$;

PREPARE by_type (int, numeric, text, date) AS
    SELECT count(*), sum(n), min(t), max(d) FROM live WHERE k = $1 AND n > $2 AND t <> $3 AND d >= $4;
SET plan_cache_mode = force_generic_plan;
SELECT route_of('EXECUTE by_type(1, 10, '''', ''2020-01-01'')');
EXECUTE by_type(1, 10, '', '2020-01-01');
EXECUTE by_type(2, 100.55, 'text 992', '2021-01-01');
EXECUTE by_type(NULL, 0, '', '2020-01-01');
SET plan_cache_mode = force_custom_plan;
SELECT route_of('EXECUTE by_type(1, 10, '''', ''2020-01-01'')');
EXECUTE by_type(1, 10, '', '2020-01-01');
EXECUTE by_type(2, 100.55, 'text 992', '2021-01-01');
EXECUTE by_type(NULL, 0, '', '2020-01-01');
SET plan_cache_mode = force_generic_plan;

-- Expressions over parameters, LIMIT and OFFSET, select list, IN, stable functions.
PREPARE exprs (int, int) AS SELECT id, $1 + $2 AS s, n * $1 FROM live WHERE id BETWEEN $1 AND $1 + $2 ORDER BY id LIMIT $2 OFFSET $1 - 9;
EXECUTE exprs(10, 3);
EXECUTE exprs(10, NULL);
EXECUTE exprs(9, 0);
PREPARE listed (int, int, int) AS SELECT count(*) FROM live WHERE k IN ($1, $2, $3);
EXECUTE listed(1, 2, 3);
EXECUTE listed(1, NULL, 1);
PREPARE arrayed (int[]) AS SELECT count(*) FROM live WHERE k = ANY ($1);
RESET fusion.fallback;
EXECUTE arrayed('{1,2,NULL}');
SET fusion.fallback = off;
PREPARE since AS SELECT count(*) FROM live WHERE d < current_date AND d::timestamp <= localtimestamp;
SELECT route_of('EXECUTE since');
EXECUTE since;
-- The value is that of the execution, not of the planning.
CREATE FUNCTION setting() RETURNS int LANGUAGE sql STABLE AS $$ SELECT current_setting('test.k')::int $$;
SET test.k = 3;
PREPARE by_setting AS SELECT min(id) FROM live WHERE k = setting();
SELECT route_of('EXECUTE by_setting');
EXECUTE by_setting;
SET test.k = 4;
EXECUTE by_setting;
-- The same text with other time zones.
CREATE TABLE public.stamps (at timestamptz);
INSERT INTO public.stamps VALUES ('2020-06-01 00:30+00'), ('2020-06-01 23:30+00');
IMPORT FOREIGN SCHEMA public LIMIT TO (stamps) FROM SERVER fusion INTO fast;
PREPARE before (date) AS SELECT count(*) FROM stamps WHERE at < $1::timestamptz;
SET timezone = 'UTC';
EXECUTE before('2020-06-02');
SET timezone = 'America/New_York';
EXECUTE before('2020-06-01');
RESET timezone;

-- DDL between executions.
PREPARE narrow AS SELECT count(*), sum(n), max(t) FROM live WHERE id <= 10;
EXECUTE narrow;
CREATE INDEX live_k ON public.live (k);
EXECUTE narrow;
DROP INDEX public.live_k;
EXECUTE narrow;
ALTER TABLE public.live DROP CONSTRAINT live_pkey;
EXECUTE narrow;
ALTER TABLE public.live ADD COLUMN extra int DEFAULT 7;
EXECUTE narrow;
ALTER TABLE public.live DROP COLUMN extra;
EXECUTE narrow;
ALTER TABLE public.live DROP COLUMN k;
EXECUTE narrow;
ALTER TABLE fast.live DROP COLUMN k;
EXECUTE narrow;
ALTER TABLE public.live ALTER COLUMN n TYPE numeric(12,4);
EXECUTE narrow;
ALTER TABLE fast.live ALTER COLUMN n TYPE numeric(12,4);
EXECUTE narrow;
ALTER TABLE public.live ALTER COLUMN id TYPE bigint;
ALTER TABLE fast.live ALTER COLUMN id TYPE bigint;
EXECUTE narrow;
VACUUM FULL public.live;
EXECUTE narrow;
TRUNCATE public.live;
EXECUTE narrow;
ALTER TABLE public.live RENAME TO moved;
EXECUTE narrow;
ALTER FOREIGN TABLE fast.live OPTIONS (SET table_name 'moved');
EXECUTE narrow;
DROP TABLE public.moved;
EXECUTE narrow;
DROP FOREIGN TABLE fast.live;
EXECUTE narrow;
-- The setting of the moment counts when it is planned; a cached plan keeps its route until it is planned anew.
PREPARE counted AS SELECT count(*) FROM numbers;
SELECT route_of('EXECUTE counted');
DISCARD PLANS;
SET fusion.enabled = off;
SELECT route_of('EXECUTE counted');
RESET fusion.enabled;
DISCARD PLANS;
SELECT route_of('EXECUTE counted');
EXECUTE counted;
DEALLOCATE ALL;

-- PL/pgSQL: variables, many executions, dynamic SQL with USING, loops, record and scalar results.
CREATE FUNCTION totals(upper int) RETURNS TABLE (step int, total numeric, seen bigint) LANGUAGE plpgsql AS $$
DECLARE
    wanted bool := true;
BEGIN
    FOR step IN 1..upper LOOP
        SELECT sum(n15), count(*) INTO total, seen FROM fast.numbers WHERE id <= step * 50 AND b = wanted;
        RETURN NEXT;
        wanted := NOT wanted;
    END LOOP;
END $$;
SELECT * FROM totals(8);
CREATE FUNCTION dynamic(upper int) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    result numeric;
BEGIN
    EXECUTE 'SELECT sum(n15) FROM fast.numbers WHERE id <= $1' INTO result USING upper;
    RETURN result;
END $$;
SELECT dynamic(50), dynamic(100), dynamic(NULL);
-- SQL functions, inlined or not; a set.
CREATE FUNCTION plain_sql(int) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT sum(n15) FROM fast.numbers WHERE id <= $1';
CREATE FUNCTION inlined(int) RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM fast.numbers WHERE i2 = $1';
SELECT plain_sql(50), plain_sql(100);
SELECT count(*) FROM inlined(1);
SELECT w.id, plain_sql(w.id) FROM public.words w WHERE w.id < 4 ORDER BY w.id;

-- Cursors: forward, SCROLL, WITH HOLD, several at once, not read to the end.
BEGIN;
DECLARE forward CURSOR FOR SELECT id, n15 FROM numbers WHERE id <= 6 ORDER BY id;
DECLARE back SCROLL CURSOR FOR SELECT id FROM numbers WHERE id <= 6 ORDER BY id;
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM numbers WHERE id <= 6 ORDER BY id DESC;
DECLARE unread CURSOR FOR SELECT a.id FROM numbers a, numbers b;
FETCH 2 FROM forward;
FETCH LAST FROM back;
FETCH PRIOR FROM back;
FETCH 1 FROM unread;
FETCH ABSOLUTE 2 FROM back;
FETCH 2 FROM forward;
MOVE BACKWARD ALL IN back;
FETCH 1 FROM back;
FETCH 1 FROM held;
COMMIT;
FETCH 2 FROM held;
CLOSE held;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM numbers ORDER BY id;
FETCH 1 FROM c;
SAVEPOINT s;
FETCH 1 FROM c;
SELECT 1 / 0;
ROLLBACK TO s;
FETCH 1 FROM c;
COMMIT;
DROP FUNCTION route_of, setting, totals, dynamic, plain_sql, inlined;
DROP FOREIGN TABLE fast.stamps;
DROP TABLE public.stamps;
