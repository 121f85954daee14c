--
-- Which way a query takes, and why: fusion.explain_route, settings, EXPLAIN.
--
SET search_path = fast, public;
SET fusion.force = on;
SELECT * FROM fusion.explain_route('SELECT sum(n15) FROM numbers');
SELECT * FROM fusion.explain_route('SELECT 1');
SELECT * FROM fusion.explain_route('SELECT random() FROM numbers');
SELECT * FROM fusion.explain_route('SELECT initcap(t) FROM words');
SELECT * FROM fusion.explain_route('SELECT count(*) FROM numbers n JOIN public.words w USING (id)');
SELECT * FROM fusion.explain_route('SELECT id, stddev(id) OVER (ORDER BY id) FROM numbers');
SELECT * FROM fusion.explain_route('SELECT w FROM words w');
SELECT * FROM fusion.explain_route('SELECT ctid FROM words w');
SELECT * FROM fusion.explain_route('SELECT id FROM words FOR UPDATE');
SELECT * FROM fusion.explain_route('SELECT id FROM words WHERE j ? ''k''');
SELECT * FROM fusion.explain_route('SELECT id FROM numbers WHERE i4 > (SELECT avg(i4) FROM numbers)');
SELECT * FROM fusion.explain_route('SELECT u FROM words UNION SELECT u FROM words');
SELECT * FROM fusion.explain_route('SELECT id FROM numbers WHERE id NOT IN (SELECT i4 FROM numbers)');
SELECT * FROM fusion.explain_route('SELECT 1, b, count(*) FROM numbers GROUP BY ROLLUP (1, b)');
SELECT * FROM fusion.explain_route('not a query');
SELECT * FROM fusion.explain_route('SELECT 1; SELECT 2');
SELECT * FROM fusion.explain_route('VACUUM');
SET fusion.enabled = off;
SELECT * FROM fusion.explain_route('SELECT sum(n15) FROM numbers');
RESET fusion.enabled;
-- By cost: a small table, and a look-up by key, stay where they are cheap.
RESET fusion.force;
SELECT * FROM fusion.explain_route('SELECT t FROM words WHERE id = 7');
EXPLAIN (COSTS OFF) SELECT t FROM words WHERE id = 7;
-- What the native route runs is a plan over the heap relation, and what it gives is right, too.
SELECT c1, count(*) FROM words WHERE id < 20 GROUP BY c1 ORDER BY c1;
SELECT id, row_number() OVER (ORDER BY id DESC) FROM numbers WHERE id > 503 ORDER BY id;
SELECT (w).id, (w).v FROM words w WHERE id = 11;
SELECT tableoid::regclass, id FROM words WHERE id = 12;
-- EXPLAIN.
SET fusion.force = on;
EXPLAIN (COSTS OFF) SELECT b, sum(n15) FROM numbers WHERE i4 > 0 GROUP BY b;
EXPLAIN (COSTS OFF, VERBOSE) SELECT n.id, w.v, n.n15 * 2 AS twice FROM numbers n JOIN words w ON w.id = n.id WHERE n.b ORDER BY n.id LIMIT 3;
CREATE FUNCTION explain_json(command text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE command INTO plan;
    RETURN (plan -> 0 -> 'Plan')::jsonb;
END $$;
SELECT p ->> 'Node Type' AS node, p ->> 'Fusion Route' AS route, p ->> 'Fusion Plan' AS plan
FROM explain_json('EXPLAIN (COSTS OFF, FORMAT JSON) SELECT count(*) FROM empty') p;
-- Of an unlogged table nothing is cached.
CREATE UNLOGGED TABLE public.uncached AS SELECT * FROM public.numbers;
IMPORT FOREIGN SCHEMA public LIMIT TO (uncached) FROM SERVER fusion INTO fast;
SELECT (p ->> 'Fusion Pages')::int BETWEEN 7 AND 8 AS pages, p -> 'Fusion Rows Decoded' AS decoded, p ? 'Fusion Plan' AS plan, p ? 'Fusion Stages' AS stages
FROM explain_json('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF, FORMAT JSON) SELECT count(*) FROM uncached') p;
DROP FOREIGN TABLE fast.uncached;
DROP TABLE public.uncached;
SELECT p ->> 'Fusion Stages' ~ '^parse [0-9.]+ ms, bind .*, exec .* ms, end' AS stages, p ->> 'Fusion Plan' ~ 'output_rows=505' AS plan
FROM explain_json('EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM numbers') p;
SET fusion.log_route = on;
SET client_min_messages = log;
SELECT count(*) FROM empty;
SELECT initcap(t) FROM empty;
RESET client_min_messages;
RESET fusion.log_route;
