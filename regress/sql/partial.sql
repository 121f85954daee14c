--
-- Part of a statement in the engine: the SELECT of INSERT … SELECT. CREATE TABLE AS, COPY and cursors run whole.
--
SET fusion.force = on;
SET fusion.fallback = off;
CREATE TABLE target (id serial PRIMARY KEY, gone int, a int, n numeric(20,4), t text DEFAULT 'default', at timestamptz, g int GENERATED ALWAYS AS (a * 2) STORED);
ALTER TABLE target DROP COLUMN gone;
SELECT * FROM fusion.explain_route('INSERT INTO target (a, n) SELECT i4, n15 FROM fast.numbers');
EXPLAIN (COSTS OFF) INSERT INTO target (a, n) SELECT i2, sum(n15) FROM fast.numbers GROUP BY i2;
EXPLAIN (COSTS OFF, VERBOSE) INSERT INTO target (a, t) SELECT i2, 'x' FROM fast.numbers;

-- What is inserted equals what PostgreSQL inserts: defaults, missing and dropped columns, casts, generated columns, ORDER BY, LIMIT.
CREATE FUNCTION inserts_same(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    decision record;
    engine text[];
    native text[];
BEGIN
    SELECT * INTO decision FROM fusion.explain_route(command);
    IF decision.route <> 'partial' THEN
        RETURN 'NOT IN THE ENGINE: ' || decision.reason;
    END IF;
    TRUNCATE target RESTART IDENTITY;
    EXECUTE command;
    SELECT array_agg(t::text ORDER BY t::text) INTO engine FROM target t;
    TRUNCATE target RESTART IDENTITY;
    SET LOCAL fusion.enabled = off;
    EXECUTE command;
    SET LOCAL fusion.enabled = on;
    SELECT array_agg(t::text ORDER BY t::text) INTO native FROM target t;
    TRUNCATE target RESTART IDENTITY;
    IF engine IS DISTINCT FROM native THEN
        RETURN format('DIFFERENT: engine %s, native %s', engine[1:10], native[1:10]);
    END IF;
    RETURN format('equal, %s rows', coalesce(cardinality(native), 0));
END $$;
SELECT inserts_same('INSERT INTO target (id, a, n) SELECT id, i2, n15 FROM fast.numbers');
SELECT inserts_same('INSERT INTO target (a) SELECT i2 FROM fast.numbers ORDER BY id');
SELECT inserts_same('INSERT INTO target (a, n, t) SELECT i2, sum(n9), ''literal'' FROM fast.numbers GROUP BY i2 ORDER BY i2');
SELECT inserts_same('INSERT INTO target (t, a) SELECT v, id FROM fast.words ORDER BY id LIMIT 10 OFFSET 5');
SELECT inserts_same('INSERT INTO target (id, n, at) SELECT id, i2, tz FROM fast.words w JOIN fast.numbers n USING (id)');
SELECT inserts_same('INSERT INTO target (id, a) SELECT id, id FROM fast.numbers WHERE EXISTS (SELECT FROM fast.words w WHERE w.id = numbers.id)');
SELECT inserts_same('INSERT INTO target (id, a) SELECT id, 1 FROM fast.numbers WHERE i4 IS NULL ON CONFLICT (id) DO NOTHING');
SELECT inserts_same('INSERT INTO target (id, t) SELECT id, t FROM fast.words WHERE id > 300');
-- RETURNING, ON CONFLICT DO UPDATE, triggers.
INSERT INTO target (id, a) SELECT id, i2 FROM fast.numbers WHERE id <= 3 RETURNING *;
INSERT INTO target AS t (id, a) SELECT id, 100 FROM fast.numbers WHERE id BETWEEN 2 AND 4 ON CONFLICT (id) DO UPDATE SET a = t.a + excluded.a RETURNING id, a, g;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.t := (SELECT count(*) FROM fast.numbers WHERE fast.numbers.id <= NEW.id)::text; RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION noted();
INSERT INTO target (id, a) SELECT id, 0 FROM fast.numbers WHERE id BETWEEN 10 AND 12 RETURNING id, t;
DROP TRIGGER note ON target;
TRUNCATE target;
-- From the table it inserts into.
INSERT INTO target (id, a) SELECT id, 1 FROM fast.numbers;
IMPORT FOREIGN SCHEMA public LIMIT TO (target) FROM SERVER fusion INTO fast;
INSERT INTO target (id, a) SELECT id + 1000, a + 1 FROM fast.target;
INSERT INTO target (id, a) SELECT id + 2000, a + 1 FROM fast.target;
SELECT a, count(*) FROM target GROUP BY a ORDER BY a;
-- Into a partitioned table; with parameters; prepared.
CREATE TABLE parts (k int, v numeric) PARTITION BY RANGE (k);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE parts_high (v numeric, k int);
ALTER TABLE parts ATTACH PARTITION parts_high FOR VALUES FROM (100) TO (MAXVALUE);
SET plan_cache_mode = force_generic_plan;
PREPARE fill (int) AS INSERT INTO parts SELECT id, n15 FROM fast.numbers WHERE id <= $1 + 50;
EXECUTE fill(100);
EXECUTE fill(0);
SELECT tableoid::regclass, count(*), sum(k) FROM parts GROUP BY 1 ORDER BY 1;
RESET plan_cache_mode;
INSERT INTO parts SELECT 1, n FROM fast.empty;
-- An error in the middle leaves nothing.
SELECT * FROM error_of('INSERT INTO target (id, a) SELECT id, 1 FROM fast.numbers');
-- The engine fails before the first row: the SELECT's native plan takes over.
RESET fusion.fallback;
TRUNCATE parts;
INSERT INTO parts SELECT id, n30 * n30 * n30 FROM fast.numbers WHERE id > 500;
SELECT * FROM parts ORDER BY k;
TRUNCATE parts;
SELECT * FROM error_of('INSERT INTO parts SELECT id, 1 / (i2 - 1) FROM fast.numbers');
INSERT INTO parts SELECT id, n15 FROM fast.numbers WHERE id <= 200;
-- Where the SELECT does not go by itself: subqueries and WITH queries of the statement (see partial_select).
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE strict (id int, p positive);
SELECT * FROM fusion.explain_route('INSERT INTO strict (id) SELECT id FROM fast.numbers');
INSERT INTO strict (id) SELECT id FROM fast.numbers WHERE id < 3;
SELECT * FROM strict ORDER BY id;
SELECT * FROM fusion.explain_route('WITH w AS (SELECT 1 AS one) INSERT INTO parts SELECT id, one FROM fast.numbers, w');
SELECT * FROM fusion.explain_route('INSERT INTO parts VALUES (1, (SELECT max(n15) FROM fast.numbers))');
-- What stays native as a whole.
SELECT * FROM fusion.explain_route('INSERT INTO parts SELECT id, random() FROM fast.numbers');
SELECT * FROM fusion.explain_route('UPDATE parts SET v = s.n15 FROM fast.numbers s WHERE s.id = k');
SELECT * FROM fusion.explain_route('DELETE FROM parts USING fast.numbers s WHERE s.id = k');
UPDATE parts SET v = s.id FROM fast.numbers s WHERE s.id = k AND k < 10;
SELECT sum(v) FROM parts WHERE k < 10;
-- Rights: on the source, and on the target.
CREATE ROLE fusion_writer;
GRANT USAGE ON SCHEMA fast TO fusion_writer;
GRANT INSERT ON parts TO fusion_writer;
SET ROLE fusion_writer;
INSERT INTO parts SELECT id, 1 FROM fast.numbers;
RESET ROLE;
GRANT SELECT ON fast.numbers, public.numbers TO fusion_writer;
SET ROLE fusion_writer;
INSERT INTO parts SELECT id, 1 FROM fast.numbers WHERE id < 3;
INSERT INTO target (id, a) SELECT id, 1 FROM fast.numbers;
RESET ROLE;
DROP OWNED BY fusion_writer;
DROP ROLE fusion_writer;

-- Whole: CREATE TABLE AS, SELECT INTO, COPY, cursors.
SET fusion.fallback = off;
CREATE TABLE made AS SELECT b, count(*) AS c FROM fast.numbers GROUP BY b;
SELECT * INTO made_too FROM fast.numbers WHERE id < 4;
SELECT * FROM made ORDER BY b;
SELECT id, n15 FROM made_too ORDER BY id;
COPY (SELECT b, count(*) FROM fast.numbers GROUP BY b ORDER BY b) TO STDOUT;
EXPLAIN (COSTS OFF) CREATE TABLE explained AS SELECT count(*) FROM fast.numbers;
DROP FOREIGN TABLE fast.target;
DROP TABLE made, made_too, target, parts, strict;
DROP DOMAIN positive;
DROP FUNCTION inserts_same, noted;
