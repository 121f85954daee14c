-- Parts of queries that do not translate as a whole: random() is volatile, ~ is a regular expression.

-- Subqueries in FROM: every type of column; what is around them needs their order, their rows twice, or only some of them.
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT *, random() < 2 FROM (SELECT b, count(*) AS c, sum(i2), sum(i4), sum(i8), sum(f4), sum(f8), sum(n4), avg(n0), max(n10), min(n) FROM num GROUP BY b) s;
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT * FROM (SELECT c1, min(id) AS first, max(v COLLATE "C"), max(tc), count(DISTINCT t) FROM txt GROUP BY c1) s WHERE random() < 2;
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT * FROM (SELECT d, count(ts), max(ts), min(tz) FROM tim GROUP BY d) s WHERE random() < 2;
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT s.*, s IS NULL FROM (SELECT i4, n, b FROM num WHERE id < 200) s WHERE random() < 2;
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT s FROM (SELECT dept, sum(salary) AS total, max(hired) AS last FROM emp GROUP BY dept) s WHERE random() < 2;
-- The type modifier that a client sees is the native plan's, in which the CASE is gone.
-- expect native in en_US: function random() is volatile
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT CASE WHEN s.d < date '2000-02-29' THEN NULL::numeric(20,4) * 2 ELSE NULL::numeric(20,4) END FROM (SELECT NULL::date AS d, w FROM dup WHERE w > w) s WHERE random() < 2;
-- ordered
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT t, total FROM (SELECT dept AS t, sum(salary) AS total FROM emp GROUP BY dept ORDER BY dept DESC NULLS LAST) s WHERE random() < 2;
-- ordered
-- expect partial: subquery "s" runs in the engine; not the whole: operator ~(text,text) is not supported in the engine
SELECT name, total FROM dept JOIN (SELECT dept, sum(salary) AS total FROM emp GROUP BY dept) s ON s.dept = dept.id WHERE name ~ 'e' ORDER BY name;
-- expect partial: subquery "a" and subquery "b" run in the engine; not the whole: function random() is volatile
SELECT a.dept, b.boss FROM (SELECT dept, count(*) AS c FROM emp GROUP BY dept) a LEFT JOIN (SELECT boss, count(*) AS c FROM emp GROUP BY boss) b ON a.c < b.c AND random() < 2;
-- expect partial: subquery "a" and subquery "b" run in the engine; not the whole: operator ~(text,text) is not supported in the
SELECT a.dept, b.dept FROM (SELECT dept, count(*) AS c FROM emp GROUP BY dept) a FULL JOIN (SELECT dept, max(boss) AS m FROM emp GROUP BY dept) b ON a.c = b.m WHERE coalesce(a.c, b.m)::text ~ '[0-9]';
-- expect partial: subquery "s" runs in the engine; not the whole: a function in FROM is not supported in the engine
SELECT count(*), sum(s.c), max(g) FROM generate_series(1, 7) g JOIN (SELECT i2 % 7 AS k, count(*) AS c FROM num GROUP BY 1) s ON s.k < g;
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT sum(c) OVER (ORDER BY dept), percent_rank() OVER (ORDER BY c) < 2, s.dept FROM (SELECT dept, count(*) AS c FROM emp GROUP BY dept) s WHERE random() < 2;
-- expect partial: subquery "s" runs in the engine; not the whole: operator ~(text,text) is not supported in the engine
SELECT x.dept, x.total FROM (SELECT s.dept, s.total FROM (SELECT dept, sum(salary) AS total FROM emp GROUP BY dept) s WHERE s.total::text ~ '5') x WHERE x.dept > 2;
-- expect partial: subquery "s" runs in the engine; not the whole: operator ~(text,text) is not supported in the engine
SELECT l.id, x.m FROM l, LATERAL (SELECT max(s.w) AS m FROM (SELECT l_id, sum(w) AS w FROM m GROUP BY l_id) s WHERE s.l_id = l.id AND l.s ~ 's') x;

-- Conditions around them, of this and that kind.
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT * FROM (SELECT dept, boss, count(*) AS c FROM emp GROUP BY dept, boss) s WHERE s.dept = 3 AND s.c > 1 AND random() < 2;
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT s.*, random() < 2 FROM (SELECT dept, count(*) AS c, sum(100 / (dept - 3)) AS q FROM emp GROUP BY dept) s WHERE s.dept <> 3;
-- expect native: function random() is volatile
SELECT s.* FROM (SELECT dept, count(*) AS c, sum(100 / (dept - 3)) AS q FROM emp GROUP BY dept) s WHERE s.dept <> 3 AND random() < 2;
-- expect partial: subquery "s" runs in the engine; not the whole: operator ~(text,text) is not supported in the engine
SELECT s.* FROM (SELECT dept, boss, count(*) AS c FROM emp GROUP BY dept, boss) s WHERE s.dept = 3 AND s.boss::text ~ '1';
-- expect partial: subquery "s" runs in the engine; not the whole: operator ~(text,text) is not supported in the engine
SELECT s.* FROM (SELECT k, count(*) AS c FROM r GROUP BY k) s JOIN l ON l.k = s.k WHERE l.k = 5 AND l.s ~ 's';
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT s.* FROM (SELECT k, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM r) s WHERE s.k < 4 AND s.n < 3 AND random() < 2;
-- expect partial: subquery "s" runs in the engine; not the whole: function random() is volatile
SELECT s.* FROM (SELECT id, k FROM r ORDER BY id LIMIT 10) s WHERE s.k > 3 AND random() < 2;
-- What may fail for rows that conditions leave out stays where it is.
-- expect native: function random() is volatile
SELECT s.q FROM (SELECT id, 1000 / (id - 7) AS q FROM num) s WHERE s.id <> 7 AND random() < 2;
-- expect native: operator ~(text,text) is not supported in the engine
SELECT s.q FROM (SELECT dept, 100 / (dept - 3) AS q FROM emp GROUP BY dept) s WHERE s.dept::text ~ '[^3]';
-- expect native: function random() is volatile
SELECT s.q FROM (SELECT i4 + i2 AS q FROM num) s WHERE random() < 2;

