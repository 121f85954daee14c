--
-- Bad input: parameters of wrong types and numbers, data exceptions in prepared statements, cursors, PL/pgSQL and writing statements. The client
-- sees PostgreSQL's own SQLSTATE, message, detail and hint, and the session goes on. (Errors of plain queries: regress/diff/errors.sql.)
--
SET search_path = fast, public;
SET fusion.force = on;
-- Natively and in the engine: the error, and whether it is the same.
CREATE FUNCTION pg_temp.same_error(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    native record;
    engine record;
BEGIN
    PERFORM set_config('fusion.enabled', 'off', true);
    SELECT * INTO native FROM public.error_of(command);
    PERFORM set_config('fusion.enabled', 'on', true);
    SELECT * INTO engine FROM public.error_of(command);
    IF engine IS DISTINCT FROM native THEN
        RETURN format('DIFFERENT: engine %s, native %s', engine, native);
    END IF;
    RETURN format('%s: %s', engine.code, engine.message);
END $$;
SET plan_cache_mode = force_generic_plan;
-- They would run in the engine.
SELECT route FROM fusion.explain_route('SELECT id / (id - 5) FROM numbers');
SELECT route FROM fusion.explain_route('SELECT (SELECT w.id FROM words w WHERE w.id > n.id) FROM numbers n');
-- Parameters.
PREPARE ratio(int, int) AS SELECT count(*) FROM numbers WHERE i4 / $1 > $2;
SELECT pg_temp.same_error('EXECUTE ratio(''x'', 1)');
SELECT pg_temp.same_error('EXECUTE ratio(1)');
SELECT pg_temp.same_error('EXECUTE ratio(1, 2, 3)');
SELECT pg_temp.same_error('EXECUTE ratio(10000000000, 1)');
SELECT pg_temp.same_error('EXECUTE ratio(date ''2020-01-01'', 1)');
SELECT pg_temp.same_error('EXECUTE ratio(0, 1)');
SELECT pg_temp.same_error('EXECUTE nowhere(0)');
EXECUTE ratio(1000, 10);
DEALLOCATE ratio;
PREPARE page(int) AS SELECT id FROM numbers ORDER BY id LIMIT $1;
SELECT pg_temp.same_error('EXECUTE page(-1)');
EXECUTE page(2);
DEALLOCATE page;
PREPARE narrow(numeric) AS SELECT sum((n15 + $1)::numeric(6,2)) FROM numbers WHERE id = 1;
SELECT pg_temp.same_error('EXECUTE narrow(1e9)');
SELECT pg_temp.same_error('EXECUTE narrow(''many'')');
DEALLOCATE narrow;
PREPARE one_row(int) AS SELECT (SELECT w.id FROM words w WHERE w.id > $1) FROM numbers n WHERE n.id = 1;
SELECT pg_temp.same_error('EXECUTE one_row(1)');
EXECUTE one_row(305);
DEALLOCATE one_row;
RESET plan_cache_mode;
-- Statements around a query.
CREATE TABLE public.sink (n int CHECK (n < 1000000));
SELECT pg_temp.same_error('INSERT INTO public.sink SELECT i4 / (id - 7) FROM numbers');
SELECT pg_temp.same_error('INSERT INTO public.sink SELECT i8 FROM numbers WHERE i8 IS NOT NULL');
SELECT pg_temp.same_error('INSERT INTO public.sink SELECT 2000000 FROM numbers WHERE id = 1');
SELECT pg_temp.same_error('CREATE TABLE public.never AS SELECT i4 + 1 AS x FROM numbers');
INSERT INTO public.sink VALUES (1);
SELECT pg_temp.same_error('UPDATE public.sink SET n = (SELECT id FROM numbers)');
SELECT count(*) FROM public.sink;
DROP TABLE public.sink;
SELECT pg_temp.same_error('COPY (SELECT i2 * i2 FROM numbers) TO ''/dev/null''');
SELECT pg_temp.same_error('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT 1 / (id - 9) FROM numbers');
SELECT pg_temp.same_error($$ DO 'DECLARE v int; BEGIN SELECT i4 / 0 INTO v FROM fast.numbers WHERE id = 1; END' $$);
SELECT pg_temp.same_error($$ DO 'DECLARE v int; BEGIN SELECT id INTO STRICT v FROM fast.numbers; END' $$);
SELECT pg_temp.same_error($$ DO 'DECLARE v int2; BEGIN SELECT id * 1000 INTO v FROM fast.numbers WHERE id = 100; END' $$);
-- A failed statement takes its savepoint with it, and nothing else.
BEGIN;
SELECT count(*) FROM numbers;
SAVEPOINT before;
SELECT 1 / (id - 3) FROM numbers;
ROLLBACK TO before;
SELECT count(*) FROM words;
DECLARE c CURSOR FOR SELECT id, 10 / (id - 400) FROM numbers;
FETCH 2 FROM c;
ROLLBACK TO before;
SELECT max(id) FROM numbers;
COMMIT;
-- Both sides of the protocol survive a hundred failures.
DO $$
DECLARE
    failures int := 0;
BEGIN
    FOR i IN 1..100 LOOP
        BEGIN
            PERFORM sum(1 / (id - i)) FROM fast.numbers;
        EXCEPTION WHEN division_by_zero THEN
            failures := failures + 1;
        END;
    END LOOP;
    RAISE NOTICE '% failures', failures;
END $$;
SELECT same('SELECT count(*), sum(i4) FROM numbers');
