-- What is known of rows – that they are in order, that a column is constant – and what joins, groupings and functions leave of it.
-- ordered
SELECT l.id, x.c FROM l LEFT JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id ORDER BY x.c NULLS FIRST, l.id;
SELECT x.c, count(*) FROM l LEFT JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id GROUP BY x.c;
SELECT x.c, l.s, count(*) FROM l LEFT JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id GROUP BY x.c, l.s;
SELECT x.c, l.id, count(*) OVER (PARTITION BY x.c) FROM l LEFT JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id;
SELECT x.c, l.id, rank() OVER (ORDER BY x.c) FROM l LEFT JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id;
SELECT x.c, l.id, rank() OVER (ORDER BY x.c, l.id) FROM l FULL JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id;
SELECT DISTINCT x.c FROM l FULL JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id;
-- ordered
SELECT DISTINCT ON (x.c) x.c, l.id FROM l LEFT JOIN (SELECT k, id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id ORDER BY x.c, l.id;
-- ordered
SELECT l.id, x.k, x.c FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k HAVING count(*) = 2) x ON l.k = x.k ORDER BY x.c, l.id, x.k;
SELECT x.c, count(*) FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k HAVING count(*) = 2) x ON l.k = x.k GROUP BY x.c;
SELECT x.c, x.k, count(*) FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k HAVING count(*) = 2) x ON l.k = x.k GROUP BY x.c, x.k;
-- ordered
SELECT x.c, l.id FROM (SELECT k, 7 AS c FROM r GROUP BY k) x RIGHT JOIN l ON l.k < x.k AND x.k < 3 ORDER BY x.c, l.id, x.k;
SELECT x.c, count(*) FROM (SELECT k, 7 AS c FROM r GROUP BY k) x FULL JOIN l ON l.k = x.k GROUP BY x.c;
-- ordered
SELECT y.k, y.id, x.id FROM (SELECT id, k FROM l ORDER BY k, id LIMIT 30) y JOIN (SELECT id, k FROM r ORDER BY id LIMIT 30) x ON y.id % 5 = x.k % 5 ORDER BY y.k, x.id, y.id;
-- ordered
SELECT y.k, x.id FROM (SELECT id, k FROM l ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM r ORDER BY id LIMIT 30) x ON y.id % 5 = x.k % 5 ORDER BY y.k, x.id;
-- ordered
SELECT y.k, x.id FROM (SELECT id, k FROM l ORDER BY k LIMIT 50) y LEFT JOIN (SELECT id, k FROM r ORDER BY id LIMIT 30) x ON y.id % 5 = x.k % 5 ORDER BY y.k, x.id;
-- ordered
SELECT y.k, x.id FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM l ORDER BY id LIMIT 30) x ON y.id % 5 = x.k % 5 ORDER BY y.k, x.id;
-- ordered
SELECT y.k, x.id FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM l ORDER BY id LIMIT 30) x ON y.id % 5 = x.k % 5 ORDER BY x.id, y.k;
SELECT y.k, x.id, count(*) FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM l ORDER BY id LIMIT 30) x ON y.id % 5 = x.k % 5 GROUP BY x.id, y.k;
SELECT y.k, x.id, rank() OVER (PARTITION BY y.k ORDER BY x.id) FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM l ORDER BY id LIMIT 30) x ON y.id % 5 = x.k % 5;
-- ordered
SELECT y.k, x.id FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y, (SELECT id, k FROM l ORDER BY id LIMIT 30) x ORDER BY y.k, x.id;
-- ordered
SELECT y.k, x.id FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y, (SELECT id, k FROM l ORDER BY id LIMIT 30) x ORDER BY x.id, y.k;
-- ordered
SELECT y.k, x.id FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM l ORDER BY id LIMIT 30) x ON y.id < x.id ORDER BY x.id, y.k;
-- ordered
SELECT y.k, x.k FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM l ORDER BY k LIMIT 50) x ON y.id < x.id ORDER BY x.k, y.k;
-- ordered
SELECT y.k, x.k FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y JOIN (SELECT id, k FROM l ORDER BY k LIMIT 50) x ON y.id < x.id ORDER BY y.k, x.k;
-- ordered
SELECT y.k, x.k FROM (SELECT id, k FROM r ORDER BY k LIMIT 50) y CROSS JOIN (SELECT id, k FROM l ORDER BY k LIMIT 50) x ORDER BY x.k, y.k;
-- ordered
SELECT c, k, count(*) FROM (SELECT 7 AS c, k FROM l) x GROUP BY ROLLUP (c, k) ORDER BY c, k, count(*);
-- ordered
SELECT c, k, count(*) FROM (SELECT 7 AS c, k FROM l WHERE id <= 20 LIMIT 50) x GROUP BY CUBE (c, k) ORDER BY c NULLS FIRST, k, count(*);
SELECT c, count(*) FROM (SELECT c, k FROM (SELECT 7 AS c, k FROM l WHERE id <= 20 LIMIT 50) x GROUP BY CUBE (c, k)) y GROUP BY c;
-- ordered
SELECT k, s, count(*) FROM l WHERE k = 5 GROUP BY ROLLUP (k, s) ORDER BY k, s;
-- ordered
SELECT k, count(*) FROM (SELECT k, s, count(*) FROM l GROUP BY CUBE (k, s) HAVING count(*) = 1) x GROUP BY k ORDER BY k;
-- ordered
SELECT a, b FROM (SELECT 1 AS a, k AS b FROM l UNION ALL SELECT 2, k FROM r) x ORDER BY a DESC, b;
-- ordered
SELECT a, b FROM (SELECT 1 AS a, k AS b FROM l UNION ALL SELECT 1, k FROM r) x ORDER BY a DESC, b;
SELECT a, count(*) FROM (SELECT 1 AS a, k AS b FROM l UNION ALL SELECT 2, k FROM r UNION ALL SELECT NULL, 3 FROM r) x GROUP BY a;
-- ordered
SELECT l.id, coalesce(x.k, 0), x.c FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k HAVING count(*) = coalesce(k, 0)) x ON l.k = x.k ORDER BY coalesce(x.k, 0), l.id;
-- ordered
SELECT l.id, coalesce(x.k, 0), x.c FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k HAVING count(*) = coalesce(k, 0)) x ON l.k = x.k ORDER BY x.c, coalesce(x.k, 0), l.id;
-- ordered
SELECT l.id, x.c, x.k FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k HAVING count(*) = coalesce(k, 2)) x ON l.k = x.k ORDER BY coalesce(x.k, 2) DESC, l.id;
-- ordered
SELECT x.a, x.b, l.id FROM l LEFT JOIN (SELECT min(k) AS a, max(k) AS b FROM r) x ON x.a < l.k ORDER BY x.a, l.id;
SELECT x.a, count(*) FROM l LEFT JOIN (SELECT min(k) AS a, max(k) AS b FROM r) x ON x.a + 3 < l.k GROUP BY x.a;
SELECT x.a, count(*), sum(l.id) FROM l LEFT JOIN (VALUES (5, 1)) x(a, b) ON l.k > 4 GROUP BY x.a;
-- ordered
SELECT x.a, l.id FROM l LEFT JOIN (VALUES (5, 1)) x(a, b) ON l.k > 4 ORDER BY x.a, l.id;
-- ordered
SELECT x.a, l.id FROM l LEFT JOIN LATERAL (SELECT 5 AS a FROM r WHERE r.k = l.k LIMIT 1) x ON true ORDER BY x.a, l.id;
-- ordered
SELECT (SELECT 5 FROM r WHERE r.id = l.k LIMIT 1) AS a, l.id FROM l ORDER BY 1, 2;
SELECT (SELECT max(5) FROM r WHERE r.id = l.k) AS a, count(*) FROM l GROUP BY 1;
-- ordered
SELECT x.c, y.c, l.id FROM l LEFT JOIN (SELECT id, 7 AS c FROM r WHERE id <= 5 LIMIT 50) x ON l.k = x.id LEFT JOIN (SELECT id, 8 AS c FROM r WHERE id <= 9 LIMIT 50) y ON y.id = l.k ORDER BY x.c, y.c, l.id;
SELECT x.k, x.c, count(*) FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) x ON l.id < x.c GROUP BY x.k, x.c;
SELECT x.k, x.c, l.id FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) x ON l.id < x.c AND x.k IS NULL GROUP BY x.k, x.c, l.id;
SELECT x.k, x.c, count(l.id) FROM l FULL JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) x ON l.id = x.c GROUP BY x.k, x.c;
SELECT DISTINCT x.k, x.c, l.k FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) x ON l.id < x.c;
SELECT x.k, x.c, min(l.id) FROM (SELECT DISTINCT k, s AS c FROM r) x RIGHT JOIN l ON l.id = x.k GROUP BY x.k, x.c;
-- ordered
SELECT x.k, x.c, l.id FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) x ON l.id < x.c ORDER BY x.k, x.c, l.id;
SELECT y.k, y.c, y.n, count(*) FROM (SELECT x.k, x.c, count(*) n FROM l LEFT JOIN (SELECT k, count(*) AS c FROM r GROUP BY k) x ON l.id < x.c GROUP BY x.k, x.c) y FULL JOIN m ON m.w = y.n GROUP BY y.k, y.c, y.n;
-- ordered
SELECT x.w, y.id FROM (SELECT id, k FROM l ORDER BY id LIMIT 30) y JOIN (SELECT l_id, w FROM m ORDER BY w LIMIT 60) x ON y.k = x.l_id ORDER BY x.w, y.id;
SELECT x.w, y.id, rank() OVER (ORDER BY x.w, y.id) FROM (SELECT id, k FROM l ORDER BY id LIMIT 30) y JOIN (SELECT l_id, w FROM m ORDER BY w LIMIT 60) x ON y.k = x.l_id;
SELECT ((SELECT max(date '2020-01-05') AS c0 FROM dept t8 WHERE t1.c0 = t8.id))::timestamp AS c0, (count(t1.c1) OVER (ORDER BY t1.c3, t1.c1 GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW))::float8 AS c1 FROM (SELECT NULL::int AS c0, timestamp '2000-01-10' AS c1, NULL::date AS c2, NULL::timestamp AS c3 FROM num t2 JOIN num t4 ON true GROUP BY t4.i2) t1;
-- expect native in en_US: ORDER BY under collation "default" in a window is not supported in the engine
SELECT percent_rank() OVER (ORDER BY t2.budget, t2.city) AS c0 FROM dept t1 JOIN dept t2 ON NULL::bool RIGHT JOIN (SELECT t5.ts AS c0 FROM dup t4 JOIN tim t5 ON true) t3 ON true JOIN dup t6 ON t2.city = t6.w;
-- ordered
SELECT -k AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY -k DESC, id;
-- ordered
SELECT -k AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY -k ASC NULLS FIRST, id;
SELECT -k AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY -k;
-- ordered
SELECT k < 5 AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY k < 5 DESC, id;
-- ordered
SELECT k < 5 AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY k < 5 ASC NULLS FIRST, id;
SELECT k < 5 AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY k < 5;
-- ordered
SELECT NOT (k < 5) AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY NOT (k < 5) DESC, id;
-- ordered
SELECT NOT (k < 5) AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY NOT (k < 5) ASC NULLS FIRST, id;
SELECT NOT (k < 5) AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY NOT (k < 5);
-- ordered
SELECT coalesce(k, 3) AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY coalesce(k, 3) DESC, id;
-- ordered
SELECT coalesce(k, 3) AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY coalesce(k, 3) ASC NULLS FIRST, id;
SELECT coalesce(k, 3) AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY coalesce(k, 3);
-- ordered
SELECT k IS NULL AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY k IS NULL DESC, id;
-- ordered
SELECT k IS NULL AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY k IS NULL ASC NULLS FIRST, id;
SELECT k IS NULL AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY k IS NULL;
-- ordered
SELECT k::int8 AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY k::int8 DESC, id;
-- ordered
SELECT k::int8 AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY k::int8 ASC NULLS FIRST, id;
SELECT k::int8 AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY k::int8;
-- ordered
SELECT k % 3 AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY k % 3 DESC, id;
-- ordered
SELECT k % 3 AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY k % 3 ASC NULLS FIRST, id;
SELECT k % 3 AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY k % 3;
-- ordered
SELECT greatest(k, 4) AS e, id FROM (SELECT * FROM l ORDER BY k ASC, id LIMIT 35) x ORDER BY greatest(k, 4) DESC, id;
-- ordered
SELECT greatest(k, 4) AS e, id FROM (SELECT * FROM l ORDER BY k DESC NULLS LAST, id LIMIT 35) x ORDER BY greatest(k, 4) ASC NULLS FIRST, id;
SELECT greatest(k, 4) AS e, count(*), sum(id) FROM (SELECT * FROM l ORDER BY k, id LIMIT 35) x GROUP BY greatest(k, 4);
-- ordered
SELECT d::timestamp AS e, id FROM (SELECT * FROM tim ORDER BY d ASC, id LIMIT 35) x ORDER BY d::timestamp DESC, id;
-- ordered
SELECT d::timestamp AS e, id FROM (SELECT * FROM tim ORDER BY d DESC NULLS LAST, id LIMIT 35) x ORDER BY d::timestamp ASC NULLS FIRST, id;
SELECT d::timestamp AS e, count(*), sum(id) FROM (SELECT * FROM tim ORDER BY d, id LIMIT 35) x GROUP BY d::timestamp;
-- ordered
SELECT date '2000-01-01' - d AS e, id FROM (SELECT * FROM tim ORDER BY d ASC, id LIMIT 35) x ORDER BY date '2000-01-01' - d DESC, id;
-- ordered
SELECT date '2000-01-01' - d AS e, id FROM (SELECT * FROM tim ORDER BY d DESC NULLS LAST, id LIMIT 35) x ORDER BY date '2000-01-01' - d ASC NULLS FIRST, id;
SELECT date '2000-01-01' - d AS e, count(*), sum(id) FROM (SELECT * FROM tim ORDER BY d, id LIMIT 35) x GROUP BY date '2000-01-01' - d;
-- ordered
SELECT ts::date AS e, id FROM (SELECT * FROM tim ORDER BY ts ASC, id LIMIT 35) x ORDER BY ts::date DESC, id;
-- ordered
SELECT ts::date AS e, id FROM (SELECT * FROM tim ORDER BY ts DESC NULLS LAST, id LIMIT 35) x ORDER BY ts::date ASC NULLS FIRST, id;
SELECT ts::date AS e, count(*), sum(id) FROM (SELECT * FROM tim ORDER BY ts, id LIMIT 35) x GROUP BY ts::date;
-- ordered
SELECT date_trunc('year', ts) AS e, id FROM (SELECT * FROM tim ORDER BY ts ASC, id LIMIT 35) x ORDER BY date_trunc('year', ts) DESC, id;
-- ordered
SELECT date_trunc('year', ts) AS e, id FROM (SELECT * FROM tim ORDER BY ts DESC NULLS LAST, id LIMIT 35) x ORDER BY date_trunc('year', ts) ASC NULLS FIRST, id;
SELECT date_trunc('year', ts) AS e, count(*), sum(id) FROM (SELECT * FROM tim ORDER BY ts, id LIMIT 35) x GROUP BY date_trunc('year', ts);
-- A union keeps neither what is constant in one of its inputs nor what is equal there.
-- ordered
SELECT d AS a, d::timestamp AS b, d::timestamp AS c, NULL::date AS e FROM nulls UNION ALL SELECT date '2020-01-05', NULL, NULL, date '2012-01-01' FROM zero ORDER BY 1, 2, 3, 4;
-- ordered
SELECT k AS a, k + 3 AS b, k + 3 AS c, NULL::int AS e FROM l UNION ALL SELECT 3, NULL, NULL, v FROM dup ORDER BY 1, 2, 3, 4;
-- ordered
SELECT k AS a, k AS b, 1 AS c FROM l UNION ALL SELECT 3, v, 2 FROM dup UNION ALL SELECT 3, 4, id FROM tri ORDER BY 1 DESC, 2, 3 LIMIT 30;
-- ordered
SELECT a, b, id FROM (SELECT 'l' AS a, k AS b, id FROM l UNION ALL SELECT 'r', 5, id FROM r) x ORDER BY b, a DESC, id OFFSET 3 LIMIT 40;
SELECT a, b, count(*), rank() OVER (ORDER BY a, b) FROM (SELECT 1 AS a, k AS b FROM l UNION ALL SELECT 2, k FROM r) x GROUP BY a, b;
