-- Grouping and aggregates: every aggregate and type, empty input, NULLs, FILTER, DISTINCT, ORDER BY, HAVING, grouping sets.
SELECT count(*), count(i4), count(b), count(DISTINCT i2), count(DISTINCT b) FROM num;
SELECT sum(i2), sum(i4), sum(i8), sum(n2), sum(n4), sum(n0), sum(n10), sum(n), sum(f4), sum(f8) FROM num;
SELECT avg(i2), avg(i4), avg(i8), avg(n2), avg(n4), avg(n0), avg(n10), avg(f4), avg(f8) FROM num;
SELECT avg(n) FROM num;
SELECT min(i2), min(i4), min(i8), min(n2), min(n10), min(n), min(f4), min(f8), min(id) FROM num;
SELECT max(i2), max(i4), max(i8), max(n2), max(n10), max(n), max(f4), max(f8), max(id) FROM num;
-- expect native in en_US: aggregate min(text) under collation "default" is not supported in the engine
SELECT sum(k), avg(k), min(k), max(k), count(k), sum(n), avg(n), min(t), max(d), bool_and(b) FROM zero;
-- expect native in en_US: aggregate min(text) under collation "default" is not supported in the engine
SELECT sum(k), avg(k), min(k), max(k), count(k), sum(n), avg(n), min(t), max(d), bool_or(b) FROM nulls;
SELECT sum(id), avg(n), min(n), max(n), sum(n), count(k) FROM one;
SELECT k, sum(k), count(*) FROM zero GROUP BY k;
SELECT k, sum(k), count(*) FROM nulls GROUP BY k;
-- A thread's share of a join may be no batch at all.
SELECT sum(CASE WHEN zero.id <> r.k THEN zero.n ELSE r.n END), sum(CASE WHEN zero.k = 1 THEN r.n ELSE 0 END) FROM zero JOIN r ON zero.k = r.id;
SELECT sum(r.n), avg(r.n), min(zero.n), max(r.n), variance(r.n), stddev_pop(zero.n), variance(r.k), sum(DISTINCT r.n), count(DISTINCT r.k), array_agg(r.k ORDER BY r.k) FROM zero JOIN r ON zero.k = r.id;
SELECT DISTINCT round(sum(CASE WHEN t3.id <> t1.id THEN t2.n ELSE t1.n END)::numeric(18,2), 2) FROM zero t1 JOIN r t2 ON t1.k = t2.id JOIN tim t3 ON t2.id = t3.id;
SELECT variance(r.id::float8), stddev(r.n::float4), avg(r.id::float8), sum(r.n::float8), bool_and(zero.b), bit_or(r.k), count(*), string_agg(r.s, ',' ORDER BY r.s COLLATE "C") FROM zero JOIN r ON zero.k = r.id;
SELECT count(*) FROM num WHERE false;
SELECT i2 % 10, count(*) FROM num WHERE false GROUP BY 1;
SELECT sum(i4) FROM num HAVING count(*) > 1000;
SELECT count(*) FROM zero HAVING count(*) = 0;
-- expect native: HAVING without GROUP BY and aggregates is not supported in the engine
SELECT 1 FROM num HAVING true;
SELECT variance(i4), stddev(i4), var_pop(i4), stddev_pop(i4), var_samp(i2), stddev_samp(i8) FROM num;
-- expect fallback: numeric value has more digits than the engine holds
SELECT variance(n2), stddev(n4), var_pop(n2), stddev_pop(n) FROM num;
SELECT round(variance(f8)::numeric, 4), round(stddev_pop(f4)::numeric, 4) FROM num;
SELECT variance(id), stddev(n), var_pop(id), stddev_pop(n) FROM one;
SELECT variance(k), stddev_pop(n) FROM nulls;
SELECT b, variance(i4), stddev_pop(n2) FROM num GROUP BY b;
SELECT bool_and(b), bool_or(b), every(i4 > 0), bool_or(i4 IS NULL) FROM num;
SELECT bit_and(i4), bit_or(i2), bit_xor(i8) FROM num;
-- expect native: aggregate corr(double precision,double precision) is not supported in the engine
SELECT round(corr(f8, i4)::numeric, 6), regr_count(f8, f4) FROM num;
SELECT string_agg(s, ',' ORDER BY id) FROM l;
SELECT k, string_agg(s, '-' ORDER BY id DESC) FROM l GROUP BY k;
-- expect native: aggregate string_agg(text,text) without ORDER BY is not supported in the engine
SELECT k, string_agg(s, NULL ORDER BY id), string_agg(NULL, 'x') FROM l GROUP BY k;
-- expect native in en_US: the order of aggregate string_agg(text,text) under collation "default" is not supported in the engine
SELECT k, string_agg(DISTINCT s, ',' ORDER BY s) FROM l GROUP BY k;
SELECT k, array_agg(id ORDER BY id) FROM l GROUP BY k;
SELECT k, array_agg(s ORDER BY n DESC NULLS LAST, id) FROM l GROUP BY k;
SELECT k, array_agg(DISTINCT n ORDER BY n) FROM l GROUP BY k;
SELECT k, array_agg(id ORDER BY id) FILTER (WHERE n > 3) FROM l GROUP BY k;
SELECT string_agg(t, ';' ORDER BY id) FROM txt WHERE id > 400;
SELECT array_agg(d ORDER BY id), array_agg(n2 ORDER BY id) FROM (SELECT tim.id, d, n2 FROM tim JOIN num USING (id) WHERE id < 20) x;
-- expect native: aggregate json_agg(anyelement) is not supported in the engine
SELECT json_agg(id ORDER BY id) FROM l;
-- expect native: aggregate percentile_cont(double precision,double precision) is not supported in the engine
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY i4) FROM num;
-- expect native: aggregate mode(anyelement) is not supported in the engine
SELECT mode() WITHIN GROUP (ORDER BY k) FROM dup;
-- expect native: aggregate rank("any") is not supported in the engine
SELECT rank(100) WITHIN GROUP (ORDER BY i2) FROM num;
-- expect native: a cast from uuid to text is not supported in the engine
-- expect native in en_US: aggregate max(character) under collation "default" is not supported in the engine
SELECT min(b::int), max(c1), min(u::text) FROM num, txt, misc WHERE num.id = txt.id AND txt.id = misc.id;
SELECT b, count(*) FROM num GROUP BY b;
SELECT i2, count(*), sum(i4) FROM num GROUP BY i2;
SELECT n2, count(*) FROM num GROUP BY n2;
SELECT f8, count(*) FROM num GROUP BY f8 HAVING count(*) > 1;
SELECT n, count(*), sum(i4) FROM num GROUP BY n;
SELECT d, count(*) FROM l GROUP BY d;
SELECT k, v, w, count(*) FROM dup GROUP BY k, v, w;
SELECT f8, count(*) FROM ext WHERE id <> 6 GROUP BY f8;
SELECT n2 = 0, count(*) FROM ext GROUP BY n2 = 0;
SELECT min(f8), max(f8), min(f4), max(f4) FROM ext WHERE id NOT IN (5, 6);
-- expect fallback: the engine does not compute with NaN or infinity
SELECT min(n), max(n), sum(n) FROM ext;
-- expect fallback: numeric value has more digits than the engine holds
SELECT min(n), max(n), sum(n) FROM ext WHERE id NOT IN (1, 2, 3);
-- expect fallback: the engine does not compute with NaN or infinity
SELECT sum(n), avg(n) FROM ext WHERE id IN (2, 3);
-- expect fallback: the engine does not compute with NaN or infinity
SELECT sum(n), avg(n) FROM ext WHERE id IN (2, 10, 12);
SELECT sum(n10), avg(n10), sum(n2), avg(n2) FROM ext;
SELECT sum(i8), avg(i8), sum(i4), avg(i4), sum(i2) FROM ext;
SELECT sum(f8), avg(f8) FROM ext WHERE id IN (2, 3, 10);
SELECT sum(f8), max(f8), min(f8) FROM ext WHERE id IN (1, 10);
SELECT count(DISTINCT f8), count(DISTINCT n), count(DISTINCT n2), count(DISTINCT f4) FROM ext;
SELECT i2 % 7 AS k, count(*), avg(n2), sum(n2) / count(n2) FROM num GROUP BY 1;
SELECT i4 > 0 AS p, i2 IS NULL AS q, count(*), sum(n4) FROM num GROUP BY 1, 2;
SELECT i2 % 7 + 1 AS k, (i2 % 7 + 1) * 2, count(*) FROM num GROUP BY i2 % 7 + 1;
SELECT count(*) + 1, sum(i4) * 2, -max(i2), coalesce(sum(n2), 0) / 3 FROM num;
SELECT b, max(i4) - min(i4), avg(i4) > 0, CASE WHEN count(*) > 200 THEN 'many' ELSE 'few' END FROM num GROUP BY b;
SELECT sum(i4 + i2), sum(i4) + sum(i2), avg(i4 * 2), max(-i4) FROM num;
SELECT sum(n2) FILTER (WHERE b), count(*) FILTER (WHERE NOT b), avg(i4) FILTER (WHERE i2 > 0), max(i8) FILTER (WHERE false) FROM num;
SELECT i2 % 5 AS k, sum(n2) FILTER (WHERE b), count(*) FILTER (WHERE i4 IS NULL), min(n4) FILTER (WHERE n4 > 0) FROM num GROUP BY 1;
SELECT count(DISTINCT i2) FILTER (WHERE b), sum(DISTINCT i2) FILTER (WHERE NOT b) FROM num;
SELECT b, count(DISTINCT i2), count(DISTINCT n2), sum(DISTINCT i2), avg(DISTINCT i2), min(DISTINCT i2) FROM num GROUP BY b;
SELECT count(DISTINCT i2), sum(i2), count(DISTINCT i4), avg(i4) FROM num;
SELECT sum(DISTINCT n2), avg(DISTINCT n2), count(DISTINCT n) FROM num;
SELECT k, count(DISTINCT v), count(DISTINCT w), count(v), count(*) FROM dup GROUP BY k;
SELECT count(DISTINCT k + v) FROM dup;
-- expect native: ROW is not supported in the engine
SELECT count(DISTINCT (k, v)) FROM dup;
-- since 16
-- expect native: aggregate any_value(anyelement) is not supported in the engine
SELECT any_value(b) IS NOT NULL FROM one;
SELECT i2 % 10 AS k, count(*) FROM num GROUP BY 1 HAVING count(*) > 30;
SELECT i2 % 10 AS k, sum(i4) FROM num GROUP BY 1 HAVING sum(i4) > 0 AND count(*) < 50;
SELECT i2 % 10 AS k FROM num GROUP BY 1 HAVING max(n2) IS NULL OR min(n2) < -99;
SELECT b FROM num GROUP BY b HAVING b IS NOT NULL;
SELECT k FROM dup GROUP BY k HAVING count(DISTINCT v) > 1;
SELECT dept, avg(salary), max(hired) FROM emp GROUP BY dept HAVING avg(salary) > 2500;
SELECT region, product, sum(amount), sum(qty), avg(amount), count(*) FROM sales GROUP BY region, product;
SELECT extract(year FROM day) AS y, extract(month FROM day) AS m, sum(amount) FROM sales GROUP BY 1, 2;
SELECT emp % 10, region, sum(qty * amount), min(day), max(day) FROM sales GROUP BY emp % 10, region;
SELECT e.id, e.name, e.dept, count(s.id) FROM emp e LEFT JOIN sales s ON s.emp = e.id GROUP BY e.id, e.name, e.dept;
SELECT heap.plain.id, label, count(*) FROM heap.plain JOIN l ON l.k = plain.k GROUP BY heap.plain.id;
SELECT sum(s), count(*) FROM (SELECT i2, sum(i4) AS s FROM num GROUP BY i2) x;
SELECT avg(c), max(c) FROM (SELECT emp, count(*) AS c FROM sales GROUP BY emp) x;
SELECT dept, boss, count(*), GROUPING(dept), GROUPING(dept, boss) FROM emp WHERE id < 60 GROUP BY ROLLUP (dept, boss);
SELECT dept, active, grade, sum(salary), GROUPING(dept, active, grade) FROM emp GROUP BY CUBE (dept, active, grade);
SELECT dept, active, count(*) FROM emp GROUP BY GROUPING SETS ((dept), (active), ());
SELECT dept, active, count(*) FROM emp GROUP BY GROUPING SETS ((dept, active), (dept), (dept));
SELECT dept, active, count(*) FROM emp GROUP BY dept, ROLLUP (active);
SELECT dept, active, grade, count(*) FROM emp GROUP BY ROLLUP (dept), CUBE (active, grade);
SELECT dept, active, count(*) FROM emp GROUP BY ROLLUP ((dept, active));
SELECT count(*), sum(salary) FROM emp GROUP BY ();
SELECT count(*), sum(k) FROM zero GROUP BY GROUPING SETS ((), ());
SELECT k, count(*) FROM zero GROUP BY ROLLUP (k);
SELECT k, v, count(*), GROUPING(k), GROUPING(v) FROM dup GROUP BY CUBE (k, v);
SELECT k, v, count(*) FROM dup GROUP BY ROLLUP (k, v) HAVING count(*) > 10;
SELECT k, v, count(*) FROM dup GROUP BY CUBE (k, v) HAVING GROUPING(k) = 0;
SELECT k, count(DISTINCT v), sum(v) FROM dup GROUP BY ROLLUP (k);
SELECT k + 1, v, count(*) FROM dup GROUP BY ROLLUP (k + 1, v);
SELECT coalesce(k, -1) AS kk, count(*), GROUPING(coalesce(k, -1)) FROM dup GROUP BY ROLLUP (coalesce(k, -1));
-- ordered
SELECT dept, active, sum(salary) FROM emp GROUP BY CUBE (dept, active) ORDER BY GROUPING(dept, active), dept, active;
SELECT region, extract(year FROM day) AS y, sum(amount) FROM sales GROUP BY ROLLUP (region, extract(year FROM day));
-- expect native: CASE over Bpchar { length: 3 } and Bpchar { length: 2 } is not supported
SELECT CASE WHEN GROUPING(region) = 1 THEN 'all' ELSE region END AS r, count(*) FROM sales GROUP BY ROLLUP (region);
SELECT d.name, e.active, count(*), max(e.salary) FROM emp e JOIN dept d ON d.id = e.dept GROUP BY GROUPING SETS ((d.name, e.active), (d.name), ());
SELECT x.k, sum(x.c) FROM (SELECT k, v, count(*) AS c FROM dup GROUP BY CUBE (k, v)) x GROUP BY x.k;
SELECT dept, active, count(*) FROM emp GROUP BY DISTINCT ROLLUP (dept, active), ROLLUP (dept);
-- An aggregate without groups has a row for no input: a condition that is never true must not get below it.
SELECT id FROM l WHERE l.id > ANY (SELECT 1 FROM (SELECT date '1998-01-01' AS a, CASE WHEN min(NULL::timestamp) < timestamp '2020-01-04' THEN date '2020-01-05' END AS b FROM r) x JOIN l ON x.a = x.b);
SELECT id FROM l WHERE l.id > ANY (SELECT 1 FROM (SELECT date '1998-01-01' AS a, CASE WHEN min(k) < 3 THEN date '2020-01-05' END AS b FROM r) x JOIN l ON x.a = x.b);
SELECT 1 FROM (SELECT date '1998-01-01' AS a, CASE WHEN min(k) < 3 THEN date '2020-01-05' END AS b FROM r) x JOIN l ON x.a = x.b;
SELECT id FROM l WHERE EXISTS (SELECT count(*) FROM tri t3 GROUP BY t3.id HAVING (1.25 > ANY (SELECT 1.25 AS c0 FROM tim t4 WHERE (t3.id IS NOT NULL))));
SELECT count(*) FROM tri t3 GROUP BY t3.id HAVING (1.25 > ANY (SELECT 1.25 AS c0 FROM tim t4 WHERE (t3.id IS NOT NULL)));
SELECT l.id, x.b FROM l LEFT JOIN (SELECT count(*) AS b FROM r) x ON false;
SELECT l.id, x.b FROM l LEFT JOIN (SELECT count(*) AS b FROM r) x ON now() < '2000-01-01';
SELECT l.id, x.b FROM l JOIN (SELECT count(*) AS b FROM r) x ON x.b > 3 AND now() < '2000-01-01';
SELECT l.id, x.b FROM l LEFT JOIN (SELECT count(*) AS b FROM r) x ON x.b > 3 AND now() < '2000-01-01';
SELECT l.id, x.b FROM l FULL JOIN (SELECT count(*) AS b FROM r) x ON x.b = l.k AND now() < '2000-01-01';
SELECT x.b FROM (SELECT count(*) AS b FROM r) x WHERE date '1998-01-01' = CASE WHEN x.b < 3 THEN date '2020-01-05' END;
SELECT * FROM (SELECT k, count(*) AS c FROM dup GROUP BY ROLLUP (k)) x WHERE k IS NULL;
SELECT * FROM (SELECT k, v, count(*) AS c FROM dup GROUP BY CUBE (k, v)) x WHERE k > 0 AND v IS NULL;
SELECT l.id, x.c FROM l LEFT JOIN (SELECT k, count(*) AS c FROM dup GROUP BY ROLLUP (k)) x ON x.k = l.k OR x.k IS NULL AND l.k > 10;
SELECT b, (SELECT min(d) FROM r), count(*) FROM tri GROUP BY ROLLUP (b);
SELECT b, (SELECT count(*) FROM r WHERE r.k > 3) FROM tri GROUP BY CUBE (b, c);
SELECT k, count(*) FROM l GROUP BY CUBE (k) HAVING count(*) IN (SELECT w FROM m);
SELECT k, s, count(*), GROUPING(k) FROM l GROUP BY ROLLUP (k, s) HAVING count(*) > (SELECT avg(w) FROM m) AND EXISTS (SELECT 1 FROM r WHERE n > 3);
SELECT v FROM dup GROUP BY CUBE (v) HAVING date '2021-07-01' = ALL (SELECT d FROM l);
SELECT CASE WHEN count(*) NOT IN (SELECT id FROM tim) THEN 'no' ELSE 'yes' END FROM tri GROUP BY ROLLUP (a);
