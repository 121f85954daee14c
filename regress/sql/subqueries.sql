--
-- Sub-selects everywhere: EXISTS, IN, ANY, ALL, scalars, correlated and not, WITH, LATERAL, over data full of NULLs.
--
SET search_path = fast, public;
CREATE TABLE public.a (id int PRIMARY KEY, x int, y int, n numeric, t text COLLATE "C", f float8, r int NOT NULL);
INSERT INTO public.a
SELECT g, CASE WHEN g % 5 <> 0 THEN g % 7 END, CASE WHEN g % 3 <> 0 THEN g % 4 END, CASE WHEN g % 4 <> 0 THEN (g % 6) * 1.50 END,
       CASE WHEN g % 6 <> 0 THEN 'w' || g % 5 END, CASE g % 8 WHEN 0 THEN NULL WHEN 1 THEN float8 'NaN' WHEN 2 THEN float8 '-0' ELSE g % 3 END, g % 9
FROM generate_series(1, 60) g;
CREATE TABLE public.b (id int PRIMARY KEY, x int, y int8, n numeric(8,3), t text COLLATE "C", f float8, r int NOT NULL);
INSERT INTO public.b
SELECT g, CASE WHEN g % 4 <> 0 THEN g % 5 END, CASE WHEN g % 6 <> 0 THEN g % 3 END, CASE WHEN g % 3 <> 0 THEN (g % 4) * 1.5 END,
       CASE WHEN g % 5 <> 0 THEN 'w' || g % 4 END, CASE g % 5 WHEN 0 THEN NULL WHEN 1 THEN float8 'NaN' ELSE g % 3 END, g % 6
FROM generate_series(1, 40) g;
-- No NULLs, no rows, one row.
CREATE TABLE public.c (id int PRIMARY KEY, x int NOT NULL, v int);
INSERT INTO public.c SELECT g, g % 3, g * 10 FROM generate_series(1, 6) g;
CREATE TABLE public.nothing (id int, x int);
CREATE TABLE public.one (id int, x int);
INSERT INTO public.one VALUES (3, 2);
ANALYZE public.a, public.b, public.c, public.nothing, public.one;
IMPORT FOREIGN SCHEMA public LIMIT TO (a, b, c, nothing, one) FROM SERVER fusion INTO fast;

