--
-- Heap relations named directly beside fusion tables: the whole query runs in the engine.
--
SET fusion.force = on;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.numbers n JOIN public.words w USING (id)');
SELECT same('SELECT n.id, n.n15, w.v, w.d FROM fast.numbers n JOIN public.words w USING (id) WHERE w.c1 = ''A''');
SELECT same('SELECT w.c1, count(*), sum(n.i8) FROM public.numbers n LEFT JOIN fast.words w ON w.id = n.i2 GROUP BY w.c1');
SELECT same('SELECT n.id FROM public.numbers n WHERE EXISTS (SELECT FROM fast.words w WHERE w.id = n.id AND w.d > ''2000-01-01'')');
SELECT same('SELECT count(*) FROM fast.numbers a, public.numbers b, fast.changed c, public.changed d WHERE a.id = b.id AND b.id = c.id AND c.id = d.id');
-- Dropped and added columns, seen by their own attribute numbers.
SELECT same('SELECT c.id, c.kept, c.later, c.word, c."none", n.b FROM public.changed c JOIN fast.numbers n USING (id)');
-- TOASTed values of a table named directly.
SELECT same('SELECT w.id, w.t FROM public.words w JOIN fast.numbers n USING (id) WHERE w.id > 300');

-- Other kinds of heap relation.
CREATE MATERIALIZED VIEW totals AS SELECT b, sum(i8) AS total FROM numbers GROUP BY b;
CREATE MATERIALIZED VIEW unpopulated AS SELECT id FROM numbers WITH NO DATA;
CREATE TEMPORARY TABLE picked AS SELECT g AS id, 'picked ' || g AS note FROM generate_series(1, 600, 7) g;
CREATE UNLOGGED TABLE unlogged AS SELECT id, i4 FROM numbers;
CREATE VIEW odd AS SELECT id, i4, b FROM public.numbers WHERE id % 2 = 1;
SELECT same('SELECT n.id, t.total FROM fast.numbers n JOIN totals t USING (b)');
SELECT same('SELECT n.id, p.note FROM fast.numbers n JOIN picked p USING (id)');
SELECT same('SELECT count(*), sum(u.i4) FROM fast.numbers n JOIN unlogged u USING (id)');
SELECT same('SELECT o.b, count(*) FROM odd o JOIN fast.words w USING (id) GROUP BY o.b');
IMPORT FOREIGN SCHEMA public LIMIT TO (unpopulated, totals) FROM SERVER fusion INTO fast;
SELECT * FROM error_of('SELECT count(*) FROM fast.numbers n JOIN unpopulated USING (id)');
SELECT * FROM error_of('SELECT count(*) FROM fast.unpopulated');
SET fusion.fallback = off;
SELECT * FROM error_of('SELECT count(*) FROM fast.unpopulated');
RESET fusion.fallback;
SELECT same('SELECT total FROM fast.totals');

-- Rows that this transaction has changed are seen as its snapshot sees them.
BEGIN;
INSERT INTO picked VALUES (1000, 'uncommitted');
DELETE FROM picked WHERE id < 100;
UPDATE unlogged SET i4 = -1 WHERE id < 10;
SELECT same('SELECT p.id, p.note, n.i4 FROM picked p LEFT JOIN fast.numbers n USING (id)');
SELECT same('SELECT u.id, u.i4 FROM unlogged u JOIN fast.numbers n USING (id) WHERE u.id < 20');
ROLLBACK;

-- What else may stand beside: with its reason.
CREATE TABLE guarded (id int, owner name DEFAULT current_user);
INSERT INTO guarded SELECT g FROM generate_series(1, 10) g;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (id <= 3);
CREATE ROLE fusion_mixed;
GRANT SELECT ON guarded, numbers TO fusion_mixed;
GRANT USAGE ON SCHEMA fast TO fusion_mixed;
GRANT SELECT ON fast.numbers, fast.words TO fusion_mixed;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.numbers n JOIN pg_class c ON c.oid::int = n.id');
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.numbers JOIN guarded USING (id)');
SET ROLE fusion_mixed;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.numbers JOIN guarded USING (id)');
SELECT count(*) FROM fast.numbers JOIN guarded USING (id);
-- Rights on a table named directly are PostgreSQL's.
SELECT count(*) FROM fast.numbers JOIN public.words USING (id);
SELECT count(*) FROM fast.numbers JOIN public.numbers USING (id);
RESET ROLE;
SELECT count(*) FROM fast.numbers JOIN guarded USING (id);
DROP OWNED BY fusion_mixed;
DROP ROLE fusion_mixed;
DROP FOREIGN TABLE fast.unpopulated, fast.totals;
DROP MATERIALIZED VIEW totals, unpopulated;
DROP VIEW odd;
DROP TABLE picked, unlogged, guarded;
