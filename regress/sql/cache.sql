--
-- The column cache: what is kept, what is proven, what is decoded again; and the functions over it.
--
SET fusion.force = on;
SET fusion.fallback = off;
-- VACUUM calls nothing visible to all whose commit is not on disk yet.
SET synchronous_commit = on;
VACUUM numbers;
SELECT fusion.cache_evict() >= 0 AS evicted;

-- What a query did for the cached columns of a relation: chunks that were served, patched and decoded whole, and blocks decoded, summed over its columns.
CREATE FUNCTION cached(of regclass, query text, OUT answer text, OUT hits bigint, OUT patches bigint, OUT misses bigint, OUT blocks bigint)
LANGUAGE plpgsql AS $$
DECLARE
    before record;
    after record;
BEGIN
    SELECT sum(c.hits) h, sum(c.patches) p, sum(c.misses) m, sum(c.blocks_decoded) b INTO before FROM fusion.stat_cache c WHERE c.relation = of;
    answer := same(query);
    SELECT sum(c.hits) h, sum(c.patches) p, sum(c.misses) m, sum(c.blocks_decoded) b INTO after FROM fusion.stat_cache c WHERE c.relation = of;
    hits := coalesce(after.h, 0) - coalesce(before.h, 0);
    patches := coalesce(after.p, 0) - coalesce(before.p, 0);
    misses := coalesce(after.m, 0) - coalesce(before.m, 0);
    blocks := coalesce(after.b, 0) - coalesce(before.b, 0);
END $$;

-- Four chunks, some dozen rows a block.
CREATE TABLE kept (id int, k int, v text, n numeric(10,2)) WITH (fillfactor = 10);
INSERT INTO kept SELECT g, g % 7, 'value ' || g, g / 4.0 FROM generate_series(1, 8000) g WHERE g % 4 <> 0;
VACUUM (ANALYZE) kept;
SELECT pg_relation_size('kept') / 8192 BETWEEN 385 AND 512 AS four_chunks;
IMPORT FOREIGN SCHEMA public LIMIT TO (kept) FROM SERVER fusion INTO fast;

-- Decoded once, served then; another column is decoded beside the first.
SELECT answer, hits, patches, misses, blocks = pg_relation_size('kept') / 8192 AS all_blocks FROM cached('kept', 'SELECT sum(k) FROM fast.kept');
SELECT * FROM cached('kept', 'SELECT sum(k) FROM fast.kept');
SELECT answer, hits, patches, misses FROM cached('kept', 'SELECT k, count(*), min(v), sum(n) FROM fast.kept GROUP BY k');
SELECT * FROM cached('kept', 'SELECT k, count(*), min(v), sum(n) FROM fast.kept GROUP BY k');
SELECT "column", bytes > 0 AS bytes, chunks FROM fusion.stat_cache WHERE relation = 'kept'::regclass ORDER BY 1;
-- count(*) alone keeps the rows' places.
SELECT answer, hits, patches, misses FROM cached('kept', 'SELECT count(*) FROM fast.kept');
SELECT * FROM cached('kept', 'SELECT count(*) FROM fast.kept');
SELECT "column", chunks FROM fusion.stat_cache WHERE relation = 'kept'::regclass AND "column" IS NULL;
-- Predicates, with rows left and without.
SELECT * FROM cached('kept', 'SELECT k, v FROM fast.kept WHERE n BETWEEN 10 AND 20 AND k = 3');
SELECT * FROM cached('kept', 'SELECT k, v FROM fast.kept WHERE n < 0');

