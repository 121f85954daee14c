--
-- When the engine fails before the first row, PostgreSQL's plan answers: with its rows, or its own error.
--
SET search_path = fast, public;

-- What a query raises in the engine's route with fallback, and natively. It must have been sent to the engine, and fail there.
CREATE FUNCTION same_error(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    decision record;
    engine record;
    routed record;
    native record;
BEGIN
    PERFORM set_config('fusion.force', 'on', true), set_config('fusion.fallback', 'off', true);
    SELECT * INTO decision FROM fusion.explain_route(query);
    IF decision.route <> 'engine' THEN
        RETURN 'NOT IN THE ENGINE: ' || decision.reason;
    END IF;
    SELECT * INTO engine FROM error_of(query);
    PERFORM set_config('fusion.fallback', 'on', true);
    SELECT * INTO routed FROM error_of(query);
    PERFORM set_config('fusion.enabled', 'off', true);
    SELECT * INTO native FROM error_of(query);
    PERFORM set_config('fusion.enabled', 'on', true);
    IF routed IS DISTINCT FROM native THEN
        RETURN format('DIFFERENT: routed %s, native %s', routed, native);
    END IF;
    RETURN format('engine alone: %s, routed and native: %s %s', engine.code, native.code, coalesce(native.message, 'no error'));
END $$;

-- Division by zero.
SELECT same_error('SELECT i4 / (i2 - i2) FROM numbers');
SELECT same_error('SELECT sum(n15 / (n9 - n9)) FROM numbers WHERE n15 > 0');
SELECT same_error('SELECT f8 / (f8 - f8) FROM numbers WHERE id = 1');
SELECT same_error('SELECT i8 % (i2 - i2) FROM numbers WHERE i8 IS NOT NULL');
-- Integer and float overflow.
SELECT same_error('SELECT i2 + i2 FROM numbers');
SELECT same_error('SELECT i4 * i4 FROM numbers');
SELECT same_error('SELECT i8 + 1 FROM numbers');
SELECT same_error('SELECT -i2 FROM numbers');
SELECT same_error('SELECT sum(i8) FROM numbers');
SELECT same_error('SELECT i8::int FROM numbers');
SELECT same_error('SELECT i4::smallint FROM numbers');
SELECT same_error('SELECT f8 * 1e308 FROM numbers WHERE id < 100');
-- Numeric overflow: the engine's is earlier than PostgreSQL's, which has the answer.
SELECT same_error('SELECT n30 * n30 * n30 FROM numbers');
SELECT same_error('SELECT sum(n30 * n30) FROM numbers');
SELECT same_error('SELECT (n15 * 10000000000)::numeric(9,2) FROM numbers');
-- NaN where the engine has no place for it.
CREATE TABLE public.nan_values (id int, n numeric(10,2));
INSERT INTO public.nan_values VALUES (1, 1.5), (2, 'NaN');
IMPORT FOREIGN SCHEMA public LIMIT TO (nan_values) FROM SERVER fusion INTO fast;
SELECT same_error('SELECT sum(n) FROM nan_values');
-- Casts.
SELECT same_error('SELECT n15::numeric(5,2) FROM numbers');
-- A subquery that gives two rows.
SELECT same_error('SELECT id, (SELECT i4 FROM numbers) FROM words');
SELECT same_error('SELECT n.id FROM numbers n WHERE n.i4 = (SELECT m.i4 FROM numbers m WHERE m.b = n.b)');
SELECT same_error('SELECT id FROM words WHERE id > (SELECT id FROM numbers WHERE id < 3)');
-- A parameter that fails: PostgreSQL may never evaluate it.
SELECT same_error('SELECT id, length(current_setting(''no.such'')) FROM numbers WHERE id < 0');
SELECT same_error('SELECT id, length(current_setting(''no.such'')) FROM numbers WHERE id > 0');
SELECT same_error('SELECT id FROM numbers LIMIT -1');
SELECT same_error('SELECT id FROM numbers OFFSET -1');

-- The rows of the native plan, where only the engine fails; EXPLAIN says so.
SET fusion.force = on;
SELECT id, n30 * n30 * n30 FROM numbers WHERE id > 500 ORDER BY id;
CREATE FUNCTION fallback_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
    RETURN plan #>> '{0,Plan,Fusion Fallback}';
END $$;
SELECT fallback_of('SELECT n30 * n30 * n30 FROM numbers WHERE id > 500'), fallback_of('SELECT n15 + n15 FROM numbers WHERE id < 5');
-- Where PostgreSQL sorts and counts above the engine's scan, it does so once.
SELECT w.id, n.n30 * n.n30 * n.n30 IS NULL AS cube FROM numbers n JOIN words w USING (id) ORDER BY w.u, w.id OFFSET 300;
SELECT w.id FROM numbers n JOIN words w USING (id) WHERE n.n30 * n.n30 * n.n30 < 0 ORDER BY w.u LIMIT 3 OFFSET 2;
SET fusion.enabled = off;
SELECT w.id, n.n30 * n.n30 * n.n30 IS NULL AS cube FROM numbers n JOIN words w USING (id) ORDER BY w.u, w.id OFFSET 300;
SELECT w.id FROM numbers n JOIN words w USING (id) WHERE n.n30 * n.n30 * n.n30 < 0 ORDER BY w.u LIMIT 3 OFFSET 2;
RESET fusion.enabled;
-- Inside a statement that goes on: a subtransaction, a cursor, a loop.
DO $$
DECLARE
    r record;
    seen int := 0;
BEGIN
    FOR r IN SELECT id, n30 * n30 * n30 AS cube FROM fast.numbers WHERE id > 500 LOOP
        seen := seen + 1;
    END LOOP;
    RAISE NOTICE 'rows: %', seen;
    BEGIN
        PERFORM i4 * i4 FROM fast.numbers;
    EXCEPTION WHEN numeric_value_out_of_range THEN
        RAISE NOTICE 'caught: %', SQLERRM;
    END;
    PERFORM count(*) FROM fast.numbers;
END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT n30 * n30 * n30 FROM numbers WHERE id > 502 ORDER BY id;
FETCH 1 FROM c;
FETCH ALL FROM c;
COMMIT;
-- Rescanned: each time anew.
SELECT w.id, (SELECT count(n30 * n30 * n30) FROM numbers n WHERE n.id <= w.id AND w.ctid IS NOT NULL) FROM words w WHERE w.id < 4 ORDER BY w.id;
DROP FOREIGN TABLE fast.nan_values;
DROP TABLE public.nan_values;
DROP FUNCTION same_error, fallback_of;