-- The three values of every quantified comparison, beside every kind of set, as a value and as a condition.
CREATE FUNCTION check_all(template text, VARIADIC sets text[]) RETURNS TABLE (condition text, selected text, chosen text) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH condition IN ARRAY sets LOOP
        condition := format(template, condition);
        selected := same('SELECT id, ' || condition || ' FROM a');
        chosen := same('SELECT id FROM a WHERE ' || condition) || '; NOT: ' || same('SELECT id FROM a WHERE NOT (' || condition || ')')
            || '; OR: ' || same('SELECT id FROM a WHERE id < 5 OR ' || condition);
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM check_all('x IN (SELECT %s)', 'x FROM b', 'x FROM b WHERE x IS NOT NULL', 'x FROM c', 'x FROM nothing', 'x FROM one', 'NULL::int FROM one', 'y FROM b', 'b.x FROM b WHERE b.y = a.y', 'c.x FROM c WHERE c.id = a.y', 'b.x FROM b WHERE b.id < a.r', 'x + 1 FROM b GROUP BY x + 1');
SELECT * FROM check_all('r IN (SELECT %s)', 'x FROM c', 'r FROM b', 'x FROM b', 'b.r FROM b WHERE b.x = a.x', 'x FROM nothing');
SELECT * FROM check_all('x NOT IN (SELECT %s)', 'x FROM b', 'x FROM b WHERE x IS NOT NULL', 'x FROM c', 'x FROM nothing', 'b.x FROM b WHERE b.y = a.y', 'b.x FROM b WHERE b.id < a.r');
SELECT * FROM check_all('x %s (SELECT x FROM b WHERE x > 1)', '= ANY', '<> ANY', '< ANY', '<= ANY', '> ANY', '>= ANY', '= ALL', '<> ALL', '< ALL', '<= ALL', '> ALL', '>= ALL');
SELECT * FROM check_all('x %s (SELECT x FROM b WHERE x IS NOT NULL AND x > 2)', '= ANY', '<> ANY', '> ANY', '= ALL', '<> ALL', '< ALL', '>= ALL');
SELECT * FROM check_all('x %s (SELECT x FROM nothing)', '= ANY', '<> ANY', '> ANY', '= ALL', '<> ALL', '< ALL', '>= ALL');
SELECT * FROM check_all('x %s (SELECT b.x FROM b WHERE b.y = a.y)', '= ANY', '<> ANY', '> ANY', '= ALL', '<> ALL', '< ALL', '>= ALL');
SELECT * FROM check_all('f %s (SELECT f FROM b WHERE id > 10)', '= ANY', '> ANY', '<> ALL', '>= ALL');
SELECT * FROM check_all('n %s (SELECT n FROM b)', '= ANY', '<> ALL', '> ALL', '<= ANY');
SELECT * FROM check_all('t %s (SELECT t FROM b)', '= ANY', '<> ALL', '> ALL', '<= ANY');
SELECT * FROM check_all('EXISTS (SELECT %s)', '1 FROM b', '1 FROM nothing', '* FROM b WHERE b.x = a.x', '1 FROM b WHERE b.x = a.x AND b.y <> a.y', '1 FROM b WHERE b.id < a.r', '1 FROM b WHERE a.x = 3', '1 FROM b WHERE a.x = 3 AND b.x = 1', 'DISTINCT x FROM b WHERE b.y = a.y', 'x FROM b WHERE b.y = a.y GROUP BY x HAVING count(*) > 2', 'count(*) FROM b WHERE b.x = a.x', 'sum(y) FROM b WHERE b.x = a.x HAVING count(*) > 4', '1 FROM b WHERE b.x = a.x LIMIT 1', '1 FROM b WHERE b.x = a.x ORDER BY b.y', 'FROM b WHERE b.n = a.n AND b.f = a.f', '1 FROM b LEFT JOIN c ON c.id = b.id AND c.x = a.x WHERE c.id IS NULL AND b.x = a.y');
SELECT * FROM check_all('(x, y) IN (SELECT %s)', 'c.x, c.id FROM c', 'b.x, b.r FROM b WHERE b.id = a.id');
SELECT same('SELECT id FROM a WHERE (x, y) IN (SELECT b.x, b.y FROM b)');
SELECT same('SELECT id FROM a WHERE (r, id) NOT IN (SELECT c.x, c.id FROM c)');
SELECT same('SELECT id FROM a WHERE (x, y) NOT IN (SELECT b.x, b.y FROM b)');
SELECT * FROM check_all('%s IN (SELECT x FROM b)', '2', '9', 'NULL', '(SELECT max(x) FROM c)');

