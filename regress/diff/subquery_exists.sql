-- EXISTS, IN, ANY and ALL; NOT IN with NULLs on either side; in every clause.
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k);
SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k);
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.n > l.n);
SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.s <> l.s);
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k > l.k);
SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k > l.k);
-- expect native: EXISTS (subquery) that does not refer to the outer query is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r);
-- expect native: EXISTS (subquery) that does not refer to the outer query is not supported in the engine
SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM r);
-- expect native: EXISTS (subquery) that does not refer to the outer query is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM zero);
-- expect native: EXISTS (subquery) that does not refer to the outer query is not supported in the engine
SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM zero);
-- expect native: a subquery whose rows have no condition in common with the outer row is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE l.k > 5);
-- expect native: a subquery whose rows have no condition in common with the outer row is not supported in the engine
SELECT id FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE l.k > 5);
-- expect native: EXISTS (subquery) that does not refer to the outer query is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT max(id) FROM zero);
-- expect native: a correlated subquery with aggregates, grouping, LIMIT or WITH is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT count(*) FROM r WHERE r.k = l.k HAVING count(*) > 2);
-- expect native: a correlated subquery with aggregates, grouping, LIMIT or WITH is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k GROUP BY r.s HAVING count(*) > 1);
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k LIMIT 1);
-- expect native: a correlated subquery with aggregates, grouping, LIMIT or WITH is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k OFFSET 2);
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k) OR l.n > 5;
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k) OR EXISTS (SELECT 1 FROM m WHERE m.l_id = l.id);
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k) AND NOT EXISTS (SELECT 1 FROM m WHERE m.l_id = l.id);
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k) = EXISTS (SELECT 1 FROM m WHERE m.l_id = l.id);
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id FROM l WHERE NOT (EXISTS (SELECT 1 FROM r WHERE r.k = l.k) AND l.n > 2);
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND EXISTS (SELECT 1 FROM m WHERE m.r_id = r.id));
-- expect native: a reference from a subquery to a query further out than the next is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND EXISTS (SELECT 1 FROM m WHERE m.r_id = r.id AND m.l_id = l.id));
-- expect native: a reference from a subquery to a query further out than the next is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND NOT EXISTS (SELECT 1 FROM m WHERE m.r_id = r.id AND m.l_id > l.id));
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r JOIN m ON m.r_id = r.id WHERE r.k = l.k AND m.w = l.id % 4);
-- expect native: this reference from a subquery to an outer query is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r LEFT JOIN m ON m.r_id = r.id AND m.l_id = l.id WHERE r.k = l.k AND m.w IS NULL);
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k UNION ALL SELECT 1 FROM m WHERE m.l_id = l.id);
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id, EXISTS (SELECT 1 FROM r WHERE r.k = l.k) FROM l;
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id, NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k) AS lonely FROM l;
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id, CASE WHEN EXISTS (SELECT 1 FROM r WHERE r.k = l.k) THEN 'yes' ELSE 'no' END FROM l;
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT EXISTS (SELECT 1 FROM r WHERE r.k = l.k) AS e, count(*) FROM l GROUP BY 1;
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k)) FROM l;
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT k, count(*) FROM l GROUP BY k HAVING EXISTS (SELECT 1 FROM r WHERE r.k = l.k);
-- ordered
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT id FROM l ORDER BY EXISTS (SELECT 1 FROM r WHERE r.k = l.k), id;
SELECT id FROM l WHERE k IN (SELECT k FROM r);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT k FROM r);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT k FROM r WHERE k IS NOT NULL);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT k FROM r WHERE id < 5);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT k FROM zero);
SELECT id FROM l WHERE k IN (SELECT k FROM zero);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT k FROM nulls);
SELECT id FROM l WHERE k IN (SELECT k FROM nulls);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE NULL NOT IN (SELECT k FROM zero);
-- expect native: a subquery whose rows have no condition in common with the outer row is not supported in the engine
SELECT id FROM l WHERE NULL IN (SELECT k FROM r);
-- expect native: a subquery whose rows have no condition in common with the outer row is not supported in the engine
SELECT id FROM l WHERE 5 IN (SELECT k FROM r) AND id < 5;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE 99 NOT IN (SELECT k FROM r WHERE k IS NOT NULL) AND id < 5;
SELECT id FROM l WHERE k IN (SELECT r.k FROM r WHERE r.s = l.s);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT r.k FROM r WHERE r.s = l.s);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT r.k FROM r WHERE r.n > l.n);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT r.k FROM r WHERE r.s = l.s AND r.k IS NOT NULL);
SELECT id FROM l WHERE (k, s) IN (SELECT k, s FROM r);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE (k, s) NOT IN (SELECT k, s FROM r WHERE k IS NOT NULL AND s IS NOT NULL);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE (k, s) NOT IN (SELECT k, s FROM r);
SELECT id FROM l WHERE (k, n) IN (SELECT k, n FROM r WHERE r.id > l.id);
SELECT id FROM l WHERE k + 1 IN (SELECT k - 1 FROM r);
SELECT id FROM l WHERE n IN (SELECT n FROM r);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE n NOT IN (SELECT n FROM r WHERE n IS NOT NULL);
SELECT id FROM l WHERE s IN (SELECT s FROM r);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE s NOT IN (SELECT s FROM r WHERE s > 's3' COLLATE "C");
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k IN (SELECT k FROM r) OR s IN (SELECT s FROM r);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k IN (SELECT k FROM r) OR n > 5;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k NOT IN (SELECT k FROM r WHERE id < 9) OR n > 5;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE NOT (k IN (SELECT k FROM r WHERE id < 9) AND n > 5);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE (k IN (SELECT k FROM r)) IS NULL;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE (k IN (SELECT k FROM r)) IS NOT TRUE;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE (k NOT IN (SELECT k FROM r)) IS NOT FALSE;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, k IN (SELECT k FROM r) FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, k NOT IN (SELECT k FROM r) FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, k NOT IN (SELECT k FROM r WHERE k IS NOT NULL) FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, k IN (SELECT k FROM zero), k NOT IN (SELECT k FROM zero), k IN (SELECT k FROM nulls) FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, k IN (SELECT r.k FROM r WHERE r.s = l.s) FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, (k, s) IN (SELECT k, s FROM r), (k, s) NOT IN (SELECT k, s FROM r) FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, CASE WHEN k IN (SELECT k FROM r WHERE id > 20) THEN n ELSE 0 END FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT sum(CASE WHEN k IN (SELECT k FROM r) THEN 1 END) FROM l;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT k IN (SELECT k FROM r) AS e, count(*) FROM l GROUP BY 1;
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT k, count(*) FROM l GROUP BY k HAVING k IN (SELECT k FROM r WHERE n > 5);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT k, count(*) FROM l GROUP BY k HAVING count(*) NOT IN (SELECT w FROM m WHERE w IS NOT NULL);
SELECT id FROM l WHERE k IN (SELECT k FROM r GROUP BY k HAVING count(*) > 2);
SELECT id FROM l WHERE k IN (SELECT max(k) FROM r GROUP BY s);
SELECT id FROM l WHERE k IN (SELECT DISTINCT k FROM r ORDER BY k LIMIT 4);
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l WHERE k IN (SELECT k FROM r UNION SELECT w FROM m);
-- expect native: UNION, INTERSECT or EXCEPT is not supported in the engine
SELECT id FROM l WHERE k IN (SELECT k FROM r EXCEPT SELECT w FROM m);
SELECT id FROM l WHERE k IN (SELECT k FROM r WHERE id IN (SELECT r_id FROM m WHERE w IN (1, 2)));
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE k IN (SELECT k FROM r WHERE id NOT IN (SELECT r_id FROM m WHERE r_id IS NOT NULL));
SELECT id FROM l WHERE k = ANY (SELECT k FROM r);
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id FROM l WHERE k <> ALL (SELECT k FROM r WHERE id < 8);
SELECT id FROM l WHERE k > ANY (SELECT k FROM r);
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id FROM l WHERE k > ALL (SELECT k FROM r WHERE k < 4);
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id FROM l WHERE k > ALL (SELECT k FROM r);
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id FROM l WHERE k >= ALL (SELECT r.k FROM r WHERE r.s = l.s);
SELECT id FROM l WHERE k < ANY (SELECT r.k FROM r WHERE r.s = l.s);
SELECT id FROM l WHERE k <> ANY (SELECT k FROM r WHERE id < 5);
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id FROM l WHERE k = ALL (SELECT k FROM zero);
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id FROM l WHERE k > ALL (SELECT k FROM zero);
SELECT id FROM l WHERE k < ANY (SELECT k FROM zero);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM l WHERE NOT (k > ANY (SELECT k FROM r WHERE id > 30));
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id, k > ANY (SELECT k FROM r), k < ALL (SELECT k FROM r WHERE k > 9) FROM l;
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id, k = ALL (SELECT r.k FROM r WHERE r.s = l.s) FROM l;
-- expect native: a comparison with ALL (subquery) is not supported in the engine
SELECT id FROM l WHERE n >= ALL (SELECT n FROM l x WHERE x.k = l.k AND n IS NOT NULL);
SELECT name FROM dept d WHERE NOT EXISTS (SELECT 1 FROM emp e WHERE e.dept = d.id);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT name FROM dept d WHERE id NOT IN (SELECT dept FROM emp);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT name FROM dept d WHERE id NOT IN (SELECT dept FROM emp WHERE dept IS NOT NULL);
SELECT name FROM emp e WHERE EXISTS (SELECT 1 FROM emp x WHERE x.boss = e.id) AND salary > 2000;
SELECT e.id FROM emp e WHERE EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id AND s.region = 'NO') AND NOT EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id AND s.region = 'SE');
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT e.id FROM emp e WHERE NOT EXISTS (SELECT 1 FROM product p WHERE p.category = 'cat1' AND NOT EXISTS (SELECT 1 FROM sales s WHERE s.emp = e.id AND s.product = p.code)) OR e.id = 3;
SELECT count(DISTINCT emp) FROM sales s WHERE EXISTS (SELECT 1 FROM sales x WHERE x.emp = s.emp AND x.product <> s.product AND x.day = s.day);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT p.category, count(DISTINCT s.emp) FROM sales s JOIN product p ON p.code = s.product WHERE s.emp NOT IN (SELECT id FROM emp WHERE NOT active) GROUP BY p.category;
-- expect native: EXISTS inside an expression is not supported in the engine
SELECT l.id, r.id FROM l LEFT JOIN r ON l.k = r.k AND EXISTS (SELECT 1 FROM m WHERE m.r_id = r.id);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT l.id, r.id FROM l LEFT JOIN r ON l.k = r.k AND l.id IN (SELECT l_id FROM m);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT l.id, r.id FROM l LEFT JOIN r ON l.k = r.k WHERE r.id NOT IN (SELECT r_id FROM m WHERE r_id IS NOT NULL);
SELECT l.id, r.id FROM l LEFT JOIN r ON l.k = r.k WHERE NOT EXISTS (SELECT 1 FROM m WHERE m.r_id = r.id);
SELECT l.id, r.id FROM l FULL JOIN r ON l.k = r.k WHERE coalesce(l.k, r.k) IN (SELECT w FROM m);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM (SELECT id, k FROM l WHERE k IN (SELECT k FROM r)) x WHERE id NOT IN (SELECT l_id FROM m WHERE l_id IS NOT NULL);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM num WHERE i2 IN (SELECT i2 FROM num WHERE id > 700) AND i4 NOT IN (SELECT i4 FROM num WHERE i4 > 0);
SELECT id FROM ext WHERE f8 IN (SELECT f4 FROM ext);
SELECT id FROM ext WHERE n IN (SELECT n2 FROM ext);
-- expect native: a cast from character varying to character is not supported in the engine
SELECT id FROM txt WHERE c IN (SELECT v FROM txt);
SELECT id FROM txt WHERE c IN (SELECT c1 FROM txt);
SELECT id FROM tri WHERE a IN (SELECT b FROM tri WHERE c);
-- expect native: IN (subquery) inside an expression, or NOT IN (subquery) is not supported in the engine
SELECT id FROM tri WHERE a NOT IN (SELECT b FROM tri WHERE NOT c AND b IS NOT NULL);
