-- Window functions: ranking, offsets, aggregates over all frame kinds, several windows, over groups, in subqueries.
SELECT id, row_number() OVER (ORDER BY id) FROM l;
SELECT id, k, row_number() OVER (PARTITION BY k ORDER BY id) FROM l;
SELECT id, k, rank() OVER (ORDER BY k), dense_rank() OVER (ORDER BY k) FROM l;
SELECT id, rank() OVER (ORDER BY n DESC NULLS LAST), percent_rank() OVER (ORDER BY n), cume_dist() OVER (ORDER BY n) FROM l;
SELECT id, k, rank() OVER (PARTITION BY k ORDER BY n), dense_rank() OVER (PARTITION BY k ORDER BY n DESC) FROM l;
SELECT id, ntile(4) OVER (ORDER BY id), ntile(7) OVER (PARTITION BY s ORDER BY id), ntile(100) OVER (ORDER BY id) FROM l;
SELECT id, lag(id) OVER (ORDER BY id), lead(id) OVER (ORDER BY id), lag(n, 2) OVER (ORDER BY id), lead(s, 3) OVER (ORDER BY id) FROM l;
SELECT id, lag(n, 1, 0) OVER (ORDER BY id), lead(k, 2, -1) OVER (PARTITION BY s ORDER BY id), lag(id, 0) OVER (ORDER BY id) FROM l;
SELECT id, lag(n, -1) OVER (ORDER BY id), lead(n, k) OVER (ORDER BY id) FROM l;
SELECT id, first_value(n) OVER (ORDER BY id), last_value(n) OVER (ORDER BY id), nth_value(n, 3) OVER (ORDER BY id) FROM l;
SELECT id, first_value(id) OVER (PARTITION BY k ORDER BY id), last_value(id) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM l;
-- expect native in en_US: aggregate max(text) under collation "default" is not supported in the engine
SELECT id, sum(n) OVER (), count(*) OVER (), avg(k) OVER (), max(s) OVER () FROM l;
SELECT id, sum(n) OVER (PARTITION BY k), count(*) OVER (PARTITION BY k), min(n) OVER (PARTITION BY s) FROM l;
SELECT id, sum(n) OVER (ORDER BY id), avg(n) OVER (ORDER BY id), count(n) OVER (ORDER BY id) FROM l;
SELECT id, sum(n) OVER (ORDER BY k), count(*) OVER (ORDER BY k), max(id) OVER (ORDER BY k) FROM l;
SELECT id, sum(n) OVER (PARTITION BY s ORDER BY id), min(n) OVER (PARTITION BY s ORDER BY id DESC) FROM l;
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM l;
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING), max(n) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 3 FOLLOWING) FROM l;
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING), count(*) OVER (ORDER BY id ROWS BETWEEN 2 FOLLOWING AND 4 FOLLOWING) FROM l;
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING), avg(n) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM l;
SELECT id, sum(n) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING), sum(n) OVER (ORDER BY id ROWS 3 PRECEDING) FROM l;
-- expect error: 42P20
SELECT id, count(*) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 1 PRECEDING) FROM l;
SELECT id, sum(n) OVER (ORDER BY k RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), sum(n) OVER (ORDER BY k RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM l;
SELECT id, k, sum(n) OVER (ORDER BY k RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING) FROM l;
SELECT id, k, count(*) OVER (ORDER BY k DESC RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM l;
SELECT id, n, count(*) OVER (ORDER BY n RANGE BETWEEN 1.25 PRECEDING AND 2.5 FOLLOWING) FROM l;
SELECT id, d, count(*) OVER (ORDER BY d RANGE BETWEEN interval '2 days' PRECEDING AND CURRENT ROW) FROM l;
SELECT id, sum(n) OVER (ORDER BY k NULLS FIRST RANGE BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING) FROM l;
SELECT id, k, sum(n) OVER (ORDER BY k GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM l;
SELECT id, k, count(*) OVER (ORDER BY k GROUPS CURRENT ROW), max(id) OVER (ORDER BY k GROUPS BETWEEN 2 PRECEDING AND 1 PRECEDING) FROM l;
SELECT id, sum(n) OVER (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW), count(*) OVER (ORDER BY id) FROM (SELECT * FROM l WHERE id IN (1, 2, 3, 4, 5, 7, 8, 9, 10)) l;
SELECT id, count(*) OVER (ORDER BY k RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP) FROM l;
SELECT id, count(*) OVER (ORDER BY k RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM l;
SELECT id, sum(id) OVER (ORDER BY k GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE NO OTHERS) FROM l;
SELECT id, row_number() OVER w, sum(n) OVER w, lag(id) OVER w FROM l WINDOW w AS (PARTITION BY s ORDER BY id);
SELECT id, sum(n) OVER (w ORDER BY id), count(*) OVER w FROM l WINDOW w AS (PARTITION BY k);
SELECT id, row_number() OVER (ORDER BY k, id), row_number() OVER (ORDER BY s COLLATE "C", id), row_number() OVER (ORDER BY n DESC, id) FROM l;
SELECT id, sum(n) FILTER (WHERE k > 3) OVER (ORDER BY id), count(*) FILTER (WHERE s IS NULL) OVER (PARTITION BY k) FROM l;
SELECT id, row_number() OVER (ORDER BY k + 1, id), sum(n * 2) OVER (PARTITION BY k % 3 ORDER BY id) FROM l;
SELECT id, sum(n) OVER (ORDER BY id) - n, n / sum(n) OVER (), round(100 * n / sum(n) OVER (PARTITION BY k), 2) FROM l WHERE n > 0;
SELECT id, CASE WHEN row_number() OVER (PARTITION BY k ORDER BY id) = 1 THEN 'first' END FROM l;
SELECT k, count(*), sum(count(*)) OVER (), rank() OVER (ORDER BY count(*) DESC), sum(sum(n)) OVER (ORDER BY k) FROM l GROUP BY k;
SELECT region, sum(amount), sum(amount) / sum(sum(amount)) OVER (), row_number() OVER (ORDER BY sum(amount) DESC) FROM sales GROUP BY region;
SELECT * FROM (SELECT id, k, row_number() OVER (PARTITION BY k ORDER BY id DESC) AS rn FROM l) x WHERE rn <= 2;
SELECT * FROM (SELECT id, dept, salary, rank() OVER (PARTITION BY dept ORDER BY salary DESC NULLS LAST) AS r FROM emp) x WHERE r = 1;
SELECT l.id, x.rn FROM l JOIN (SELECT id, row_number() OVER (ORDER BY n, id) AS rn FROM r) x ON x.rn = l.id;
SELECT l.id, r.id, row_number() OVER (PARTITION BY l.id ORDER BY r.id), count(*) OVER (PARTITION BY r.k) FROM l JOIN r ON l.k = r.k;
SELECT DISTINCT k, count(*) OVER (PARTITION BY k) FROM l;
-- ordered
SELECT id, sum(n) OVER (ORDER BY id) AS s FROM l ORDER BY s DESC NULLS LAST, id LIMIT 7;
-- ordered
SELECT id FROM l ORDER BY row_number() OVER (ORDER BY n NULLS FIRST, id DESC);
SELECT id, k, sum(k) OVER (ORDER BY id), avg(k) OVER (ORDER BY id ROWS 2 PRECEDING), sum(k::int8) OVER (ORDER BY id), sum(k::int2) OVER (ORDER BY id) FROM l;
SELECT id, min(i4) OVER w, max(i4) OVER w, sum(i8) OVER w, avg(n2) OVER w, bool_or(b) OVER w FROM num WINDOW w AS (ORDER BY id ROWS BETWEEN 10 PRECEDING AND 10 FOLLOWING);
SELECT id, sum(f8) OVER (ORDER BY id), sum(f4) OVER (ORDER BY id ROWS 5 PRECEDING), min(f8) OVER (PARTITION BY b ORDER BY id) FROM num;
-- expect fallback: the engine does not compute with NaN or infinity
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM ext;
SELECT id, sum(f8) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM ext WHERE id IN (1, 2, 3, 10, 11, 12);
-- expect native: window function string_agg(text,text) is not supported in the engine
-- expect native in en_US: aggregate min(text) under collation "default" is not supported in the engine
SELECT id, min(t) OVER (ORDER BY id ROWS 3 PRECEDING), string_agg(v, ',') OVER (ORDER BY id ROWS 2 PRECEDING) FROM txt WHERE id < 60;
-- expect native in en_US: ORDER BY under collation "default" in a window is not supported in the engine
SELECT id, count(*) OVER (ORDER BY t), rank() OVER (ORDER BY c) FROM txt;
SELECT id, rank() OVER (ORDER BY tc), lag(tc) OVER (ORDER BY tc, id), first_value(t) OVER (PARTITION BY c1 ORDER BY id) FROM txt;
SELECT id, rank() OVER (ORDER BY f8), dense_rank() OVER (ORDER BY n) FROM ext;
SELECT id, rank() OVER (PARTITION BY a ORDER BY b), count(*) OVER (PARTITION BY a, b) FROM tri;
SELECT id, lag(d) OVER (ORDER BY id), d - lag(d) OVER (ORDER BY id), max(ts) OVER (ORDER BY id ROWS 4 PRECEDING) FROM tim;
SELECT k, row_number() OVER () IS NOT NULL FROM zero;
SELECT id, count(*) OVER (), rank() OVER (ORDER BY k), sum(n) OVER (ORDER BY id) FROM nulls;
SELECT id, count(DISTINCT k) FROM l GROUP BY id HAVING count(*) > 0;
SELECT emp, day, amount, sum(amount) OVER (PARTITION BY emp ORDER BY day, id), avg(amount) OVER (PARTITION BY emp ORDER BY day, id ROWS 2 PRECEDING) FROM sales WHERE emp < 25;
SELECT emp, day, count(*) OVER (PARTITION BY emp ORDER BY day RANGE BETWEEN interval '1 month' PRECEDING AND CURRENT ROW) FROM sales WHERE emp < 25;
SELECT id, (SELECT x.rn FROM (SELECT id, row_number() OVER (ORDER BY k, id) AS rn FROM l) x WHERE x.id = r.id) FROM r;
SELECT id FROM l WHERE id IN (SELECT first_value(id) OVER (PARTITION BY k ORDER BY n DESC NULLS LAST, id) FROM l);
SELECT id, k, nth_value(id, 2) OVER (PARTITION BY k ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM l;
WITH x AS (SELECT dept, sum(salary) AS s FROM emp GROUP BY dept) SELECT dept, s, s - lag(s) OVER (ORDER BY dept), s * 100 / sum(s) OVER () FROM x;