-- Scalars.
SELECT same('SELECT id, (SELECT max(x) FROM b) FROM a');
SELECT same('SELECT id, (SELECT x FROM one), (SELECT x FROM nothing), (SELECT count(*) FROM nothing) FROM a');
SELECT same('SELECT (SELECT count(*) FROM a) + (SELECT sum(x) FROM b) * (SELECT max(n) FROM b)');
SELECT same('SELECT id FROM a WHERE x > (SELECT avg(x) FROM b)');
SELECT same('SELECT id FROM a WHERE x = (SELECT max(x) FROM b) OR y = (SELECT min(y) FROM b)');
SELECT same('SELECT a.id, b.id FROM a, b WHERE a.x = b.x AND a.n > (SELECT avg(n) FROM a) AND b.y = (SELECT max(y) FROM b)');
SELECT same('SELECT a.id, b.id FROM a, b WHERE a.x = b.x AND a.y + b.y > (SELECT avg(y) FROM b)');
SELECT same('SELECT a.id FROM a WHERE (SELECT min(x) FROM c) < (SELECT max(x) FROM c)');
SELECT same('SELECT id FROM a WHERE x = (SELECT max(b.x) FROM b WHERE b.y = a.y)');
SELECT same('SELECT id FROM a WHERE n < (SELECT 0.5 * avg(b.n) FROM b WHERE b.x = a.x AND b.y = a.y)');
SELECT same('SELECT id, (SELECT max(b.x) FROM b WHERE b.y = a.y), (SELECT count(*) FROM b WHERE b.x = a.x), (SELECT count(b.n) + 1 FROM b WHERE b.x = a.x AND b.r = a.r) FROM a');
SELECT same('SELECT id, (SELECT sum(b.n) FROM b WHERE b.x = a.x HAVING count(*) > 2), (SELECT count(*) FROM b WHERE b.x = a.x HAVING count(*) = 0) FROM a');
SELECT same('SELECT id, (SELECT a.y + count(*) + coalesce(sum(b.x), a.r) FROM b WHERE b.y = a.x) FROM a');
SELECT same('SELECT id, (SELECT sum(b.x * a.r) FROM b WHERE b.y = a.x) FROM a');
SELECT same('SELECT id, (SELECT sum(b.x) FROM b WHERE b.id < a.id), (SELECT count(*) FROM b WHERE b.id < a.r AND b.x <> a.x) FROM a');
SELECT same('SELECT id, (SELECT v FROM c WHERE c.id = a.x), (SELECT c.v + a.r FROM c WHERE c.id = a.y) FROM a');
SELECT same('SELECT id, (SELECT DISTINCT c.x FROM c WHERE c.x = a.x) FROM a');
SELECT same('SELECT id, (SELECT max(s) FROM (SELECT sum(b.x) AS s FROM b WHERE b.y = a.y GROUP BY b.r) q) FROM a');
SELECT same('SELECT id FROM a WHERE 3 < (SELECT count(*) FROM b WHERE b.x = a.x)');
SELECT same('SELECT id FROM a WHERE 0 = (SELECT count(*) FROM b WHERE b.x = a.x)');
SELECT same('SELECT id FROM a WHERE (SELECT max(b.id) FROM b WHERE b.x = a.x) IS NULL');
SELECT same('SELECT id FROM a WHERE coalesce((SELECT max(b.r) FROM b WHERE b.x = a.x), 3) > a.r');
SELECT same('SELECT id FROM a WHERE (x, y) = (SELECT c.x, c.id FROM c WHERE c.id = a.y)');
SELECT same('SELECT id, (SELECT n FROM a o WHERE o.id = a.id), (SELECT f FROM a o WHERE o.id = a.id), (SELECT t FROM a o WHERE o.id = a.id) FROM a');
SELECT same('SELECT id, (SELECT x > 1 FROM a o WHERE o.id = a.r) FROM a');
-- More than one row: PostgreSQL's error, through the native plan.
SET fusion.force = on;
SELECT * FROM error_of('SELECT id, (SELECT x FROM c) FROM a');
SELECT * FROM error_of('SELECT id FROM a WHERE x = (SELECT c.id FROM c WHERE c.x = a.x)');
SELECT count(*) FROM a WHERE id < 0 AND x = (SELECT c.id FROM c WHERE c.x = a.x);
RESET fusion.force;