-- A changed block alone is decoded again; the others are visited only after the map has changed, and not decoded.
UPDATE kept SET n = -1 WHERE id = 1001;
SELECT * FROM cached('kept', 'SELECT sum(n) FROM fast.kept');
-- (Whichever read comes after all snapshots that need the old version prunes the page, and so changes it.)
SELECT answer, hits + patches AS chunks, misses, blocks <= 1 AS few FROM cached('kept', 'SELECT sum(n) FROM fast.kept');
-- Columns that were not asked for meanwhile are patched when they are.
SELECT answer, hits + patches AS chunks, misses, blocks BETWEEN 1 AND 2 AS few FROM cached('kept', 'SELECT sum(k), sum(n) FROM fast.kept');
SELECT answer, hits + patches AS chunks, misses, blocks <= 2 AS few FROM cached('kept', 'SELECT sum(k), sum(n) FROM fast.kept');
VACUUM kept;
SELECT answer, hits + patches AS chunks, misses, blocks <= 2 AS few FROM cached('kept', 'SELECT sum(k), sum(n) FROM fast.kept');
SELECT * FROM cached('kept', 'SELECT sum(k), sum(n) FROM fast.kept');

-- Deleted rows are gone before VACUUM and after it; rolled-back changes never were.
DELETE FROM kept WHERE id BETWEEN 2000 AND 2100;
SELECT * FROM cached('kept', 'SELECT count(*), sum(k), sum(n) FROM fast.kept');
BEGIN;
UPDATE kept SET k = 100 WHERE id < 50;
SELECT answer FROM cached('kept', 'SELECT k, count(*) FROM fast.kept GROUP BY k');
SAVEPOINT s;
DELETE FROM kept;
SELECT answer FROM cached('kept', 'SELECT k, count(*) FROM fast.kept GROUP BY k');
ROLLBACK TO s;
SELECT answer FROM cached('kept', 'SELECT k, count(*) FROM fast.kept GROUP BY k');
INSERT INTO kept SELECT g, 8, 'new', 1 FROM generate_series(5001, 5200) g;
SELECT answer FROM cached('kept', 'SELECT k, count(*), max(v) FROM fast.kept GROUP BY k');
ROLLBACK;
SELECT answer FROM cached('kept', 'SELECT k, count(*), max(v) FROM fast.kept GROUP BY k');
VACUUM kept;
SELECT answer FROM cached('kept', 'SELECT k, count(*), max(v) FROM fast.kept GROUP BY k');
SELECT * FROM cached('kept', 'SELECT k, count(*), max(v) FROM fast.kept GROUP BY k');

-- Locks and freezing move page and map, not values.
BEGIN;
SELECT count(*) FROM (SELECT FROM kept WHERE id < 200 FOR UPDATE) locked;
COMMIT;
SELECT answer FROM cached('kept', 'SELECT sum(k), sum(n) FROM fast.kept');
VACUUM (FREEZE) kept;
SELECT answer FROM cached('kept', 'SELECT sum(k), sum(n) FROM fast.kept');
SELECT * FROM cached('kept', 'SELECT sum(k), sum(n) FROM fast.kept');

-- It grows, and shrinks at its end.
INSERT INTO kept SELECT g, 9, 'grown', 2 FROM generate_series(9001, 12000) g;
SELECT answer FROM cached('kept', 'SELECT k, count(*), sum(n) FROM fast.kept GROUP BY k');
DELETE FROM kept WHERE k = 9;
VACUUM (TRUNCATE) kept;
SELECT answer FROM cached('kept', 'SELECT k, count(*), sum(n) FROM fast.kept GROUP BY k');

-- Another file: nothing of the old one is used.
VACUUM FULL kept;
SELECT answer, hits FROM cached('kept', 'SELECT k, count(*), sum(n) FROM fast.kept GROUP BY k');
TRUNCATE kept;
SELECT answer FROM cached('kept', 'SELECT count(*), sum(n) FROM fast.kept');
BEGIN;
TRUNCATE kept;
COPY kept FROM STDIN WITH (FREEZE);
1	1	one	1.00
2	2	two	2.00
\.
-- Its file was made by this transaction: not cached.
SELECT * FROM cached('kept', 'SELECT count(*), sum(n) FROM fast.kept');
COMMIT;
SELECT answer, hits, misses FROM cached('kept', 'SELECT count(*), sum(n) FROM fast.kept');
SELECT answer, hits, misses FROM cached('kept', 'SELECT count(*), sum(n) FROM fast.kept');
UPDATE kept SET n = 7 WHERE id = 1;
SELECT answer, patches FROM cached('kept', 'SELECT count(*), sum(n) FROM fast.kept');

