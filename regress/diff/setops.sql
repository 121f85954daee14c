-- UNION, INTERSECT, EXCEPT, with and without ALL; duplicates, NULLs, types, nesting.
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l UNION SELECT k FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l UNION ALL SELECT k FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l INTERSECT SELECT k FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l INTERSECT ALL SELECT k FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l EXCEPT SELECT k FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l EXCEPT ALL SELECT k FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM r EXCEPT SELECT k FROM l;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM r EXCEPT ALL SELECT k FROM l;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, s FROM l UNION SELECT k, s FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, s FROM l INTERSECT SELECT k, s FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, s FROM l EXCEPT SELECT k, s FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, s FROM l INTERSECT ALL SELECT k, s FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, v FROM dup UNION SELECT v, k FROM dup;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, v FROM dup INTERSECT ALL SELECT v, k FROM dup;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, v FROM dup EXCEPT ALL SELECT v, k FROM dup;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, v FROM dup EXCEPT SELECT v, k FROM dup;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM dup UNION SELECT NULL;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM dup EXCEPT SELECT NULL::int;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM dup INTERSECT SELECT k FROM nulls;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM dup EXCEPT SELECT k FROM nulls;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l UNION SELECT k FROM zero;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM zero UNION ALL SELECT k FROM l;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM zero INTERSECT SELECT k FROM l;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM zero EXCEPT SELECT k FROM l;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM zero UNION SELECT id FROM zero;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT i2 FROM num WHERE id < 50 UNION SELECT i4 FROM num WHERE id < 50;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT i4 FROM num WHERE id < 50 UNION ALL SELECT i8 FROM num WHERE id < 50;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT i4 FROM num WHERE id < 50 UNION ALL SELECT n2 FROM num WHERE id < 50;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT n2 FROM num WHERE id < 50 UNION ALL SELECT n4 FROM num WHERE id < 50;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT f4 FROM num WHERE id < 50 UNION SELECT f8 FROM num WHERE id < 50;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT n2 FROM num WHERE id < 50 UNION ALL SELECT f8 FROM num WHERE id < 50;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT t FROM txt WHERE id < 50 UNION SELECT v FROM txt WHERE id < 50;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT t FROM txt WHERE id > 400 UNION ALL SELECT c FROM txt WHERE id > 400;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT c FROM txt UNION SELECT c1 FROM txt;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT d FROM l UNION SELECT d FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT d FROM tim WHERE id < 20 UNION ALL SELECT tz FROM tim WHERE id < 20;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT b FROM num UNION SELECT a FROM tri;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT 1, 'a', NULL UNION ALL SELECT id, t, n FROM one;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id, 'l' AS side FROM l WHERE k > 8 UNION ALL SELECT id, 'r' FROM r WHERE k > 8;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l UNION ALL SELECT id FROM r UNION ALL SELECT l_id FROM m;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l UNION SELECT id FROM r EXCEPT SELECT l_id FROM m;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l UNION (SELECT id FROM r INTERSECT SELECT l_id FROM m);
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
(SELECT id FROM l UNION ALL SELECT id FROM r) EXCEPT ALL SELECT l_id FROM m;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l INTERSECT SELECT id FROM r INTERSECT SELECT w FROM m;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
(SELECT id FROM l EXCEPT SELECT id FROM r) UNION (SELECT id FROM r EXCEPT SELECT id FROM l);
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
(SELECT id FROM l ORDER BY id LIMIT 3) UNION ALL (SELECT id FROM r ORDER BY id DESC LIMIT 2);
-- ordered
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k FROM l UNION SELECT k FROM r ORDER BY k;
-- ordered
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, id FROM l UNION ALL SELECT k, id + 100 FROM r ORDER BY 1 DESC NULLS LAST, 2 LIMIT 10;
-- ordered
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id AS x FROM l EXCEPT SELECT id FROM r ORDER BY x DESC OFFSET 1;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, count(*) FROM (SELECT k FROM l UNION ALL SELECT k FROM r) x GROUP BY k;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT x.k, l.id FROM (SELECT k FROM r INTERSECT SELECT w FROM m) x JOIN l ON l.k = x.k;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT count(*) FROM (SELECT k FROM l UNION SELECT k FROM r) x;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT count(DISTINCT x.k), sum(x.n) FROM (SELECT k, n FROM l UNION ALL SELECT k, n FROM r) x WHERE k > 2;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT * FROM (SELECT id, k FROM l UNION ALL SELECT id, k FROM r) x WHERE id = 7;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, sum(n) FROM l GROUP BY k UNION ALL SELECT NULL, sum(n) FROM l;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT k, count(*) FROM l GROUP BY k EXCEPT SELECT k, count(*) FROM r GROUP BY k;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT dept, max(salary) FROM emp GROUP BY dept INTERSECT SELECT dept, salary FROM emp;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT l.id FROM l JOIN r ON l.k = r.k UNION SELECT l.id FROM l JOIN m ON m.l_id = l.id;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l WHERE k IN (SELECT k FROM r) EXCEPT SELECT id FROM l WHERE EXISTS (SELECT 1 FROM m WHERE m.l_id = l.id);
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT DISTINCT k FROM l UNION ALL SELECT DISTINCT k FROM r;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT f8 FROM ext WHERE id IN (1, 2, 3, 4) INTERSECT SELECT f4 FROM ext;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT n FROM ext WHERE id IN (1, 2, 3, 4, 7) EXCEPT SELECT n2 FROM ext;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT a, b FROM tri UNION SELECT b, c FROM tri;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT a, b FROM tri EXCEPT ALL SELECT b, c FROM tri WHERE a;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT u FROM misc UNION SELECT u FROM misc;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT j FROM misc UNION ALL SELECT j FROM misc;
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id, name FROM emp WHERE salary > 4500 UNION ALL SELECT id, name FROM dept UNION ALL SELECT id::int, region FROM sales WHERE qty = 19;
