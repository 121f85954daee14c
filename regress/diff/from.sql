-- WITH, views, subqueries in FROM, LATERAL, VALUES, functions in FROM.
WITH x AS (SELECT id, k FROM l WHERE k > 3) SELECT * FROM x;
WITH x AS (SELECT id, k FROM l) SELECT x.id, r.id FROM x JOIN r ON r.k = x.k;
WITH x AS (SELECT id, k FROM l WHERE k > 3) SELECT a.id, b.id FROM x a JOIN x b ON a.k = b.k;
WITH x AS (SELECT k, count(*) AS c FROM l GROUP BY k) SELECT * FROM x WHERE c = (SELECT max(c) FROM x);
WITH x AS (SELECT k, count(*) AS c FROM l GROUP BY k), y AS (SELECT k, c FROM x WHERE c > 2) SELECT x.k, y.c FROM x LEFT JOIN y USING (k);
WITH x AS (SELECT k FROM l), y AS (SELECT k FROM x WHERE k < 5), z AS (SELECT k FROM y UNION ALL SELECT k FROM x) SELECT k, count(*) FROM z GROUP BY k;
WITH x AS MATERIALIZED (SELECT id, k FROM l) SELECT * FROM x WHERE k = 5;
WITH x AS NOT MATERIALIZED (SELECT id, k FROM l) SELECT a.id FROM x a, x b WHERE a.id = b.k;
WITH x AS MATERIALIZED (SELECT k, sum(n) AS s FROM r GROUP BY k) SELECT a.k, b.k FROM x a, x b WHERE a.s = b.s AND a.k < b.k;
WITH x AS (SELECT id FROM num WHERE i4 > 0) SELECT count(*) FROM x;
WITH x AS (SELECT id FROM l) SELECT 1 FROM one;
WITH x AS (SELECT id, k FROM l) SELECT id FROM r WHERE k IN (SELECT k FROM x) AND id NOT IN (SELECT id FROM x WHERE id > 20);
WITH x AS (SELECT id, k FROM l) SELECT id, (SELECT count(*) FROM x WHERE x.k = r.k), (SELECT max(id) FROM x) FROM r;
WITH x AS (SELECT id, k FROM l ORDER BY n DESC NULLS LAST, id LIMIT 5) SELECT r.id, x.id FROM r LEFT JOIN x ON x.k = r.k;
WITH x(a, b) AS (SELECT id, k + 1 FROM l) SELECT a, b FROM x WHERE b > 4;
WITH x AS (WITH y AS (SELECT k FROM r) SELECT k, count(*) AS c FROM y GROUP BY k) SELECT * FROM x WHERE c > 1;
WITH x AS (SELECT k FROM l) SELECT * FROM (WITH x AS (SELECT id FROM r WHERE id < 3) SELECT * FROM x) y, (SELECT max(k) FROM x) z;
WITH revenue AS (SELECT emp AS who, sum(amount) AS total FROM sales GROUP BY emp) SELECT e.id, e.name, v.total FROM emp e, revenue v WHERE e.id = v.who AND v.total = (SELECT max(total) FROM revenue WHERE who IN (SELECT id FROM emp));
WITH a AS (SELECT dept, avg(salary) AS m FROM emp GROUP BY dept) SELECT e.id FROM emp e JOIN a ON a.dept IS NOT DISTINCT FROM e.dept WHERE e.salary > a.m;
-- expect partial: a side of a set operation runs in the engine; not the whole: WITH RECURSIVE is not supported in the engine
WITH RECURSIVE t AS (SELECT id, parent, 1 AS depth FROM tree WHERE parent IS NULL UNION ALL SELECT c.id, c.parent, t.depth + 1 FROM tree c JOIN t ON c.parent = t.id) SELECT * FROM t;
-- expect partial: a side of a set operation runs in the engine; not the whole: WITH RECURSIVE is not supported in the engine
WITH RECURSIVE t AS (SELECT id, parent FROM tree WHERE id = 37 UNION SELECT p.id, p.parent FROM tree p JOIN t ON t.parent = p.id) SELECT count(*) FROM t;
-- expect native: WITH RECURSIVE is not supported in the engine
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT l.id, t.n FROM l JOIN t ON t.n = l.k;
SELECT * FROM v_emp;
SELECT department, count(*) FROM v_emp WHERE salary > 2000 GROUP BY department;
SELECT v.name, p.mean FROM v_emp v JOIN v_pay p ON p.dept = v.id;
SELECT * FROM v_pay WHERE heads > 10;
SELECT a.dept, b.dept FROM v_pay a JOIN v_pay b ON a.heads = b.heads AND a.dept < b.dept;
SELECT * FROM v_busy;
SELECT count(*) FROM v_all;
SELECT name, count(*) FROM v_all GROUP BY name HAVING count(*) > 1;
SELECT * FROM v_barrier WHERE salary > 3000;
SELECT * FROM v_top;
SELECT v.id, s.amount FROM v_top v JOIN sales s ON s.emp = v.id WHERE s.amount > 300;
SELECT * FROM v_nested WHERE n > 3;
SELECT d.name FROM dept d WHERE d.name IN (SELECT department FROM v_nested WHERE top > 4000);
SELECT * FROM (SELECT id, k FROM l WHERE k > 3) x WHERE x.id > 10;
SELECT * FROM (SELECT k, sum(n) AS s FROM l GROUP BY k) x WHERE s > 5;
SELECT * FROM (SELECT DISTINCT k, s FROM l) x JOIN (SELECT DISTINCT k FROM r) y USING (k);
SELECT max(c) FROM (SELECT count(*) AS c FROM l GROUP BY k) x;
SELECT c, count(*) FROM (SELECT e.id, count(s.id) AS c FROM emp e LEFT JOIN sales s ON s.emp = e.id AND s.region <> 'NO' GROUP BY e.id) x GROUP BY c;
SELECT x.id FROM (SELECT id FROM l ORDER BY id LIMIT 10) x JOIN (SELECT id FROM r ORDER BY id DESC LIMIT 30) y USING (id);
SELECT * FROM (SELECT id FROM l ORDER BY n DESC NULLS LAST, id OFFSET 3 LIMIT 4) x;
SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT id + 1 AS i FROM l) a WHERE i > 5) b WHERE i < 20) c;
SELECT x.b, y.b FROM (SELECT id AS a, k AS b FROM l) x, (SELECT id AS a, k AS b FROM r) y WHERE x.a = y.a;
SELECT a, 'x' || b AS c FROM (SELECT id, s FROM l) x(a, b) WHERE b IS NOT NULL;
SELECT l.id, x.c FROM l, LATERAL (SELECT count(*) AS c FROM r WHERE r.k = l.k) x;
SELECT l.id, x.id FROM l, LATERAL (SELECT r.id FROM r WHERE r.k = l.k) x;
SELECT l.id, x.m FROM l JOIN LATERAL (SELECT min(r.n) AS m FROM r WHERE r.k = l.k AND r.id < 0) x ON l.n = x.m;
SELECT l.id, x.m FROM l, LATERAL (SELECT min(r.k) AS m FROM r WHERE r.n > l.n) x WHERE l.k = x.m;
SELECT t1.id FROM tim t1 JOIN LATERAL (SELECT min(t3.d + 11) AS c0 FROM zero t3 LEFT JOIN dup t4 ON t3.k NOT IN (3, 7) WHERE t3.d + 31 BETWEEN date '2000-03-02' AND t1.ts::date) t2 ON t1.d = t2.c0;
SELECT l.id, x.id FROM l LEFT JOIN LATERAL (SELECT r.id FROM r WHERE r.k = l.k AND r.n > l.n) x ON true;
SELECT l.id, x.id FROM l CROSS JOIN LATERAL (SELECT r.id FROM r WHERE r.k = l.k ORDER BY r.id LIMIT 2) x;
SELECT l.id, x.id FROM l LEFT JOIN LATERAL (SELECT r.id FROM r WHERE r.k = l.k ORDER BY r.n DESC NULLS LAST, r.id LIMIT 1) x ON true;
SELECT l.id, x.m, x.c FROM l LEFT JOIN LATERAL (SELECT max(r.n) AS m, count(*) AS c FROM r WHERE r.k = l.k) x ON x.c > 1;
SELECT l.id, x.s, x.c FROM l, LATERAL (SELECT r.s, count(*) AS c FROM r WHERE r.k = l.k GROUP BY r.s) x;
SELECT l.id, x.v FROM l, LATERAL (SELECT l.k * 2 AS v) x WHERE x.v > 10;
SELECT l.id, x.id, y.w FROM l, LATERAL (SELECT r.id FROM r WHERE r.k = l.k) x, LATERAL (SELECT m.w FROM m WHERE m.r_id = x.id AND m.l_id >= l.id) y;
-- expect native: UNION, INTERSECT or EXCEPT in a subquery that refers to an outer query is not supported in the engine
SELECT l.id, x.a FROM l, LATERAL (SELECT r.id AS a FROM r WHERE r.k = l.k UNION SELECT m.r_id FROM m WHERE m.l_id = l.id) x;
-- expect native: this reference from a subquery to an outer query is not supported in the engine
SELECT l.id, x.a FROM l, LATERAL (VALUES (l.k), (l.id)) x(a);
SELECT d.name, x.name, x.salary FROM dept d LEFT JOIN LATERAL (SELECT name, salary FROM emp e WHERE e.dept = d.id AND salary IS NOT NULL ORDER BY salary DESC, id LIMIT 3) x ON true;
-- expect native: a function in FROM is not supported in the engine
SELECT e.id, g FROM emp e, LATERAL generate_series(1, e.dept) g WHERE e.id < 10;
-- expect native: a function in FROM is not supported in the engine
SELECT l.id, g FROM l, generate_series(1, 3) g WHERE l.k = g;
-- expect native: a function in FROM is not supported in the engine
SELECT g, count(l.id) FROM generate_series(date '2020-01-01', date '2020-01-12', interval '1 day') g LEFT JOIN l ON l.d = g GROUP BY g;
-- expect native: a function in FROM is not supported in the engine
SELECT l.id, u FROM l, unnest(ARRAY[1, 2, 5, NULL]) u WHERE l.k = u;
-- expect native: a function in FROM is not supported in the engine
SELECT l.id, x.n FROM l JOIN unnest(ARRAY['s1', 's2']) WITH ORDINALITY x(s, n) ON x.s = l.s;
SELECT l.id, v.b FROM l JOIN (VALUES (1, 'one'), (2, 'two'), (5, NULL), (NULL, 'null')) v(a, b) ON v.a = l.k;
SELECT l.id, v.b FROM l LEFT JOIN (VALUES (1, 'one'), (2, 'two')) v(a, b) ON v.a = l.k;
SELECT v.a, count(l.id) FROM (VALUES (1), (2), (99)) v(a) LEFT JOIN l ON l.k = v.a GROUP BY v.a;
SELECT l.id FROM l WHERE (l.k, l.s) IN (VALUES (1, 's1'), (5, 's5'), (7, 's7'));
SELECT l.id FROM l WHERE l.k IN (VALUES (1), (2), (NULL));
SELECT l.id FROM l WHERE l.k NOT IN (VALUES (1), (2));
SELECT l.id, v.x FROM l, (VALUES (1.5, date '2020-01-04'), (2, NULL)) v(x, d) WHERE l.d = v.d OR l.n < v.x;
SELECT * FROM one, (VALUES (1, 'a', 1.5, true, NULL)) v;
SELECT o.id, v.* FROM one o, (VALUES (1, NULL), (NULL, 2.50), (3, 1)) v(i, n);
-- expect partial: a subquery in an expression runs in the engine; not the whole: a subquery in this place is not supported in th
VALUES ((SELECT max(id) FROM l), 1), (2, (SELECT count(*) FROM r));
SELECT (SELECT max(id) FROM l) + (SELECT max(id) FROM r) AS s;
SELECT e.id FROM ONLY emp e WHERE e.id < 5;
-- expect error: 0A000
SELECT * FROM l TABLESAMPLE SYSTEM (100);
-- expect native: a whole row or a system column is used
SELECT row_to_json(l) FROM l WHERE id < 4;
-- expect native: function random() is volatile
SELECT id FROM l WHERE random() >= 0;
-- expect native: function random() is volatile
SELECT count(*) FROM l, LATERAL (SELECT random() AS x WHERE l.k > 3) y;
-- expect native: rows are locked
SELECT id FROM l WHERE id < 5 FOR UPDATE;

-- The values of the correlation are compared so that NULL equals NULL, a condition of the join beside them is not.
SELECT t1.id FROM tim t1 JOIN LATERAL (SELECT min(t3.d) AS first FROM zero t3 WHERE t3.d <= t1.ts::date) t2 ON t1.d = t2.first;
SELECT t1.id, t2.n FROM tim t1 JOIN LATERAL (SELECT min(t3.d) AS first, count(*) AS n FROM tim t3 WHERE t3.id > 480 AND t3.d <= t1.ts::date) t2 ON t1.d = t2.first;
