--
-- The relational core: filters, joins, grouping, sorting, limits.
--
SET search_path = fast, public;
SELECT same('SELECT count(*), count(i4), count(DISTINCT i2) FROM numbers');
SELECT same('SELECT sum(i2), sum(i4), sum(i8), avg(i2), avg(i4), avg(i8) FROM numbers WHERE id <= 500');
SELECT same('SELECT sum(n9), sum(n15), sum(n30), avg(n9), avg(n15), avg(n30), sum(n15 * (1 - n9)) FROM numbers WHERE id <= 500');
SELECT same('SELECT sum(n), avg(n) FROM numbers WHERE id <= 500');
SELECT same('SELECT min(i2), max(i8), min(n15), max(n30), min(f8), max(f8), min(f4), max(f4) FROM numbers WHERE id <> 503');
SELECT same('SELECT min(d), max(d), min(ts), max(tz) FROM words');
SELECT same('SELECT bool_and(b), bool_or(b), every(b) FROM numbers');
SELECT same('SELECT sum(i4), avg(n15), count(*), min(i2) FROM numbers WHERE id < 0');
SELECT same('SELECT sum(n), count(*) FROM empty');
SELECT same('SELECT i2, count(*), sum(n15) FROM numbers WHERE id <= 500 GROUP BY i2');
SELECT same('SELECT f8, count(*) FROM numbers GROUP BY f8');
SELECT same('SELECT c1, c, count(*) FROM words GROUP BY c1, c');
SELECT same('SELECT b, sum(n15) FILTER (WHERE i4 > 0), count(*) FILTER (WHERE i2 IS NULL) FROM numbers GROUP BY b');
SELECT same('SELECT b, count(DISTINCT i2), sum(DISTINCT i2) FROM numbers GROUP BY b');
SELECT same('SELECT i2 % 10 AS k, count(*) FROM numbers GROUP BY i2 % 10 HAVING count(*) > 30');
SELECT same('SELECT i2 + 1, sum(i4) / count(i4) FROM numbers WHERE i4 > 0 GROUP BY i2 + 1');
SELECT same('SELECT DISTINCT i2 % 5, b FROM numbers');
SELECT same('SELECT DISTINCT c1 FROM words');
SELECT same('SELECT id, i4 FROM numbers ORDER BY i4, id');
SELECT same('SELECT id, i4 FROM numbers ORDER BY i4 DESC NULLS LAST, id DESC LIMIT 17 OFFSET 5');
SELECT same('SELECT id, f8 FROM numbers ORDER BY f8 DESC, id');
SELECT same('SELECT id, n FROM numbers ORDER BY n, id');
SELECT same('SELECT id FROM words ORDER BY t COLLATE "C" NULLS FIRST, id');
SELECT same('SELECT id FROM words ORDER BY c, v, id DESC');
SELECT same('SELECT id FROM numbers ORDER BY id OFFSET 490');
SELECT same('SELECT id FROM numbers ORDER BY id LIMIT NULL');
SELECT same('SELECT id + 1 FROM numbers ORDER BY id % 7, -id LIMIT 10');
-- Joins.
SELECT same('SELECT n.id, w.v FROM numbers n, words w WHERE n.id = w.id AND n.i4 > 0');
SELECT same('SELECT n.id, w.id FROM numbers n JOIN words w ON n.i2 = w.id AND n.b');
SELECT same('SELECT n.id, w.id, w.t FROM numbers n LEFT JOIN words w ON n.i2 = w.id AND w.c1 = ''A''');
SELECT same('SELECT n.id, w.id FROM numbers n RIGHT JOIN words w ON n.i2 = w.id WHERE w.id < 50');
SELECT same('SELECT n.id, c.id FROM numbers n FULL JOIN changed c ON n.id = c.kept');
SELECT same('SELECT count(*) FROM numbers a, numbers b WHERE a.i2 < b.i2 AND a.id < 40 AND b.id < 40');
SELECT same('SELECT a.id, b.id FROM numbers a, numbers b WHERE a.f8 = b.f8');
SELECT same('SELECT a.id, b.id FROM numbers a, numbers b WHERE a.n9 = b.n15');
SELECT same('SELECT a.id, b.id FROM words a, words b WHERE a.c = b.c AND a.id < b.id AND a.id < 20');
SELECT same('SELECT n.id FROM numbers n WHERE EXISTS (SELECT 1 FROM words w WHERE w.id = n.i2 AND w.c1 = ''B'')');
SELECT same('SELECT n.id FROM numbers n WHERE NOT EXISTS (SELECT 1 FROM words w WHERE w.id = n.i2)');
SELECT same('SELECT n.id FROM numbers n WHERE n.i2 IN (SELECT w.id FROM words w WHERE w.d > date ''2000-01-01'')');
SELECT same('SELECT w.c1, sum(n.n15) AS s FROM numbers n JOIN words w ON w.id = n.id JOIN changed c ON c.id = w.id GROUP BY w.c1 ORDER BY s DESC NULLS LAST');
SELECT same('SELECT x.k, x.s FROM (SELECT i2 % 10 AS k, sum(i4) AS s FROM numbers WHERE id <= 500 GROUP BY 1) x WHERE x.s > 0');
SELECT same('SELECT n.id, x.m FROM numbers n JOIN (SELECT max(id) AS m FROM words) x ON n.id = x.m');
SELECT same('WITH recent AS (SELECT id, d FROM words WHERE d > date ''2000-05-01'') SELECT n.id, r.d FROM numbers n JOIN recent r USING (id)');
CREATE VIEW positive AS SELECT id, i4, n15 FROM fast.numbers WHERE i4 > 0;
SELECT same('SELECT count(*), sum(n15) FROM positive');
DROP VIEW positive;
-- Parameters: custom and generic plans, PL/pgSQL, cursors.
SET fusion.force = on;
SET fusion.fallback = off;
PREPARE by_limit(numeric, date) AS SELECT count(*), sum(n.n15) FROM numbers n JOIN words w USING (id) WHERE n.n15 > $1 AND w.d < $2;
EXECUTE by_limit(0, '2000-06-01');
SET plan_cache_mode = force_generic_plan;
EXECUTE by_limit(0, '2000-06-01');
EXECUTE by_limit(100000.5, '2000-03-01');
EXECUTE by_limit(NULL, NULL);
RESET plan_cache_mode;
DEALLOCATE by_limit;
-- A parameter expression that fails is PostgreSQL's to evaluate, or not.
PREPARE guarded(int) AS SELECT count(*), sum(CASE WHEN id < 0 THEN 1 / $1 ELSE 2 END) FROM numbers;
EXECUTE guarded(5);
SET plan_cache_mode = force_generic_plan;
EXECUTE guarded(0);
SET fusion.fallback = on;
EXECUTE guarded(0);
SET fusion.fallback = off;
RESET plan_cache_mode;
DEALLOCATE guarded;
DO $$
DECLARE
    total numeric := 0;
    r record;
BEGIN
    FOR r IN SELECT id FROM fast.numbers WHERE id < 4 ORDER BY id LOOP
        total := total + (SELECT sum(i4) FROM fast.numbers WHERE id <= r.id AND i4 IS NOT NULL);
    END LOOP;
    RAISE NOTICE 'total %', total;
END $$;
BEGIN;
DECLARE one CURSOR FOR SELECT id FROM numbers ORDER BY id;
DECLARE two SCROLL CURSOR FOR SELECT id FROM words ORDER BY id DESC;
FETCH 2 FROM one;
FETCH 2 FROM two;
FETCH 1 FROM one;
FETCH BACKWARD 1 FROM two;
CLOSE one;
FETCH 1 FROM two;
COMMIT;
CREATE TABLE public.copied AS SELECT id, n15 FROM fast.numbers WHERE n15 > 0;
SELECT count(*) FROM public.copied;
INSERT INTO public.copied SELECT id, n15 FROM fast.numbers WHERE n15 < 0;
SELECT count(*), sum(n15) FROM public.copied;
DROP TABLE public.copied;
