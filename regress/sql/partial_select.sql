--
-- Parts of a query that does not translate as a whole: subqueries, WITH queries, sides of set operations, sub-selects of expressions.
--
SET fusion.force = on;
SET fusion.fallback = off;

-- Runs a query in parts and natively. Rows compare in order if the query orders them, else as a multiset.
CREATE FUNCTION parts_same(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    decision record;
    native text[];
    engine text[];
BEGIN
    SELECT * INTO decision FROM fusion.explain_route(query);
    IF decision.route <> 'partial' THEN
        RETURN decision.route || ': ' || coalesce(decision.reason, '');
    END IF;
    engine := rows_of(query);
    PERFORM set_config('fusion.enabled', 'off', true);
    native := rows_of(query);
    PERFORM set_config('fusion.enabled', 'on', true);
    IF query !~* '\morder by [^)]*$' THEN
        SELECT array_agg(r ORDER BY r) INTO engine FROM unnest(engine) r;
        SELECT array_agg(r ORDER BY r) INTO native FROM unnest(native) r;
    END IF;
    IF engine IS DISTINCT FROM native THEN
        RETURN format('DIFFERENT: engine %s, native %s', engine[1:20], native[1:20]);
    END IF;
    RETURN format('equal, %s rows: %s', coalesce(cardinality(native), 0), decision.reason);
END $$;

-- The nodes of a plan, without what differs between the majors.
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ '^\S|->|CTE|Fusion Route' THEN
            RETURN NEXT line;
        END IF;
    END LOOP;
END $$;

-- Subqueries in FROM.
EXPLAIN (COSTS OFF) SELECT s.b, s.total, random() < 2 AS yes FROM (SELECT b, sum(n15) AS total FROM fast.numbers GROUP BY b) s;
EXPLAIN (COSTS OFF, VERBOSE) SELECT regexp_replace(s.v, '\d', 'x'), s.c FROM (SELECT v, count(*) AS c, sum(id) AS unused FROM fast.words GROUP BY v) s WHERE s.c > 5;
SELECT parts_same('SELECT s.b, s.total, random() < 2 AS yes FROM (SELECT b, sum(n15) AS total FROM fast.numbers GROUP BY b) s');
SELECT parts_same('SELECT regexp_replace(s.v, ''\d'', ''x''), s.c FROM (SELECT v, count(*) AS c FROM fast.words GROUP BY v) s WHERE s.c > 5 ORDER BY s.v');
SELECT parts_same('SELECT s.total, w.j FROM (SELECT i2, sum(i4) AS total FROM fast.numbers GROUP BY i2) s JOIN words w ON w.id = s.i2 WHERE w.j @> ''{"k": 7}''');
SELECT parts_same('SELECT s.*, v.total FROM (SELECT id, i4, n15 * 2 AS twice FROM fast.numbers WHERE b) s, (SELECT max(d) AS total FROM fast.words) v WHERE s.id::text ~ ''^1''');
SELECT parts_same('SELECT s FROM (SELECT b, count(*) AS c, min(d) AS first FROM fast.numbers JOIN fast.words USING (id) GROUP BY b) s WHERE random() < 2');
SELECT parts_same('SELECT (s).c FROM (SELECT b, count(*) AS c FROM fast.numbers GROUP BY b) s WHERE s IS NOT NULL AND random() < 2');
-- A part in a part that does not translate; several parts; a part twice; below an outer join, a window, an aggregate, DISTINCT, LIMIT.
SELECT parts_same('SELECT max(t.x) FROM (SELECT regexp_replace(s.v, ''v'', ''w'') AS x FROM (SELECT v FROM fast.words GROUP BY v HAVING count(*) > 2) s) t');
SELECT parts_same('SELECT a.b, a.c, z.c AS d FROM (SELECT b, count(*) AS c FROM fast.numbers GROUP BY b) a LEFT JOIN (SELECT i2 > 0 AS b, count(*) AS c FROM fast.numbers GROUP BY 1) z ON z.b = a.b AND random() < 2');
SELECT parts_same('SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY c) FROM (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) s');
SELECT parts_same('SELECT s.c1, g FROM (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) s, generate_series(1, s.c) g WHERE g < 4');
SELECT parts_same('SELECT s.i2, s.c FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2 ORDER BY c DESC, i2 LIMIT 10 OFFSET 2) s WHERE s.i2::text ~ ''1'' ORDER BY s.i2');
SELECT parts_same('SELECT id FROM (SELECT id, i4 FROM fast.numbers WHERE i4 IS NOT NULL ORDER BY i4 DESC) s WHERE id::text ~ ''^[1-3]'' LIMIT 20');
SELECT parts_same('SELECT DISTINCT s.b IS NULL, random() < 2 FROM (SELECT b, max(i8) FROM fast.numbers GROUP BY b) s');
-- No columns of it are wanted; one column is wanted, another would fail.
SELECT parts_same('SELECT count(*), random() < 2 FROM (SELECT i2 FROM fast.numbers GROUP BY i2) s');
SELECT parts_same('SELECT s.i2, random() < 2 FROM (SELECT i2, sum(1 / (id - 1)) FROM fast.numbers GROUP BY i2) s');
-- Conditions on it go into it, also those that follow from others; what PostgreSQL leaves above stays above.
EXPLAIN (COSTS OFF, VERBOSE) SELECT s.* FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s JOIN words w ON w.id = s.i2 WHERE w.id = 7 AND s.c < 100 AND w.j @> '{}';
SELECT parts_same('SELECT s.*, w.u FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s JOIN words w ON w.id = s.i2 WHERE w.id = 7 AND w.j @> ''{}''');
SELECT parts_same('SELECT s.i2, s.q, random() < 2 FROM (SELECT i2, sum(1 / (i2 + 5)) AS q FROM fast.numbers GROUP BY i2) s WHERE s.i2 <> -5');
EXPLAIN (COSTS OFF) SELECT s.* FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s WHERE s.i2 > 90 AND s.i2::text ~ '1' AND s.c < 5;
SELECT parts_same('SELECT s.* FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s WHERE s.i2 > 90 AND s.i2::text ~ ''1'' AND s.c < 5');
SELECT parts_same('SELECT s.* FROM (SELECT i2, sum(1 / (i2 + 5)) AS q FROM fast.numbers GROUP BY i2) s WHERE s.i2 <> -5 AND s.q = (SELECT w.a[3] + 5 FROM words w WHERE w.id = s.i2)');
SELECT parts_same('SELECT s.* FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s WHERE s.c = (SELECT max(a[1]) FROM words WHERE a[1] < 4)');
-- What PostgreSQL computes behind conditions must not fail in the engine before them.
SELECT parts_same('SELECT s.q, random() < 2 FROM (SELECT id, 100 / (id - 3) AS q FROM fast.numbers) s WHERE s.id <> 3');
SELECT parts_same('SELECT CASE WHEN s.id <> 3 AND random() < 2 THEN s.q END FROM (SELECT id, 100 / (id - 3) AS q FROM fast.numbers) s');
SELECT parts_same('SELECT s.q, random() < 2 FROM (SELECT i2, sum(1 / (i2 + 5)) AS q FROM fast.numbers GROUP BY i2) s WHERE s.i2::text ~ ''1''');

-- Nor must planning a sub-select by itself.
SELECT parts_same('SELECT CASE WHEN false THEN (SELECT 1 / 0 FROM fast.numbers) ELSE 1 END, s.c, random() < 2 FROM (SELECT count(*) AS c FROM fast.numbers) s');
SELECT parts_same('SELECT n.id, s.c, random() < 2 FROM fast.words n JOIN (SELECT w.id AS a, n.i4, n.i4 + 1 AS c FROM fast.words w FULL JOIN fast.numbers n ON n.b) s ON n.id = s.a AND s.i4 = 1000');

-- WITH queries: inlined, materialized, used several times, nested, recursive around.
EXPLAIN (COSTS OFF) WITH s AS (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) SELECT a.c1, random() < 2 FROM s a JOIN s b USING (c);
SELECT parts_same('WITH s AS (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) SELECT s.*, random() < 2 FROM s');
SELECT parts_same('WITH s AS MATERIALIZED (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) SELECT s.*, random() < 2 FROM s WHERE s.c > 50');
SELECT parts_same('WITH s AS (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) SELECT a.c1, b.c1 AS d, random() < 2 FROM s a JOIN s b USING (c)');
SELECT parts_same('WITH s AS NOT MATERIALIZED (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) SELECT a.c1, b.c1 AS d, random() < 2 FROM s a JOIN s b USING (c) WHERE b.c1 > ''A''');
SELECT parts_same('WITH s AS (SELECT i2, sum(i4) AS t FROM fast.numbers GROUP BY i2), u AS (SELECT max(t) AS m FROM s), v AS (SELECT min(t) AS m FROM s) SELECT u.m, v.m, random() < 2 FROM u, v');
SELECT parts_same('WITH s AS (SELECT i2, 1 / (i2 - 1) AS unwanted, count(*) AS c FROM fast.numbers GROUP BY i2) SELECT s.c, random() < 2 FROM s');
SELECT parts_same('WITH RECURSIVE r AS (SELECT max(id) AS x FROM fast.numbers UNION ALL SELECT x - (SELECT count(*) FROM fast.words WHERE c1 = ''A'')::int FROM r WHERE x > 0) SELECT * FROM r');
SELECT parts_same('WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT s.m FROM r JOIN (SELECT i2, max(i2) + 1 AS m FROM fast.numbers WHERE i2 > 0 GROUP BY i2) s ON s.i2 = r.x) SELECT count(*) FROM r');
SELECT parts_same('WITH unused AS (SELECT sum(id) FROM fast.numbers), s AS (SELECT count(*) AS c FROM fast.words) SELECT c, random() < 2 FROM s');

-- Sides of set operations.
EXPLAIN (COSTS OFF) SELECT b, count(*) FROM fast.numbers GROUP BY b UNION ALL SELECT t ~ 'a', count(*) FROM fast.words GROUP BY 1;
SELECT parts_same('SELECT b, count(*) FROM fast.numbers GROUP BY b UNION ALL SELECT t ~ ''a'', count(*) FROM fast.words GROUP BY 1');
SELECT parts_same('SELECT id + 1 FROM fast.numbers WHERE id < 100 UNION SELECT id FROM fast.words WHERE t ~ ''b''');
SELECT parts_same('SELECT i2 FROM fast.numbers INTERSECT SELECT id FROM words WHERE t ~ ''b'' ORDER BY 1');
SELECT parts_same('SELECT i2::numeric FROM fast.numbers EXCEPT ALL SELECT a[1] FROM words ORDER BY 1');
SELECT parts_same('SELECT * FROM (SELECT id, i4 FROM fast.numbers UNION ALL SELECT id, a[1] FROM words) s WHERE s.id BETWEEN 5 AND 8');
SELECT parts_same('(SELECT v FROM fast.words ORDER BY v, id LIMIT 5) UNION ALL SELECT regexp_replace(v, ''v'', ''w'') FROM fast.words WHERE id < 5');

-- Sub-selects of expressions.
SELECT plan_of('SELECT id, (SELECT max(n15) FROM fast.numbers) FROM words WHERE EXISTS (SELECT * FROM fast.numbers WHERE i4 > 200000) AND id NOT IN (SELECT i2 FROM fast.numbers WHERE i2 > 3) AND t ~ ''a''');
SELECT parts_same('SELECT id, (SELECT max(n15) FROM fast.numbers) FROM words WHERE t ~ ''a''');
SELECT parts_same('SELECT id FROM words WHERE id IN (SELECT i2 FROM fast.numbers GROUP BY i2 HAVING count(*) > 1) AND t ~ ''a''');
SELECT parts_same('SELECT id FROM words WHERE id NOT IN (SELECT i2 FROM fast.numbers WHERE i2 > 3) AND t ~ ''a''');
SELECT parts_same('SELECT id FROM words WHERE id > ALL (SELECT i2 FROM fast.numbers WHERE i2 BETWEEN 1 AND 90) AND t ~ ''a''');
SELECT parts_same('SELECT id, EXISTS (SELECT 1 / 0 FROM fast.numbers WHERE i4 > 200000), NOT EXISTS (SELECT FROM fast.numbers WHERE i4 > 300000) FROM words WHERE t ~ ''a''');
SELECT parts_same('SELECT ARRAY(SELECT i2 FROM fast.numbers WHERE id < 10 ORDER BY id), random() < 2');
SELECT parts_same('SELECT (id, a[1]) IN (SELECT id, i2 FROM fast.numbers) FROM words WHERE t ~ ''a''');
SELECT parts_same('SELECT (SELECT ROW(min(i2), max(i2)) FROM fast.numbers), random() < 2');
SELECT parts_same('SELECT CASE WHEN random() > 2 THEN (SELECT sum(1 / (i2 - i2)) FROM fast.numbers) END');
SELECT parts_same('SELECT c1, count(*) FROM words GROUP BY c1 HAVING count(*) > (SELECT min(i2) FROM fast.numbers) AND bool_or(t ~ ''a'') ORDER BY c1');
-- In a sub-select that is run for each row.
SELECT plan_of('SELECT w.id, (SELECT max(s.c) FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s WHERE s.i2 <> w.id AND w.t ~ ''a'') FROM words w');
SELECT parts_same('SELECT w.id, (SELECT max(s.c) FROM (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s WHERE s.i2 < w.id AND w.t ~ ''a'') FROM words w');
SELECT parts_same('SELECT w.id FROM words w WHERE (SELECT w.t ~ ''a'' AND count(*) > 3 FROM words x WHERE x.id < w.id AND x.id IN (SELECT i2 FROM fast.numbers GROUP BY i2))');

-- Nested loops and merge joins above parts.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT plan_of('SELECT w.id, s.c FROM words w JOIN (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s ON s.i2 = w.id WHERE w.t ~ ''a''');
SELECT plan_of('SELECT a.c1, b.c1 FROM (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) a JOIN (SELECT c1, min(id) AS m FROM fast.words GROUP BY c1) b ON a.c > b.m AND random() < 2');
SELECT parts_same('SELECT w.id, s.c FROM words w JOIN (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s ON s.i2 = w.id WHERE w.t ~ ''a''');
SELECT parts_same('SELECT a.c1, b.c1 FROM (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) a JOIN (SELECT c1, min(id) AS m FROM fast.words GROUP BY c1) b ON a.c > b.m AND random() < 2');
SET enable_nestloop = off;
RESET enable_mergejoin;
SELECT parts_same('SELECT w.id, s.c FROM words w FULL JOIN (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s ON s.i2 = w.id AND s.i2 = w.a[1]');
SELECT parts_same('SELECT a.c1, b.m FROM (SELECT c1, count(*) AS c FROM fast.words GROUP BY c1) a JOIN (SELECT c1, min(id) AS m FROM fast.words GROUP BY c1) b ON a.c1 = b.c1 AND random() < 2');
RESET enable_hashjoin;
RESET enable_nestloop;

-- Views, their own and their rights; security barriers.
CREATE VIEW totals AS SELECT b, sum(n15) AS total, count(*) AS c FROM fast.numbers GROUP BY b;
CREATE VIEW odd_totals AS SELECT b, total, random() < 2 AS yes FROM totals;
CREATE VIEW closed WITH (security_barrier) AS SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2;
SELECT parts_same('SELECT b, total, random() < 2 FROM totals');
SELECT parts_same('SELECT * FROM odd_totals WHERE b');
SELECT parts_same('SELECT i2, c FROM closed WHERE i2 = 3 AND random() < 2');
CREATE ROLE fusion_part;
GRANT USAGE ON SCHEMA fast TO fusion_part;
GRANT SELECT ON odd_totals TO fusion_part;
SET ROLE fusion_part;
SELECT b, yes FROM odd_totals ORDER BY b;
SELECT b, random() < 2 FROM (SELECT b, count(*) FROM fast.numbers GROUP BY b) s;
RESET ROLE;
GRANT SELECT (id, b) ON fast.numbers TO fusion_part;
SET ROLE fusion_part;
SELECT b, random() < 2 FROM (SELECT b, count(*) FROM fast.numbers GROUP BY b) s;
RESET ROLE;
GRANT SELECT (id, b) ON numbers TO fusion_part;
SET ROLE fusion_part;
SELECT b, random() < 2 AS yes FROM (SELECT b, count(*) FROM fast.numbers GROUP BY b) s ORDER BY b;
-- Also where the planner finds that a part is not needed.
SELECT random() < 2 FROM (SELECT b, max(i2) FROM fast.numbers GROUP BY b) s WHERE false;
SELECT EXISTS (SELECT i4 FROM fast.numbers), random() < 2;
RESET ROLE;

-- Row security: each role has its plan.
CREATE TABLE guarded (id int, owner text);
INSERT INTO guarded SELECT g, CASE WHEN g % 2 = 0 THEN 'fusion_part' ELSE 'other' END FROM generate_series(1, 100) g;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (owner = current_user);
IMPORT FOREIGN SCHEMA public LIMIT TO (guarded) FROM SERVER fusion INTO fast;
GRANT SELECT ON guarded, fast.guarded, fast.numbers, numbers TO fusion_part;
PREPARE counts AS SELECT g.c, n.c, random() < 2 FROM (SELECT count(*) AS c FROM fast.guarded) g, (SELECT count(*) AS c FROM fast.numbers) n;
EXECUTE counts;
SET ROLE fusion_part;
EXECUTE counts;
SELECT * FROM fusion.explain_route('SELECT g.c, n.c, random() < 2 FROM (SELECT count(*) AS c FROM fast.guarded) g, (SELECT count(*) AS c FROM fast.numbers) n');
RESET ROLE;
EXECUTE counts;
DEALLOCATE counts;

-- Generic plans: parameters, also in conditions that go into the part; changes of tables.
SET plan_cache_mode = force_generic_plan;
CREATE TABLE moved AS SELECT id, i4 FROM numbers;
IMPORT FOREIGN SCHEMA public LIMIT TO (moved) FROM SERVER fusion INTO fast;
PREPARE part (int, int) AS SELECT s.k, s.c, random() < 2 AS yes FROM (SELECT id % 3 AS k, count(*) AS c FROM fast.moved WHERE id > $1 GROUP BY 1) s WHERE s.k <> $2 ORDER BY s.k;
SELECT plan_of('EXECUTE part (100, 1)');
EXECUTE part (100, 1);
EXECUTE part (400, 0);
EXECUTE part (NULL, 0);
ALTER TABLE moved DROP COLUMN i4;
EXECUTE part (100, 1);
ALTER FOREIGN TABLE fast.moved DROP COLUMN i4;
EXECUTE part (100, 1);
DROP TABLE moved;
EXECUTE part (100, 1);
DROP FOREIGN TABLE fast.moved;
EXECUTE part (100, 1);
DEALLOCATE part;
RESET plan_cache_mode;

-- Cursors, and a query that is not read to its end.
BEGIN;
DECLARE forwards CURSOR FOR SELECT s.i2, random() < 2 FROM (SELECT i2, count(*) FROM fast.numbers GROUP BY i2 ORDER BY i2) s;
DECLARE scrolling SCROLL CURSOR FOR SELECT s.i2, random() < 2 FROM (SELECT i2, count(*) FROM fast.numbers GROUP BY i2 ORDER BY i2) s;
FETCH 3 FROM forwards;
FETCH 3 FROM scrolling;
FETCH BACKWARD 2 FROM scrolling;
FETCH LAST FROM scrolling;
FETCH FIRST FROM scrolling;
FETCH 2 FROM forwards;
FETCH BACKWARD 1 FROM forwards;
ROLLBACK;
SELECT s.i2 FROM (SELECT i2, count(*) FROM fast.numbers GROUP BY i2 ORDER BY i2) s WHERE random() < 2 LIMIT 2;

-- Statements that write: their sources.
CREATE TABLE target (k int PRIMARY KEY, v numeric, note text);
INSERT INTO target SELECT g, g FROM generate_series(-20, 20) g;
SELECT plan_of('UPDATE target SET v = s.total FROM (SELECT i2, sum(n15) AS total FROM fast.numbers GROUP BY i2) s WHERE s.i2 = k AND k < 5');
WITH u AS (UPDATE target SET v = s.total FROM (SELECT i2, sum(n15) AS total FROM fast.numbers GROUP BY i2) s WHERE s.i2 = k AND k < 5 RETURNING k, v = (SELECT sum(n15) FROM numbers WHERE i2 = k) AS right) SELECT count(*), bool_and(u.right) FROM u;
UPDATE target SET (v, note) = (SELECT count(*), max(v) FROM fast.words), k = k WHERE k = 20 RETURNING *;
SELECT plan_of('DELETE FROM target USING (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s WHERE s.i2 = k AND s.c > 2');
WITH d AS (DELETE FROM target USING (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) s WHERE s.i2 = k AND s.c > 2 RETURNING k, s) SELECT * FROM d ORDER BY k;
WITH d AS (DELETE FROM target WHERE k > (SELECT count(*) / 20 FROM fast.words) OR k IN (SELECT id FROM fast.words WHERE id < 3) RETURNING k) SELECT * FROM d ORDER BY k;
SELECT * FROM fusion.explain_route('DELETE FROM target WHERE k > (SELECT count(*) / 20 FROM fast.words)');
MERGE INTO target USING (SELECT i2, max(i4) AS m FROM fast.numbers WHERE i2 BETWEEN -12 AND -8 GROUP BY i2) s ON s.i2 = k WHEN MATCHED THEN UPDATE SET note = 'merged ' || m WHEN NOT MATCHED THEN INSERT VALUES (s.i2, s.m, 'new');
SELECT * FROM target WHERE note IS NOT NULL ORDER BY k;
SELECT * FROM fusion.explain_route('MERGE INTO target USING (SELECT i2, max(i4) AS m FROM fast.numbers GROUP BY i2) s ON s.i2 = k WHEN MATCHED THEN UPDATE SET v = m');
-- WITH: data-modifying, and of INSERT; an INSERT whose SELECT does not translate; VALUES with a subquery.
WITH s AS (SELECT i2, count(*) AS c FROM fast.numbers WHERE i2 > 50 GROUP BY i2), w AS (INSERT INTO target SELECT i2, c FROM s WHERE i2 < 54 RETURNING k, v) SELECT *, (SELECT count(*) FROM s) FROM w ORDER BY k;
SELECT * FROM fusion.explain_route('WITH s AS (SELECT i2, count(*) AS c FROM fast.numbers GROUP BY i2) INSERT INTO target SELECT i2, c FROM s');
SELECT * FROM fusion.explain_route('INSERT INTO target SELECT i2, random() FROM (SELECT i2, count(*) FROM fast.numbers GROUP BY i2) s');
WITH i AS (INSERT INTO target SELECT i2, c, regexp_replace('x' || c, 'x', 'y') FROM (SELECT i2, count(*) AS c FROM fast.numbers WHERE i2 > 95 GROUP BY i2) s RETURNING *) SELECT * FROM i ORDER BY k;
INSERT INTO target VALUES (1000, (SELECT max(n15) FROM fast.numbers)) RETURNING *;
-- The part reads what was there before the statement.
IMPORT FOREIGN SCHEMA public LIMIT TO (target) FROM SERVER fusion INTO fast;
WITH u AS (UPDATE target SET v = s.c FROM (SELECT count(*) AS c, sum(v) FROM fast.target) s RETURNING (SELECT count(*) FROM fast.target) = s.c AS same) SELECT DISTINCT same FROM u;
SELECT DISTINCT v = (SELECT count(*) FROM target) AS same FROM target;
-- Into a fusion table nothing is written.
UPDATE fast.target SET v = s.c FROM (SELECT count(*) AS c FROM fast.numbers) s;

-- The engine fails in a part: the part's own native plan takes over, or its error is PostgreSQL's.
SELECT s.q, random() < 2 FROM (SELECT sum(n30 * n30 * n30) AS q FROM fast.numbers WHERE id > 500) s;
RESET fusion.fallback;
SELECT s.q, random() < 2 AS yes FROM (SELECT sum(n30 * n30 * n30) AS q FROM fast.numbers WHERE id BETWEEN 500 AND 502) s;
SELECT * FROM error_of('SELECT s.q, random() FROM (SELECT sum(1 / (i2 - 1)) AS q FROM fast.numbers) s');
SET fusion.fallback = off;
-- It might not have come to the row that fails.
SELECT * FROM fusion.explain_route('SELECT s.q, random() FROM (SELECT i2, 1 / (i2 + 100) AS q FROM fast.numbers GROUP BY i2 ORDER BY i2 DESC) s LIMIT 3');
SELECT parts_same('SELECT s.i2, s.q, random() < 2 FROM (SELECT i2, 1 / (i2 + 7) AS q FROM fast.numbers WHERE i2 <> -7 GROUP BY i2) s ORDER BY q, s.i2 LIMIT 3');

-- Where the whole is not to run in the engine, no part is.
SET fusion.enabled = off;
SELECT * FROM fusion.explain_route('SELECT b, random() FROM (SELECT b, count(*) FROM fast.numbers GROUP BY b) s');
RESET fusion.enabled;
RESET fusion.force;
SELECT * FROM fusion.explain_route('SELECT b, random() FROM (SELECT b, count(*) FROM fast.numbers GROUP BY b) s');
SET fusion.min_cost = 0;
SELECT * FROM fusion.explain_route('SELECT b, random() FROM (SELECT b, count(*) FROM fast.numbers GROUP BY b) s');
RESET fusion.min_cost;
-- By estimates: an aggregation of many rows, but not of a few that an index finds.
CREATE TABLE many AS SELECT g AS id, g % 1000 AS k, g::numeric(12,2) AS v, g::numeric / 7 AS w FROM generate_series(1, 300000) g;
CREATE INDEX ON many (k);
VACUUM ANALYZE many;
IMPORT FOREIGN SCHEMA public LIMIT TO (many) FROM SERVER fusion INTO fast;
SELECT * FROM fusion.explain_route('SELECT k, total, random() FROM (SELECT k, sum(v) AS total, avg(w), min(v), max(w), sum(w * v) FROM fast.many GROUP BY k) s');
SELECT * FROM fusion.explain_route('SELECT k, total, random() FROM (SELECT k, sum(v) AS total, avg(w) AS a, min(v) AS b, max(w) AS c, sum(w * v) AS d FROM fast.many GROUP BY k) s WHERE a + b + c + d > 0');
SELECT * FROM fusion.explain_route('SELECT k, total, random() FROM (SELECT k, sum(v) AS total, avg(w) AS a, min(v) AS b, max(w) AS c, sum(w * v) AS d FROM fast.many GROUP BY k) s WHERE a + b + c + d > 0 AND k = 5');
DROP FOREIGN TABLE fast.many;
DROP TABLE many;
SET fusion.force = on;
-- fusion.transparent.
SET fusion.transparent = on;
SELECT parts_same('SELECT s.b, s.c, random() < 2 FROM (SELECT b, count(*) AS c FROM numbers GROUP BY b) s');
RESET fusion.transparent;
-- What is no part: it depends on what is around, is volatile, or locks rows.
SELECT * FROM fusion.explain_route('SELECT w.id, random(), (SELECT count(*) FROM fast.numbers n WHERE n.id = w.id) FROM fast.words w');
SELECT * FROM fusion.explain_route('SELECT s.x FROM (SELECT random() AS x FROM fast.numbers) s');
SELECT * FROM fusion.explain_route('SELECT s.id FROM (SELECT id FROM fast.numbers FOR UPDATE) s');
SELECT * FROM fusion.explain_route('SELECT count(*), random() FROM fast.numbers');

DROP FOREIGN TABLE fast.guarded, fast.target;
DROP VIEW odd_totals, totals, closed;
DROP TABLE guarded, target;
DROP OWNED BY fusion_part;
DROP ROLE fusion_part;
DROP FUNCTION parts_same, plan_of;