-- Places.
SELECT same('SELECT CASE WHEN x IN (SELECT x FROM b) THEN ''in'' WHEN EXISTS (SELECT 1 FROM c WHERE c.id = a.r) THEN ''c'' ELSE ''no'' END, count(*) FROM a GROUP BY 1');
SELECT same('SELECT r, count(*), (SELECT max(x) FROM b) FROM a GROUP BY r HAVING sum(x) > (SELECT avg(x) FROM b)');
SELECT same('SELECT r, sum(x), (SELECT count(*) FROM b WHERE b.r = a.r) FROM a GROUP BY r');
SELECT same('SELECT r, sum(x) FROM a GROUP BY r HAVING EXISTS (SELECT 1 FROM b WHERE b.r = a.r AND b.x = 1)');
SELECT same('SELECT r, sum(x) FROM a GROUP BY r HAVING sum(x) IN (SELECT id FROM b) OR r NOT IN (SELECT r FROM b)');
SELECT same('SELECT sum((SELECT count(*) FROM b WHERE b.x = a.x)), max((SELECT max(id) FROM c)) FILTER (WHERE x IN (SELECT x FROM c)) FROM a');
SELECT same('SELECT (SELECT count(*) FROM b WHERE b.x = a.x) AS k, count(*) FROM a GROUP BY 1');
SELECT same('SELECT id FROM a ORDER BY (SELECT count(*) FROM b WHERE b.x = a.x), id');
SELECT same('SELECT DISTINCT (SELECT max(b.y) FROM b WHERE b.x = a.x) FROM a');
SELECT same('SELECT a.id, b.id FROM a JOIN b ON a.x = b.x AND b.y IN (SELECT x FROM c) AND EXISTS (SELECT 1 FROM c WHERE c.id = a.r)');
SELECT same('SELECT a.id, b.id FROM a LEFT JOIN b ON a.x = b.x AND b.y IN (SELECT x FROM c)');
SELECT same('SELECT a.id, b.id FROM a LEFT JOIN b ON a.id = b.id AND a.y NOT IN (SELECT x FROM c WHERE c.id = a.r)');
SELECT same('SELECT a.id, b.id FROM a FULL JOIN b ON a.id = b.id AND a.y > (SELECT min(x) FROM c)');
SELECT same('SELECT a.id, b.id FROM a LEFT JOIN b ON a.id = b.id WHERE b.x NOT IN (SELECT x FROM c) OR b.x IS NULL');
SELECT same('SELECT a.id FROM a LEFT JOIN b ON a.id = b.id WHERE b.r NOT IN (SELECT x FROM c)');
SELECT same('SELECT x.m FROM (SELECT (SELECT max(b.id) FROM b WHERE b.x = a.x) AS m, id FROM a) x WHERE x.m > 10 AND x.id < 40');
-- Nested, and over several levels.
SELECT same('SELECT id FROM a WHERE x IN (SELECT x FROM b WHERE y IN (SELECT x FROM c WHERE v > 20))');
SELECT same('SELECT id FROM a WHERE x IN (SELECT b.x FROM b WHERE b.y > (SELECT avg(y) FROM b b2 WHERE b2.x = b.x))');
SELECT same('SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND EXISTS (SELECT 1 FROM c WHERE c.id = b.y AND c.x <> a.y))');
SELECT same('SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.id > (SELECT count(*) FROM c WHERE c.x = a.y))');
SELECT same('SELECT id, (SELECT count(*) FROM b WHERE b.x = a.x AND b.r IN (SELECT c.x FROM c WHERE c.id <= a.r)) FROM a');
SELECT same('SELECT id, (SELECT max((SELECT count(*) FROM c WHERE c.x = b.x AND c.id > a.y)) FROM b WHERE b.y = a.y) FROM a');
SELECT same('SELECT id, EXISTS (SELECT 1 FROM (SELECT x FROM b WHERE b.y = a.y) q WHERE q.x = a.x) FROM a');
SELECT same('SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND NOT EXISTS (SELECT 1 FROM c WHERE c.x = b.y))');

-- WITH.
SELECT same('WITH w AS (SELECT x, count(*) AS k FROM b GROUP BY x) SELECT a.id, w.k FROM a, w WHERE a.x = w.x AND w.k = (SELECT max(k) FROM w)');
SELECT same('WITH w AS (SELECT x, y FROM b WHERE id > 5) SELECT p.x, q.y FROM w p, w q, w r WHERE p.x = q.x AND q.y = r.y');
SELECT same('WITH w AS NOT MATERIALIZED (SELECT x, y FROM b) SELECT p.x, q.y FROM w p JOIN w q ON p.x = q.y');
SELECT same('WITH w AS MATERIALIZED (SELECT x FROM b) SELECT * FROM w');
SELECT same('WITH u AS (SELECT x, id FROM b), w AS (SELECT x, count(*) AS k FROM u GROUP BY x) SELECT u.id, w.k, v.k FROM u, w, w v WHERE u.x = w.x AND v.k = w.k');
SELECT same('SELECT id FROM a WHERE x IN (WITH w AS (SELECT x, y FROM b) SELECT p.x FROM w p, w q WHERE p.y = q.x)');
SELECT same('WITH w AS (SELECT x FROM b) SELECT id, x IN (SELECT x FROM w), (SELECT count(*) FROM w WHERE w.x = a.x) FROM a WHERE EXISTS (SELECT 1 FROM w WHERE w.x > a.y)');
SELECT same('SELECT id, (WITH w AS (SELECT b.x FROM b WHERE b.y = a.y) SELECT max(x) FROM w) FROM a');