-- Columns that come, go and change their type.
ALTER TABLE kept ADD COLUMN later int DEFAULT 5;
DROP FOREIGN TABLE fast.kept;
IMPORT FOREIGN SCHEMA public LIMIT TO (kept) FROM SERVER fusion INTO fast;
SELECT answer FROM cached('kept', 'SELECT sum(later), sum(n) FROM fast.kept');
INSERT INTO kept VALUES (3, 3, 'three', 3, 3);
SELECT answer FROM cached('kept', 'SELECT sum(later), sum(n) FROM fast.kept');
ALTER TABLE kept ALTER COLUMN n TYPE numeric(12,2);
ALTER FOREIGN TABLE fast.kept ALTER COLUMN n TYPE numeric(12,2);
INSERT INTO kept VALUES (4, 4, 'four', 9999999999.99, 4);
SELECT answer FROM cached('kept', 'SELECT sum(later), sum(n) FROM fast.kept');
ALTER TABLE kept DROP COLUMN k;
ALTER FOREIGN TABLE fast.kept DROP COLUMN k;
SELECT answer FROM cached('kept', 'SELECT sum(later), max(v) FROM fast.kept');

-- Values out of line: those of rows that nobody sees are not fetched, and are when somebody does.
CREATE TABLE long_ones (id int, t text) WITH (autovacuum_enabled = off);
ALTER TABLE long_ones ALTER COLUMN t SET STORAGE EXTERNAL;
INSERT INTO long_ones SELECT g, repeat(chr(97 + g % 26), 3000) FROM generate_series(1, 200) g;
IMPORT FOREIGN SCHEMA public LIMIT TO (long_ones) FROM SERVER fusion INTO fast;
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM long_ones;
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');
COMMIT;
UPDATE long_ones SET t = repeat('z', 4000) WHERE id % 3 = 0;
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');
BEGIN;
DELETE FROM long_ones WHERE id % 2 = 0;
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');
ROLLBACK;
-- Before the rollback the deleted rows were seen by nobody here.
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');
VACUUM long_ones;
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');
SELECT answer FROM cached('long_ones', 'SELECT id, length(t), substr(t, 1, 5) FROM fast.long_ones');

-- Temporary and unlogged tables are never cached.
CREATE UNLOGGED TABLE unlogged_one AS SELECT g AS id FROM generate_series(1, 100) g;
CREATE TEMP TABLE temporary_one AS SELECT g AS id FROM generate_series(1, 100) g;
CREATE FOREIGN TABLE fast.unlogged_one (id int) SERVER fusion OPTIONS (schema_name 'public');
SELECT * FROM cached('unlogged_one', 'SELECT sum(id) FROM fast.unlogged_one');
SELECT * FROM cached('unlogged_one', 'SELECT sum(id) FROM fast.unlogged_one');
ALTER TABLE unlogged_one SET LOGGED;
SELECT answer, misses FROM cached('unlogged_one', 'SELECT sum(id) FROM fast.unlogged_one');