-- WITH queries.
-- expect partial: WITH query "s" runs in the engine; not the whole: function random() is volatile
WITH s AS (SELECT dept, sum(salary) AS total FROM emp GROUP BY dept) SELECT * FROM s WHERE random() < 2;
-- expect partial: WITH query "s" runs in the engine; not the whole: function random() is volatile
WITH s AS (SELECT dept, sum(salary) AS total FROM emp GROUP BY dept) SELECT a.dept, b.dept FROM s a JOIN s b ON a.total < b.total WHERE random() < 2;
-- expect partial: WITH query "s" runs in the engine; not the whole: operator ~(text,text) is not supported in the engine
WITH s AS MATERIALIZED (SELECT * FROM emp WHERE active) SELECT count(*), max(name) FROM s WHERE name ~ '1';
-- expect partial: WITH query "a" runs in the engine; not the whole: function random() is volatile
WITH a AS (SELECT dept, count(*) AS c FROM emp GROUP BY dept), b AS (SELECT c, count(*) AS d FROM a GROUP BY c) SELECT a.dept, b.d FROM a JOIN b USING (c) WHERE random() < 2;
-- expect partial: a side of a set operation and subquery "s" run in the engine; not the whole: WITH RECURSIVE is not supported i
WITH RECURSIVE t AS (SELECT max(boss) AS b FROM emp UNION SELECT s.boss FROM t JOIN (SELECT id, min(boss) AS boss FROM emp GROUP BY id) s ON s.id = t.b) SELECT * FROM t;

-- Sides of set operations.
-- expect partial: a side of a set operation runs in the engine; not the whole: operator ~(text,text) is not supported in the eng
SELECT dept, count(*) FROM emp GROUP BY dept UNION ALL SELECT length(name), 1 FROM dept WHERE name ~ 'e';
-- expect partial: a side of a set operation runs in the engine; not the whole: operator ~(text,text) is not supported in the eng
SELECT k FROM l UNION SELECT id FROM dept WHERE name ~ 'e';
-- expect partial: a side of a set operation runs in the engine; not the whole: operator ~(text,text) is not supported in the eng
SELECT n FROM l INTERSECT SELECT n FROM r WHERE s ~ 's1';
-- expect partial: a side of a set operation runs in the engine; not the whole: operator ~(text,text) is not supported in the eng
SELECT s FROM l EXCEPT ALL SELECT s FROM r WHERE s ~ '[13]';
-- expect partial: a side of a set operation runs in the engine; not the whole: operator ~(text,text) is not supported in the eng
SELECT * FROM (SELECT id, k FROM l UNION ALL SELECT id, k FROM r WHERE s ~ 's') u WHERE u.k = 4;

-- Sub-selects of expressions.
-- expect partial: a subquery in an expression runs in the engine; not the whole: operator ~(text,text) is not supported in the e
SELECT id, (SELECT sum(salary) FROM emp) FROM dept WHERE name ~ 'e';
-- expect partial: a subquery in an expression runs in the engine; not the whole: operator ~(text,text) is not supported in the e
SELECT id FROM dept WHERE EXISTS (SELECT * FROM emp WHERE salary > 4000) AND name ~ 'e';
-- expect partial: a subquery in an expression runs in the engine; not the whole: operator ~(text,text) is not supported in the e
SELECT id FROM dept WHERE id IN (SELECT dept FROM emp WHERE active) AND name ~ 'e';
-- expect partial: a subquery in an expression runs in the engine; not the whole: operator ~(text,text) is not supported in the e
SELECT id FROM dept WHERE id NOT IN (SELECT dept FROM emp WHERE dept IS NOT NULL AND dept <> 2) AND name ~ 'e';
-- expect partial: a subquery in an expression runs in the engine; not the whole: operator ~(text,text) is not supported in the e
SELECT id, id = ANY (SELECT k FROM l), id < ALL (SELECT k FROM r) FROM dept WHERE name ~ 'e';
-- expect partial: a subquery in an expression runs in the engine; not the whole: function random() is volatile
SELECT ARRAY(SELECT name FROM dept ORDER BY id), random() < 2;
-- expect partial: a subquery in an expression runs in the engine; not the whole: function random() is volatile
SELECT CASE WHEN random() > 2 THEN (SELECT sum(1 / (id - 1)) FROM dept) END;
-- Two rows where one is allowed.
-- expect error: 21000
SELECT (SELECT id FROM dept WHERE id < 3), random() < 2;
-- expect error: 22012
SELECT s.q, random() < 2 FROM (SELECT sum(100 / (id - 3)) AS q FROM dept) s;