-- LATERAL.
SELECT same('SELECT a.id, q.x FROM a, LATERAL (SELECT b.x FROM b WHERE b.y = a.y) q');
SELECT same('SELECT a.id, q.m FROM a, LATERAL (SELECT max(b.x) AS m FROM b WHERE b.y = a.y) q');
SELECT same('SELECT a.id, q.k, q.m FROM a, LATERAL (SELECT count(*) AS k, max(b.x) + a.r AS m FROM b WHERE b.id < a.y) q WHERE q.k > 0');
SELECT same('SELECT a.id, q.x, q.k FROM a LEFT JOIN LATERAL (SELECT b.x, count(*) AS k FROM b WHERE b.y = a.y GROUP BY b.x) q ON q.k > 2');
SELECT same('SELECT a.id, q.z FROM a LEFT JOIN LATERAL (SELECT a.x + b.x AS z FROM b WHERE b.id = a.r) q ON true');
SELECT same('SELECT a.id, p.v, q.w FROM a, LATERAL (SELECT a.x + a.y AS v) p, LATERAL (SELECT p.v * 2 AS w) q WHERE q.w > 4');
SELECT same('SELECT a.id, q.x FROM a JOIN c ON c.id = a.x, LATERAL (SELECT DISTINCT b.x FROM b WHERE b.y = c.x AND b.r > a.r) q WHERE q.x = a.y');

SELECT same('SELECT a.id, q.x, q.id FROM a, LATERAL (SELECT b.x, b.id FROM b WHERE b.y = a.y ORDER BY b.x DESC NULLS LAST, b.id LIMIT 2) q ORDER BY 1, 3');
SELECT same('SELECT a.id, q.x, q.id FROM a LEFT JOIN LATERAL (SELECT b.x, b.id FROM b WHERE b.id > a.r AND b.x = a.x ORDER BY b.id OFFSET 1 LIMIT 3) q ON true ORDER BY 1, 3');
SELECT same('SELECT id, (SELECT b.n FROM b WHERE b.x = a.x ORDER BY b.id DESC LIMIT 1), (SELECT b.id FROM b WHERE b.id < a.r ORDER BY b.y, b.id LIMIT 1 OFFSET 1) FROM a ORDER BY a.id');
SELECT same('SELECT id FROM a WHERE x IN (SELECT b.x FROM b WHERE b.r = a.r ORDER BY b.id LIMIT 2) ORDER BY id');
SELECT same('SELECT id, (SELECT max(b.x) FROM b WHERE b.y = a.y LIMIT 0), (SELECT count(*) FROM b WHERE b.y = a.y OFFSET 1) FROM a');
SELECT same('SELECT id, EXISTS (SELECT 1 FROM b WHERE b.r = a.r OFFSET 5), EXISTS (SELECT 1 FROM b WHERE b.r = a.r LIMIT 0) FROM a');
SELECT same('SELECT id, (SELECT count(c.x) FROM b LEFT JOIN c ON c.id = b.id AND c.x < a.r WHERE b.x = a.x) FROM a');
-- Shared relations whose readers stop early, are read twice by one join, and are read by nobody.
SELECT same('WITH w AS (SELECT x, y FROM b) SELECT count(*) FROM (SELECT p.x FROM w p, w q LIMIT 7) z');
SELECT same('WITH w AS (SELECT x, y FROM b) SELECT p.x FROM w p, w q WHERE p.x = q.x AND p.x < 0');
SELECT same('WITH w AS (SELECT x, y FROM b), u AS (SELECT * FROM w, nothing) SELECT count(*) FROM u p, u q');
-- NOT NULL that is not yet validated (18) says nothing.
CREATE TABLE public.claimed (x int);
INSERT INTO public.claimed VALUES (1), (NULL);
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 180000 THEN
        EXECUTE 'ALTER TABLE public.claimed ADD CONSTRAINT claim NOT NULL x NOT VALID';
    END IF;
END $$;
ANALYZE public.claimed;
IMPORT FOREIGN SCHEMA public LIMIT TO (claimed) FROM SERVER fusion INTO fast;
SELECT same('SELECT r FROM a WHERE r NOT IN (SELECT x FROM claimed)');
SELECT same('SELECT count(x), count(*) FROM claimed');
DROP FOREIGN TABLE claimed;
DROP TABLE public.claimed;

DROP FUNCTION check_all;
DROP FOREIGN TABLE a, b, c, nothing, one;
DROP TABLE public.a, public.b, public.c, public.nothing, public.one;