-- prewarm and evict.
SELECT fusion.cache_evict('numbers') >= 0 AS evicted, count(*) FROM fusion.stat_cache WHERE relation = 'numbers'::regclass AND bytes > 0;
SELECT fusion.prewarm('numbers', ARRAY['i4', 'n15']) = pg_relation_size('numbers') / 8192 AS all_blocks;
SELECT "column" FROM fusion.stat_cache WHERE relation = 'numbers'::regclass AND bytes > 0 ORDER BY 1;
SELECT fusion.prewarm('numbers', ARRAY['i4', 'n15']);
SELECT misses, patches, answer FROM cached('numbers', 'SELECT sum(i4), sum(n15) FROM fast.numbers');
SELECT fusion.prewarm('fast.numbers') > 0 AS read, count(*) > 2 AS columns FROM fusion.stat_cache WHERE relation = 'numbers'::regclass AND bytes > 0;
SELECT fusion.cache_evict('fast.numbers') > 0 AS evicted;
SELECT count(*) FROM fusion.stat_cache WHERE relation = 'numbers'::regclass AND bytes > 0;
CREATE TABLE parted (k int, v int) PARTITION BY LIST (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT 1 + g % 2, g FROM generate_series(1, 100) g;
SELECT fusion.prewarm('parted');
SELECT relation, "column" FROM fusion.stat_cache WHERE relation::text LIKE 'parted%' ORDER BY 1, 2;
SELECT fusion.cache_evict('parted') > 0 AS evicted;

-- What is refused, and why.
CREATE VIEW a_view AS SELECT 1 AS x;
SELECT * FROM error_of($$SELECT fusion.prewarm('a_view')$$);
SELECT * FROM error_of($$SELECT fusion.cache_evict('a_view')$$);
SELECT * FROM error_of($$SELECT fusion.prewarm('pg_class')$$);
SELECT * FROM error_of($$SELECT fusion.prewarm('numbers_pkey')$$);
SELECT code, regexp_replace(message, '_\d+', ''), detail FROM error_of($$SELECT fusion.prewarm('temporary_one')$$);
CREATE UNLOGGED TABLE unlogged_two (id int);
SELECT * FROM error_of($$SELECT fusion.prewarm('unlogged_two')$$);
SELECT * FROM error_of($$SELECT fusion.cache_evict('unlogged_two')$$);
SELECT * FROM error_of($$SELECT fusion.prewarm('numbers', ARRAY['nope'])$$);
SELECT * FROM error_of($$SELECT fusion.prewarm('numbers', '{}')$$);
SELECT * FROM error_of($$SELECT fusion.prewarm('no_such_table')$$);
SELECT fusion.prewarm(NULL);
BEGIN;
CREATE TABLE of_today (id int);
SELECT * FROM error_of($$SELECT fusion.prewarm('of_today')$$);
ROLLBACK;
CREATE ROLE fusion_cache_reader;
GRANT SELECT (id) ON numbers TO fusion_cache_reader;
SET ROLE fusion_cache_reader;
SELECT * FROM error_of($$SELECT fusion.prewarm('words')$$);
SELECT * FROM error_of($$SELECT fusion.prewarm('numbers')$$);
SELECT * FROM error_of($$SELECT fusion.cache_evict('words')$$);
SELECT * FROM error_of($$SELECT fusion.cache_evict()$$);
SELECT fusion.prewarm('numbers', ARRAY['id']) > 0 AS read;
SELECT relation, "column" FROM fusion.stat_cache WHERE bytes > 0 ORDER BY 1, 2;
RESET ROLE;
GRANT pg_read_all_stats TO fusion_cache_reader;
SET ROLE fusion_cache_reader;
SELECT count(DISTINCT relation) > 1 AS others FROM fusion.stat_cache;
RESET ROLE;
REVOKE ALL ON numbers FROM fusion_cache_reader;
DROP ROLE fusion_cache_reader;

-- EXPLAIN ANALYZE tells what came from the cache.
CREATE FUNCTION lines(command text, pattern text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE command LOOP
        IF line ~ pattern THEN
            RETURN NEXT btrim(line);
        END IF;
    END LOOP;
END $$;
SELECT fusion.prewarm('numbers') > 0 AS read;
SELECT lines('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT sum(i4) FROM fast.numbers', 'Pages|Chunks');
SELECT fusion.cache_evict('numbers') > 0 AS evicted;
SELECT lines('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT sum(i4) FROM fast.numbers', 'Chunks');
DROP FUNCTION lines, cached;
