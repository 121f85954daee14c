--
-- UNION, INTERSECT and EXCEPT, with and without ALL; VALUES; DISTINCT ON; WITH TIES.
--
\set VERBOSITY terse
SET fusion.force = on;
-- Nothing here is cheap enough to run natively.
SELECT same(q) FROM (VALUES
    ('SELECT i2 FROM fast.numbers UNION ALL SELECT i2 FROM fast.numbers WHERE id < 20'),
    ('SELECT i2 FROM fast.numbers UNION SELECT i2 FROM fast.numbers WHERE id < 20'),
    ('SELECT i2 FROM fast.numbers WHERE id < 100 INTERSECT SELECT i2 FROM fast.numbers WHERE id > 50'),
    ('SELECT i2 FROM fast.numbers WHERE id < 300 INTERSECT ALL SELECT i2 FROM fast.numbers WHERE id > 250'),
    ('SELECT i2 FROM fast.numbers WHERE id < 300 EXCEPT SELECT i2 FROM fast.numbers WHERE id > 250'),
    ('SELECT i2 FROM fast.numbers WHERE id < 400 EXCEPT ALL SELECT i2 FROM fast.numbers WHERE id > 250'),
    ('SELECT i2, b FROM fast.numbers WHERE id < 400 EXCEPT ALL SELECT i2, b FROM fast.numbers WHERE id > 250'),
    ('SELECT i2, b FROM fast.numbers WHERE id < 400 INTERSECT ALL SELECT i2, b FROM fast.numbers WHERE id > 150'),
    -- NULLs are equal.
    ('SELECT i2 FROM fast.numbers WHERE i2 IS NULL INTERSECT ALL SELECT i2 FROM fast.numbers WHERE i2 IS NULL AND id < 50'),
    ('SELECT i2 FROM fast.numbers WHERE i2 IS NULL EXCEPT SELECT i2 FROM fast.numbers WHERE i2 IS NULL AND id < 50'),
    -- Trees.
    ('(SELECT id FROM fast.numbers WHERE id < 10 UNION SELECT id FROM fast.words WHERE id < 20) EXCEPT (SELECT 5 UNION ALL SELECT 7)'),
    ('SELECT 1 UNION ALL SELECT i4 FROM fast.numbers WHERE id < 5 UNION ALL SELECT 1 UNION SELECT 2'),
    ('SELECT id FROM fast.numbers WHERE id < 9 UNION ALL (SELECT id FROM fast.words WHERE id < 9 INTERSECT SELECT id FROM fast.changed)'),
    ('SELECT id FROM fast.numbers EXCEPT SELECT id FROM fast.words EXCEPT ALL SELECT id FROM fast.changed'),
    -- Types that differ: the planner converts, and display scales stay.
    ('SELECT i2 FROM fast.numbers UNION ALL SELECT i8 FROM fast.numbers'),
    ('SELECT i4 FROM fast.numbers WHERE id < 50 UNION SELECT n15 FROM fast.numbers WHERE id < 50'),
    ('SELECT n9 FROM fast.numbers UNION ALL SELECT n15 FROM fast.numbers'),
    ('SELECT n9 FROM fast.numbers UNION ALL SELECT n30 FROM fast.numbers'),
    ('SELECT n9 FROM fast.numbers UNION SELECT n15 FROM fast.numbers'),
    ('SELECT n9 FROM fast.numbers UNION ALL SELECT n FROM fast.numbers'),
    ('SELECT n15 FROM fast.numbers INTERSECT ALL SELECT n15 FROM fast.numbers WHERE id > 100'),
    ('SELECT f4 FROM fast.numbers UNION ALL SELECT f8 FROM fast.numbers'),
    ('SELECT f8 FROM fast.numbers WHERE id > 500 UNION ALL SELECT f8 FROM fast.numbers WHERE id > 499'),
    ('SELECT f8 FROM fast.numbers WHERE id <> 503 UNION SELECT f8 FROM fast.numbers WHERE id NOT IN (503, 505)'),
    ('SELECT d FROM fast.words UNION SELECT d FROM fast.changed, fast.words WHERE fast.words.id < 10'),
    ('SELECT ts FROM fast.words UNION ALL SELECT d FROM fast.words WHERE id < 300'),
    ('SELECT t FROM fast.words UNION SELECT v FROM fast.words'),
    ('SELECT v FROM fast.words UNION ALL SELECT ''x'' UNION ALL SELECT NULL'),
    ('SELECT c FROM fast.words EXCEPT SELECT c FROM fast.words WHERE id < 100'),
    ('SELECT c, c1 FROM fast.words INTERSECT ALL SELECT c, c1 FROM fast.words WHERE id < 100'),
    ('SELECT u FROM fast.words UNION ALL SELECT u FROM fast.words WHERE id < 10'),
    -- Empty sides.
    ('SELECT id FROM fast.empty UNION SELECT id FROM fast.empty'),
    ('SELECT id FROM fast.empty EXCEPT ALL SELECT id FROM fast.numbers'),
    ('SELECT id FROM fast.numbers WHERE id < 4 EXCEPT ALL SELECT id FROM fast.empty'),
    ('SELECT id FROM fast.empty INTERSECT SELECT id FROM fast.numbers'),
    -- ORDER BY, LIMIT, at the top and inside.
    ('SELECT i2, id FROM fast.numbers WHERE id < 30 UNION ALL SELECT i2, id FROM fast.numbers WHERE id > 490 ORDER BY 1 DESC NULLS LAST, 2 LIMIT 20 OFFSET 3'),
    ('(SELECT id FROM fast.numbers ORDER BY id DESC LIMIT 3) UNION ALL (SELECT id FROM fast.words ORDER BY id LIMIT 2) ORDER BY id'),
    ('SELECT t FROM fast.words WHERE id < 30 UNION SELECT v FROM fast.words WHERE id < 30 ORDER BY 1'),
    -- In FROM, in WITH, as IN, in views; grouped above.
    ('SELECT count(*), sum(x) FROM (SELECT i4 AS x FROM fast.numbers UNION ALL SELECT i8 FROM fast.numbers WHERE id < 400) s'),
    ('SELECT x, count(*) FROM (SELECT i2 AS x, n9 FROM fast.numbers UNION ALL SELECT i2, n15 FROM fast.numbers) s GROUP BY x'),
    ('WITH w AS (SELECT id FROM fast.numbers WHERE id < 20 EXCEPT SELECT id FROM fast.numbers WHERE id % 2 = 0) SELECT * FROM w WHERE id > 3'),
    ('SELECT id, i4 FROM fast.numbers WHERE id IN (SELECT id FROM fast.changed UNION SELECT id FROM fast.words WHERE id > 295)'),
    ('SELECT a.id, s.x FROM fast.changed a JOIN (SELECT id, later AS x FROM fast.changed UNION ALL SELECT id, n9 FROM fast.numbers) s ON s.id = a.id WHERE a.id BETWEEN 48 AND 52'),
    ('SELECT a.x, b.x FROM (SELECT id AS x FROM fast.numbers UNION SELECT id FROM fast.words) a LEFT JOIN (SELECT id AS x FROM fast.words INTERSECT SELECT id FROM fast.changed) b ON a.x = b.x'),
    ('SELECT x FROM (SELECT id AS x, n30 AS y FROM fast.numbers UNION ALL SELECT id, n30 FROM fast.numbers) s WHERE x = 7 OR y < 0')
) q(q);
-- What is not there is named.
SELECT reason FROM fusion.explain_route('SELECT c FROM fast.words UNION SELECT c1 FROM fast.words');
SELECT reason FROM fusion.explain_route('SELECT u FROM fast.words UNION SELECT u FROM fast.words');
SELECT reason FROM fusion.explain_route('SELECT j FROM fast.words UNION SELECT j FROM fast.words');
