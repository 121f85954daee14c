-- DISTINCT, DISTINCT ON, ORDER BY, LIMIT, OFFSET, WITH TIES.
SELECT DISTINCT k FROM dup;
SELECT DISTINCT k, v FROM dup;
SELECT DISTINCT k, v, w FROM dup;
SELECT DISTINCT v + k FROM dup;
SELECT DISTINCT b FROM num;
SELECT DISTINCT i2 % 10, b FROM num;
SELECT DISTINCT n2 FROM num;
SELECT DISTINCT f8 FROM num;
SELECT DISTINCT c, c1 FROM txt;
SELECT DISTINCT t FROM txt;
SELECT DISTINCT d FROM l;
SELECT DISTINCT a, b, c FROM tri;
SELECT DISTINCT * FROM nulls;
SELECT DISTINCT * FROM zero;
SELECT DISTINCT 1 FROM num;
SELECT DISTINCT count(*) FROM num GROUP BY i2 % 10;
SELECT DISTINCT k, count(*) FROM l GROUP BY k, s;
SELECT DISTINCT l.k, r.s FROM l JOIN r ON l.k = r.k;
SELECT count(*) FROM (SELECT DISTINCT emp, product FROM sales) x;
SELECT DISTINCT u IS NULL FROM misc;
-- expect native: DISTINCT on type uuid is not supported in the engine
SELECT DISTINCT u FROM misc;
SELECT DISTINCT f8 FROM ext WHERE id <> 6;
-- ordered
SELECT DISTINCT k FROM dup ORDER BY k DESC;
-- ordered
SELECT DISTINCT k, v FROM dup ORDER BY v NULLS FIRST, k;
-- ordered
SELECT DISTINCT i2 % 10 AS m FROM num ORDER BY m LIMIT 3;
-- ordered
SELECT DISTINCT ON (k) k, id, n FROM l ORDER BY k, id;
-- ordered
SELECT DISTINCT ON (k) k, id, n FROM l ORDER BY k DESC, n DESC NULLS LAST, id;
-- ordered
SELECT DISTINCT ON (k, s COLLATE "C") k, s, id FROM l ORDER BY k, s COLLATE "C", id DESC;
-- ordered
SELECT DISTINCT ON (emp) emp, day, id FROM sales WHERE emp < 20 ORDER BY emp, day DESC NULLS LAST, id;
-- ordered
SELECT DISTINCT ON (k + 1) id FROM l ORDER BY k + 1, id;
-- ordered
SELECT DISTINCT ON (b) b, id FROM num ORDER BY b, id LIMIT 2;
SELECT x.k, x.id FROM (SELECT DISTINCT ON (k) k, id FROM l ORDER BY k, id) x JOIN r ON r.k = x.k;
SELECT count(*) FROM (SELECT DISTINCT ON (k) k, id FROM l ORDER BY k, id) x;
-- ordered
SELECT DISTINCT ON (dept) dept, name, salary FROM emp ORDER BY dept, salary DESC NULLS LAST, id;
-- ordered
SELECT id FROM num ORDER BY id;
-- ordered
SELECT id FROM num ORDER BY id DESC;
-- ordered
SELECT id, i4 FROM num ORDER BY i4, id;
-- ordered
SELECT id, i4 FROM num ORDER BY i4 DESC, id;
-- ordered
SELECT id, i4 FROM num ORDER BY i4 NULLS FIRST, id;
-- ordered
SELECT id, i4 FROM num ORDER BY i4 DESC NULLS LAST, id DESC;
-- ordered
SELECT id, i2, i8 FROM num ORDER BY i2, i8 DESC, id;
-- ordered
SELECT id, n2 FROM num ORDER BY n2, id;
-- ordered
SELECT id, n FROM num ORDER BY n DESC, id;
-- ordered
SELECT id, n10 FROM num ORDER BY n10 NULLS FIRST, id;
-- ordered
SELECT id, f4, f8 FROM num ORDER BY f4, f8 DESC, id;
-- ordered
SELECT id, b FROM num ORDER BY b, id;
-- ordered
SELECT id, b FROM num ORDER BY b DESC NULLS LAST, id;
-- ordered
SELECT id, d FROM tim ORDER BY d DESC, id;
-- ordered
SELECT id, ts, tz FROM tim ORDER BY ts, tz, id;
-- ordered
SELECT id, f8 FROM ext ORDER BY f8, id;
-- ordered
SELECT id, f4 FROM ext ORDER BY f4 DESC, id;
-- ordered
SELECT id, n FROM ext ORDER BY n, id;
-- ordered
SELECT id, n2, n10 FROM ext ORDER BY n2 DESC NULLS LAST, n10, id;
-- ordered
SELECT id, i8 FROM ext ORDER BY i8, id;
-- ordered
SELECT id, tc FROM txt ORDER BY tc, id;
-- ordered
SELECT id, t FROM txt ORDER BY t, id;
-- ordered
SELECT id, t FROM txt ORDER BY t DESC NULLS LAST, id LIMIT 20;
-- ordered
SELECT id, v, c FROM txt ORDER BY v, c DESC, id;
-- ordered
SELECT id, c FROM txt ORDER BY c, id OFFSET 100;
-- ordered
SELECT id, t FROM txt ORDER BY t COLLATE "C" DESC, id;
-- ordered
SELECT id FROM txt ORDER BY t COLLATE "POSIX" NULLS FIRST, v COLLATE "C", id;
-- ordered
-- expect fallback in en_US: the engine changes the case of ASCII letters only
SELECT id FROM txt ORDER BY upper(t), id;
-- ordered
SELECT id FROM txt ORDER BY length(t), id;
-- ordered
SELECT t, count(*) FROM txt GROUP BY t ORDER BY count(*) DESC, t;
-- ordered
SELECT c, count(*) FROM txt GROUP BY c ORDER BY c;
-- ordered
SELECT id FROM num ORDER BY i4 + i2, id;
-- ordered
SELECT id FROM num ORDER BY -i4, abs(i2) DESC, id;
-- ordered
SELECT id FROM num ORDER BY i4 > 0, b, id;
-- ordered
SELECT id FROM num ORDER BY CASE WHEN b THEN i4 ELSE -i4 END, id;
-- ordered
SELECT id, i4 AS x FROM num ORDER BY x, 1;
-- ordered
SELECT i2 % 5, count(*) FROM num GROUP BY i2 % 5 ORDER BY 2, 1;
-- ordered
SELECT i2 % 5 AS k FROM num GROUP BY i2 % 5 ORDER BY sum(i4), k;
-- ordered
SELECT id FROM num ORDER BY id LIMIT 0;
-- ordered
SELECT id FROM num ORDER BY id LIMIT 1;
-- ordered
SELECT id FROM num ORDER BY id LIMIT 5 OFFSET 797;
-- ordered
SELECT id FROM num ORDER BY id OFFSET 1000;
-- ordered
SELECT id FROM num ORDER BY id LIMIT NULL OFFSET NULL;
-- ordered
SELECT id FROM num ORDER BY id LIMIT ALL OFFSET 790;
-- ordered
SELECT id FROM num ORDER BY id LIMIT 2 + 3 OFFSET 10 * 2;
-- ordered
-- expect partial: a subquery in an expression runs in the engine; not the whole: a subquery in this place is not supported in th
SELECT id FROM num ORDER BY id LIMIT (SELECT count(*) FROM dept) OFFSET (SELECT max(id) FROM dept);
-- ordered
SELECT id FROM num ORDER BY id FETCH FIRST 3 ROWS ONLY;
-- ordered
SELECT id FROM num ORDER BY id FETCH FIRST ROW ONLY;
SELECT k FROM l ORDER BY k FETCH FIRST 4 ROWS WITH TIES;
SELECT k FROM l ORDER BY k DESC FETCH FIRST 1 ROWS WITH TIES;
SELECT k FROM l ORDER BY k NULLS FIRST OFFSET 2 FETCH FIRST 3 ROWS WITH TIES;
SELECT id, s FROM l ORDER BY s COLLATE "C" FETCH FIRST 5 ROWS WITH TIES;
SELECT k, count(*) FROM l GROUP BY k ORDER BY count(*) FETCH FIRST 2 ROWS WITH TIES;
SELECT x.k FROM (SELECT k FROM l ORDER BY k FETCH FIRST 4 ROWS WITH TIES) x JOIN r ON r.k = x.k;
SELECT count(*) FROM (SELECT id FROM num LIMIT 100) x;
SELECT count(*) FROM (SELECT id FROM num OFFSET 700) x;
SELECT count(*) FROM (SELECT * FROM l LIMIT 0) x;
-- ordered
SELECT id, u FROM misc ORDER BY u, id;
-- ordered
SELECT id FROM misc ORDER BY iv DESC, id LIMIT 5;
-- ordered
SELECT x.id, x.i4 FROM (SELECT id, i4 FROM num ORDER BY i4 DESC NULLS LAST, id LIMIT 50) x ORDER BY x.id LIMIT 10;
