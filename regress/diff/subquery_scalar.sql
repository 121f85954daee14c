-- Scalar subqueries, correlated and not, in every clause and at depth.
SELECT (SELECT max(id) FROM num);
SELECT id, (SELECT max(i4) FROM num) FROM l;
SELECT id, (SELECT count(*) FROM zero), (SELECT max(id) FROM zero), (SELECT t FROM zero) FROM l WHERE id < 4;
SELECT id, (SELECT t FROM one) FROM l WHERE id < 4;
SELECT id, i4 - (SELECT avg(i4) FROM num) FROM num;
SELECT id FROM num WHERE i4 > (SELECT avg(i4) FROM num);
SELECT id FROM num WHERE n2 = (SELECT max(n2) FROM num);
SELECT id FROM num WHERE i4 < (SELECT max(k) FROM zero);
SELECT id FROM num WHERE i4 = (SELECT k FROM one);
SELECT id, (SELECT count(*) FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT sum(r.n) FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT max(r.n) FROM r WHERE r.k = l.k AND r.s = l.s) FROM l;
SELECT id, (SELECT avg(r.n) FROM r WHERE r.k = l.k) + l.n FROM l;
SELECT id, (SELECT min(r.id) FROM r WHERE r.k > l.k) FROM l;
SELECT id, (SELECT count(*) FROM r WHERE r.k <> l.k OR r.s = l.s) FROM l;
SELECT id, (SELECT count(*) FROM r WHERE r.k IS NOT DISTINCT FROM l.k) FROM l;
SELECT id, (SELECT count(*) + l.id FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT count(*) * 2 FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT coalesce(sum(r.n), -1) FROM r WHERE r.k = l.k) FROM l;
SELECT id, coalesce((SELECT sum(r.n) FROM r WHERE r.k = l.k), 0) FROM l;
SELECT id, (SELECT bool_or(r.n > l.n) FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT d.name FROM dept d WHERE d.id = emp.dept) FROM emp;
SELECT name, (SELECT b.name FROM emp b WHERE b.id = e.boss) FROM emp e;
SELECT name, (SELECT (SELECT d.name FROM dept d WHERE d.id = b.dept) FROM emp b WHERE b.id = e.boss) FROM emp e;
SELECT id, (SELECT r.id FROM r WHERE r.k = l.k ORDER BY r.id LIMIT 1) FROM l;
SELECT id, (SELECT r.n FROM r WHERE r.k = l.k ORDER BY r.n DESC NULLS LAST, r.id LIMIT 1 OFFSET 1) FROM l;
-- expect native in en_US: aggregate max(text) under collation "default" is not supported in the engine
SELECT id, (SELECT l.s || '-' || max(r.s) FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT l.k + 1) FROM l;
-- expect native in en_US: aggregate max(text) under collation "default" is not supported in the engine
SELECT id, (SELECT CASE WHEN l.k > 3 THEN 'big' ELSE (SELECT max(s) FROM r WHERE r.k = l.k) END) FROM l;
SELECT id FROM l WHERE n > (SELECT avg(r.n) FROM r WHERE r.k = l.k);
SELECT id FROM l WHERE n = (SELECT max(x.n) FROM l x WHERE x.k = l.k);
SELECT id FROM l WHERE (SELECT count(*) FROM r WHERE r.k = l.k) = 0;
SELECT id FROM l WHERE (SELECT count(*) FROM r WHERE r.k = l.k) > 2;
SELECT id FROM l WHERE (SELECT max(r.id) FROM r WHERE r.k = l.k) IS NULL;
SELECT id FROM l WHERE l.k < (SELECT sum(m.w) FROM m WHERE m.l_id = l.id);
SELECT id FROM l WHERE n > 0.5 * (SELECT sum(r.n) FROM r WHERE r.k = l.k) OR s = 's1';
SELECT id FROM emp e WHERE salary > (SELECT avg(salary) FROM emp x WHERE x.dept = e.dept);
SELECT id FROM emp e WHERE salary = (SELECT max(salary) FROM emp x WHERE x.dept = e.dept);
SELECT id FROM emp e WHERE salary > (SELECT avg(salary) FROM emp x WHERE x.dept = e.dept AND x.id <> e.id);
SELECT id FROM emp e WHERE salary > (SELECT b.salary FROM emp b WHERE b.id = e.boss);
SELECT id FROM emp e WHERE 5 < (SELECT count(*) FROM sales s WHERE s.emp = e.id AND s.amount > (SELECT avg(amount) FROM sales));
SELECT id FROM emp e WHERE (SELECT count(*) FROM sales s WHERE s.emp = e.id AND s.amount > (SELECT avg(x.amount) FROM sales x WHERE x.emp = s.emp)) > 4;
SELECT id FROM emp e WHERE salary > (SELECT avg(x.salary) FROM emp x JOIN dept d ON d.id = x.dept WHERE d.id = e.dept AND d.budget > 0);
SELECT s.id FROM sales s WHERE s.amount > (SELECT 2 * avg(x.amount) FROM sales x WHERE x.product = s.product);
SELECT s.id FROM sales s JOIN product p ON p.code = s.product WHERE s.qty < (SELECT 0.5 * avg(x.qty) FROM sales x WHERE x.product = p.code);
SELECT sum(s.amount) / 7.0 FROM sales s, product p WHERE p.code = s.product AND p.category = 'cat1' AND s.qty < (SELECT 0.2 * avg(x.qty) FROM sales x WHERE x.product = p.code);
SELECT p.code, s.id FROM product p, sales s WHERE p.code = s.product AND s.amount = (SELECT min(x.amount) FROM sales x, emp e WHERE x.product = p.code AND e.id = x.emp AND e.active);
SELECT dept, count(*) FROM emp GROUP BY dept HAVING count(*) > (SELECT count(*) / 7 FROM emp);
SELECT dept, sum(salary) FROM emp GROUP BY dept HAVING sum(salary) > (SELECT d.budget FROM dept d WHERE d.id = emp.dept);
SELECT product, sum(amount) FROM sales GROUP BY product HAVING sum(amount) > (SELECT sum(amount) * 0.05 FROM sales);
SELECT dept, (SELECT d.name FROM dept d WHERE d.id = emp.dept), count(*) FROM emp GROUP BY dept;
SELECT (SELECT d.city FROM dept d WHERE d.id = emp.dept) AS city, count(*) FROM emp GROUP BY (SELECT d.city FROM dept d WHERE d.id = emp.dept);
SELECT (SELECT d.city FROM dept d WHERE d.id = emp.dept) AS city, count(*) FROM emp GROUP BY 1;
-- ordered
SELECT id FROM emp e ORDER BY (SELECT count(*) FROM sales s WHERE s.emp = e.id) DESC, id;
-- ordered
SELECT id, k FROM l ORDER BY (SELECT max(r.n) FROM r WHERE r.k = l.k) NULLS FIRST, id;
SELECT sum((SELECT count(*) FROM r WHERE r.k = l.k)) FROM l;
SELECT k, max((SELECT max(r.n) FROM r WHERE r.k = l.k)) FROM l GROUP BY k;
SELECT id, CASE WHEN k > 5 THEN (SELECT max(id) FROM r) ELSE (SELECT min(id) FROM r WHERE r.k = l.k) END FROM l;
SELECT id, CASE WHEN (SELECT count(*) FROM r WHERE r.k = l.k) > 1 THEN 'many' ELSE 'few' END FROM l;
SELECT l.id, r.id FROM l JOIN r ON l.k = r.k AND l.n > (SELECT avg(n) FROM r);
SELECT l.id, r.id FROM l LEFT JOIN r ON l.k = r.k AND r.n > (SELECT avg(n) FROM l);
SELECT l.id, r.id FROM l JOIN r ON l.k = r.k AND r.n = (SELECT max(x.n) FROM r x WHERE x.k = l.k);
SELECT id, (SELECT max(a.i4) FROM num a WHERE a.id <= 100) - (SELECT min(a.i4) FROM num a WHERE a.id <= 100) FROM one;
SELECT id, (SELECT count(*) FROM (SELECT DISTINCT r.s FROM r WHERE r.k = l.k) x) FROM l;
SELECT id, (SELECT count(DISTINCT r.s) FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT max(c) FROM (SELECT count(*) AS c FROM r WHERE r.k = l.k GROUP BY r.s) x) FROM l;
-- expect native: UNION, INTERSECT or EXCEPT in a subquery that refers to an outer query is not supported in the engine
SELECT id, (SELECT sum(x.n) FROM (SELECT r.n FROM r WHERE r.k = l.k UNION ALL SELECT l.n) x) FROM l;
SELECT id FROM num WHERE id < (SELECT count(*) FROM l) AND i4 > (SELECT min(i4) FROM num) AND i2 < (SELECT max(i2) FROM num);
SELECT id FROM num WHERE id = (SELECT min(id) FROM num WHERE i4 = (SELECT max(i4) FROM num));
SELECT id FROM num WHERE id BETWEEN (SELECT min(id) FROM r) AND (SELECT max(id) FROM r WHERE k > 3);
SELECT id, (SELECT count(*) FROM m WHERE m.l_id = l.id AND m.w > (SELECT min(w) FROM m x WHERE x.l_id = l.id)) FROM l;
SELECT (SELECT sum(a.k) FROM l a WHERE a.k < b.k) AS s, count(*) FROM r b GROUP BY 1;
SELECT id FROM l WHERE (k, n) = (SELECT k, max(n) FROM r WHERE r.k = l.k GROUP BY k);
SELECT id, (SELECT (k, n) = (5, 1.25) FROM r WHERE r.id = l.id) FROM l;
-- expect native: ARRAY(subquery) is not supported in the engine
SELECT id, ARRAY(SELECT r.id FROM r WHERE r.k = l.k ORDER BY r.id) FROM l;
SELECT id, (SELECT string_agg(r.s, ',' ORDER BY r.id) FROM r WHERE r.k = l.k) FROM l;
SELECT id, (SELECT x.id FROM l x WHERE x.id = l.id + 1) FROM l;
SELECT id, (SELECT sum(x.n) FROM l x WHERE x.id <= l.id) AS running FROM l;
SELECT id, (SELECT count(*) FROM l x WHERE x.n > l.n OR (x.n = l.n AND x.id < l.id)) AS rank FROM l;
SELECT DISTINCT (SELECT d.city FROM dept d WHERE d.id = emp.dept) FROM emp;
-- expect partial: a subquery in an expression runs in the engine; not the whole: a subquery in this place is not supported in th
SELECT id FROM l WHERE id > (SELECT min(id) FROM r) LIMIT (SELECT 1000 + count(*) FROM r);
