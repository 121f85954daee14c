--
-- GROUPING SETS, ROLLUP, CUBE and GROUPING(); VALUES.
--
\set VERBOSITY terse
SET fusion.force = on;
SELECT same(q) FROM (VALUES
    ('SELECT b, i2 % 3, count(*), sum(i4) FROM fast.numbers WHERE i2 <> -32768 GROUP BY ROLLUP (b, i2 % 3)'),
    ('SELECT b, count(*), sum(n9), avg(n15), min(id), max(f8), bool_or(b) FROM fast.numbers GROUP BY GROUPING SETS ((b), ())'),
    ('SELECT b, i2 % 3 AS m, c1, count(*), count(c1), grouping(b), grouping(i2 % 3, b, c1), grouping(c1) FROM fast.numbers n JOIN fast.words w ON n.id = w.id GROUP BY CUBE (b, i2 % 3, c1)'),
    ('SELECT b, n9, count(*) FROM fast.numbers GROUP BY GROUPING SETS ((b, n9), (b), (n9), ())'),
    -- Real NULLs are not those of a set; floats, unconstrained numerics and char(n) group by key.
    ('SELECT b, grouping(b), count(*) FROM fast.numbers GROUP BY ROLLUP (b)'),
    ('SELECT f8, b, count(*), grouping(f8) FROM fast.numbers GROUP BY GROUPING SETS (f8, b)'),
    ('SELECT n, n15, count(*) FROM fast.numbers WHERE id < 490 GROUP BY GROUPING SETS (n, n15, ())'),
    ('SELECT c, c1, v, d, count(*) FROM fast.words GROUP BY GROUPING SETS ((c, c1), (v), (d))'),
    -- A set that occurs twice counts twice, but for DISTINCT; plain expressions join every set.
    ('SELECT b, count(*) FROM fast.numbers GROUP BY GROUPING SETS (b, b, (), ())'),
    ('SELECT b, i2 % 2, count(*) FROM fast.numbers GROUP BY DISTINCT ROLLUP (b, i2 % 2), ROLLUP (b)'),
    ('SELECT b, i2 % 2, count(*) FROM fast.numbers GROUP BY ROLLUP (b, i2 % 2), ROLLUP (b)'),
    ('SELECT b, c1, v IS NULL, count(*) FROM fast.numbers n JOIN fast.words w USING (id) GROUP BY b, ROLLUP (c1), GROUPING SETS ((v IS NULL), ())'),
    ('SELECT b, i2 % 5, count(*) FROM fast.numbers GROUP BY GROUPING SETS (ROLLUP (b, i2 % 5), CUBE (b), (i2 % 5))'),
    -- Expressions above groups, HAVING, ORDER BY, DISTINCT, FILTER, windows.
    ('SELECT coalesce(i2 % 2, -1), grouping(i2 % 2) * 10 + 1, sum(i4) + 1 FROM fast.numbers GROUP BY ROLLUP (i2 % 2)') ,
    ('SELECT CASE WHEN grouping(v) = 1 THEN ''all'' ELSE v END, count(*) FROM fast.words GROUP BY ROLLUP (v) ORDER BY grouping(v), 1, 2 LIMIT 4'),
    ('SELECT i2 % 4 AS m, b, count(*) FROM fast.numbers GROUP BY CUBE (i2 % 4, b) HAVING grouping(b) = 0 AND count(*) > 30 ORDER BY 1, 2, 3'),
    ('SELECT i2 % 4 AS m, b, count(*) FROM fast.numbers GROUP BY CUBE (i2 % 4, b) HAVING b'),
    ('SELECT b, count(DISTINCT i2), sum(DISTINCT i4), count(*) FILTER (WHERE i4 > 0) FROM fast.numbers GROUP BY ROLLUP (b)'),
    ('SELECT b, count(DISTINCT i2) FROM fast.numbers GROUP BY ROLLUP (b)'),
    ('SELECT b, sum(id), rank() OVER (ORDER BY sum(id)), sum(count(*)) OVER (PARTITION BY grouping(b)) FROM fast.numbers GROUP BY ROLLUP (b) ORDER BY 2'),
    ('SELECT DISTINCT grouping(b, i2 % 2) FROM fast.numbers GROUP BY CUBE (b, i2 % 2)'),
    ('SELECT b FROM fast.numbers GROUP BY ROLLUP (b)'),
    ('SELECT i4 + i8, i4 FROM fast.numbers WHERE id < 20 GROUP BY ROLLUP (i4 + i8, i4)'),
    -- No rows: the empty set has its row.
    ('SELECT id, count(*), sum(n), count(t), grouping(id) FROM fast.empty GROUP BY ROLLUP (id)'),
    ('SELECT id, t, count(*) FROM fast.empty GROUP BY GROUPING SETS ((), (id), (), (t))'),
    ('SELECT count(*), max(t) FROM fast.empty GROUP BY ()'),
    ('SELECT id, count(*) FROM fast.empty GROUP BY GROUPING SETS (id)'),
    ('SELECT id, count(*) + 1, avg(n) FROM fast.empty GROUP BY ROLLUP (id) HAVING count(*) = 0'),
    -- In subqueries.
    ('SELECT s.m, s.c, n.id FROM (SELECT i2 % 3 AS m, count(*) AS c FROM fast.numbers GROUP BY ROLLUP (i2 % 3)) s LEFT JOIN fast.numbers n ON n.id = s.m'),
    ('SELECT id FROM fast.numbers WHERE id IN (SELECT count(*) FROM fast.words GROUP BY CUBE (c1, v))'),
    ('WITH g AS (SELECT b, i2 % 2 AS m, sum(id) AS s FROM fast.numbers GROUP BY CUBE (b, i2 % 2)) SELECT * FROM g WHERE m = 1 OR b IS NULL'),
    -- VALUES.
    ('SELECT n.id, v.x FROM fast.numbers n JOIN (VALUES (1, ''one''), (2, ''two''), (NULL, ''none''), (700, ''many'')) v (k, x) ON n.id = v.k'),
    ('SELECT v.k, count(n.id) FROM (VALUES (1), (-2), (NULL), (50)) v (k) LEFT JOIN fast.numbers n ON n.i2 = v.k GROUP BY v.k'),
    ('SELECT id FROM fast.numbers WHERE (i2, b) IN (VALUES (1::int2, true), (2, false), (3, NULL))'),
    ('SELECT id FROM fast.numbers WHERE i4 NOT IN (VALUES (1000), (2000))'),
    ('VALUES (1, 1.50), (2, 2.5) UNION ALL SELECT id, n9 FROM fast.numbers WHERE id < 10'),
    ('SELECT sum(x * n9) FROM fast.numbers, (VALUES (1.5), (2), (0.25)) v (x)'),
    ('SELECT count(*) FROM fast.numbers, (VALUES (1), (2), (3)) v (x)'),
    ('SELECT n.id, v.d FROM fast.words n JOIN (VALUES (date ''2000-01-05''), (current_date), (''infinity'')) v (d) USING (d)'),
    ('WITH v (a, b) AS (VALUES (1, ''x''::text), (2, NULL)) SELECT * FROM v JOIN fast.numbers n ON n.id = v.a'),
    ('SELECT id, (SELECT 1 + 1), (SELECT max(x) FROM (VALUES (3), (5)) v (x)) FROM fast.numbers WHERE id < 4')
) q(q);
-- GROUP BY a primary key that every set has: other columns depend on it.
CREATE TABLE keyed (k int PRIMARY KEY, s text, x int);
INSERT INTO keyed SELECT g, 's' || g % 3, g % 5 FROM generate_series(1, 20) g;
CREATE FOREIGN TABLE fast.keyed (k int NOT NULL, s text, x int) SERVER fusion OPTIONS (schema_name 'public', table_name 'keyed');
SELECT same('SELECT x, s, count(*) FROM fast.keyed GROUP BY GROUPING SETS ((x, s), (s))');
PREPARE some_values (int, text) AS SELECT n.id, v.x FROM fast.numbers n JOIN (VALUES ($1, $2), ($1 + 1, 'next')) v (k, x) ON n.id = v.k ORDER BY 1;
SET fusion.fallback = off;
EXECUTE some_values (3, 'three');
EXECUTE some_values (3, NULL);
RESET fusion.fallback;
SELECT q, reason FROM (VALUES
    ('SELECT 1, count(*) FROM fast.numbers GROUP BY ROLLUP (1, b)'),
    ('SELECT u, count(*) FROM fast.words GROUP BY ROLLUP (u)'),
    ('SELECT x FROM fast.words, LATERAL (VALUES (id), (id + 1)) v (x)')
) q(q), fusion.explain_route(q);
DROP FOREIGN TABLE fast.keyed;
DROP TABLE keyed;
