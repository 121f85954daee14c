--
-- Partitioned tables and inheritance: leaves found by PostgreSQL, pruned by the query's quals, read as one.
--
SET fusion.force = on;
CREATE TABLE sales (id int, day date, region text, amount numeric(10,2), note text) PARTITION BY RANGE (day);
CREATE TABLE sales_2023 PARTITION OF sales FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
-- Columns in another order, and one that is gone.
CREATE TABLE sales_2024 (note text, gone int, amount numeric(10,2), region text, day date, id int);
ALTER TABLE sales_2024 DROP COLUMN gone;
ALTER TABLE sales ATTACH PARTITION sales_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
-- A partition that is partitioned.
CREATE TABLE sales_2025 PARTITION OF sales FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (region);
CREATE TABLE sales_2025_north PARTITION OF sales_2025 FOR VALUES IN ('north');
CREATE TABLE sales_2025_rest PARTITION OF sales_2025 DEFAULT;
CREATE TABLE sales_none PARTITION OF sales DEFAULT;
INSERT INTO sales
SELECT g, date '2023-01-01' + g * 3, (ARRAY['north', 'south', 'east', NULL])[g % 4 + 1], CASE WHEN g % 5 <> 0 THEN g * 1.25 END,
       CASE WHEN g % 50 = 0 THEN repeat('long ' || g, 2000) ELSE 'note ' || g END
FROM generate_series(1, 400) g;
INSERT INTO sales VALUES (401, NULL, 'north', 1, 'no day');
CREATE TABLE hashed (k int, v int) PARTITION BY HASH (k);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE hashed_2 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO hashed SELECT g % 50, g FROM generate_series(1, 500) g;
CREATE TABLE childless (k int, v text) PARTITION BY LIST (k);
VACUUM ANALYZE sales, hashed;
IMPORT FOREIGN SCHEMA public LIMIT TO (sales, hashed, childless) FROM SERVER fusion INTO fast;

-- How many heap relations the engine's plan scans.
CREATE FUNCTION leaves_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    result text[] := '{}';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ 'HeapScan' THEN
            result := result || substring(line from 'HeapScanExec: relation=([^ ,]+)');
        END IF;
    END LOOP;
    RETURN array_to_string(ARRAY(SELECT r FROM unnest(result) r ORDER BY r), ' ');
END $$;

SELECT same('SELECT count(*) FROM fast.sales');
SELECT same('SELECT count(*), sum(amount), min(day), max(day) FROM fast.sales');
SELECT same('SELECT * FROM fast.sales');
SELECT same('SELECT region, count(*), sum(amount) FROM fast.sales GROUP BY region');
SELECT same('SELECT note, id FROM fast.sales WHERE id % 50 = 0');
SELECT same('SELECT s.id, n.n15 FROM fast.sales s JOIN fast.numbers n USING (id) WHERE s.region = ''south''');
SELECT same('SELECT n.id, s.day FROM fast.numbers n LEFT JOIN fast.sales s ON s.id = n.id AND s.day < ''2023-06-01''');
SELECT same('SELECT s.id FROM fast.sales s WHERE EXISTS (SELECT FROM fast.hashed h WHERE h.v = s.id AND h.k < 9)');
SELECT same('SELECT id, day FROM fast.sales ORDER BY day DESC NULLS LAST, id LIMIT 7');
SELECT same('SELECT k, count(*), sum(v) FROM fast.hashed GROUP BY k');
SELECT same('SELECT count(*) FROM fast.childless');
SELECT same('SELECT k, v FROM fast.childless WHERE k > 1');
SELECT same('SELECT n.id, c.v FROM fast.numbers n LEFT JOIN fast.childless c ON c.k = n.id WHERE n.id < 5');
-- Named directly, beside a fusion table.
SELECT same('SELECT s.id, n.b FROM public.sales s JOIN fast.numbers n USING (id) WHERE s.day >= ''2025-01-01''');

-- Pruned by constant quals: range, list, hash, default, several levels.
SELECT leaves_of('SELECT sum(amount) FROM fast.sales');
SELECT leaves_of('SELECT sum(amount) FROM fast.sales WHERE day >= ''2024-03-01'' AND day < ''2024-05-01''');
SELECT leaves_of('SELECT sum(amount) FROM fast.sales WHERE day >= ''2025-03-01'' AND region = ''north''');
SELECT leaves_of('SELECT sum(amount) FROM fast.sales WHERE day IS NULL');
SELECT leaves_of('SELECT sum(amount) FROM fast.sales WHERE day < ''2023-02-01'' OR day = ''2024-12-24''');
SELECT leaves_of('SELECT sum(v) FROM fast.hashed WHERE k = 7');
SELECT leaves_of('SELECT sum(v) FROM fast.hashed WHERE false');
SELECT same('SELECT id, amount FROM fast.sales WHERE day >= ''2024-03-01'' AND day < ''2024-05-01''');
SELECT same('SELECT id FROM fast.sales WHERE day >= ''2025-03-01'' AND region = ''north''');
SELECT same('SELECT id FROM fast.sales WHERE day IS NULL');
SELECT same('SELECT sum(v) FROM fast.hashed WHERE k = 7');
SELECT same('SELECT count(*) FROM fast.hashed WHERE false');
-- Two occurrences with other quals.
SELECT same('SELECT a.id, b.id FROM fast.sales a JOIN fast.sales b ON b.id = a.id + 100 WHERE a.day < ''2023-03-01'' AND b.day > ''2023-10-01''');

-- Inheritance; ONLY.
CREATE TABLE person (id int, name text, born date);
CREATE TABLE student (school text) INHERITS (person);
CREATE TABLE teacher (pay numeric(8,2)) INHERITS (person);
CREATE TABLE assistant (hours int) INHERITS (student, teacher);
INSERT INTO person SELECT g, 'person ' || g, date '1970-01-01' + g FROM generate_series(1, 20) g;
INSERT INTO student SELECT g, 'student ' || g, date '2000-01-01' + g, 'school ' || g % 3 FROM generate_series(101, 130) g;
INSERT INTO teacher SELECT g, 'teacher ' || g, date '1960-01-01' + g, g * 10 FROM generate_series(201, 215) g;
INSERT INTO assistant SELECT g, 'assistant ' || g, NULL, 'school', g, 5 FROM generate_series(301, 305) g;
IMPORT FOREIGN SCHEMA public LIMIT TO (person, student, teacher) FROM SERVER fusion INTO fast;
SELECT same('SELECT * FROM fast.person');
SELECT same('SELECT count(*), max(born) FROM fast.person');
SELECT same('SELECT id, pay FROM fast.teacher');
SELECT same('SELECT s.id, p.name FROM fast.student s JOIN fast.person p USING (id)');
SELECT same('SELECT id FROM ONLY fast.person');
SELECT count(*) FROM ONLY fast.person;
SELECT same('SELECT id FROM ONLY fast.sales');
SELECT same('SELECT p.id FROM ONLY public.person p JOIN fast.numbers n USING (id)');
SELECT same('SELECT p.id, q.id FROM public.person p JOIN ONLY fast.person q USING (id)');
ALTER TABLE teacher NO INHERIT person;
ALTER TABLE assistant NO INHERIT student;
ALTER TABLE student NO INHERIT person;
SELECT same('SELECT id FROM fast.person');

-- Cached plans follow what is attached, detached and dropped.
SET fusion.fallback = off;
SET plan_cache_mode = force_generic_plan;
PREPARE total AS SELECT count(*), sum(amount) FROM fast.sales;
PREPARE since (date) AS SELECT count(*), sum(amount) FROM fast.sales WHERE day >= $1;
EXECUTE total;
EXECUTE since('2025-06-01');
ALTER TABLE sales DETACH PARTITION sales_2024;
EXECUTE total;
EXECUTE since('2024-06-01');
CREATE TABLE sales_2027 PARTITION OF sales FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
INSERT INTO sales VALUES (500, '2027-05-05', 'west', 7.50, 'late');
EXECUTE total;
ALTER TABLE sales_2027 ADD CONSTRAINT positive CHECK (id > 0);
EXECUTE total;
DROP TABLE sales_2027;
EXECUTE total;
ALTER TABLE sales ATTACH PARTITION sales_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
EXECUTE total;
EXECUTE since('2024-06-01');
SET plan_cache_mode = force_custom_plan;
EXECUTE since('2024-06-01');
EXECUTE since('2025-06-01');
RESET plan_cache_mode;
RESET fusion.fallback;

-- A column that a leaf's index makes unique is not unique in the parent.
CREATE UNIQUE INDEX ON sales_2023 (id);
CREATE UNIQUE INDEX ON sales_2024 (id);
INSERT INTO sales VALUES (1, '2024-02-02', 'north', 3, 'again'), (2, '2024-02-02', 'north', 4, 'again');
ANALYZE sales;
SELECT same('SELECT n.id, s.day FROM fast.numbers n JOIN fast.sales s USING (id) WHERE n.id < 4');

-- Leaves that are no heap relations; rights are those on the parent.
CREATE FOREIGN TABLE sales_foreign PARTITION OF sales FOR VALUES FROM ('2030-01-01') TO ('2031-01-01') SERVER fusion OPTIONS (table_name 'sales_2023');
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.sales');
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.sales WHERE day < ''2024-01-01''');
DROP FOREIGN TABLE sales_foreign;
CREATE ROLE fusion_seller;
GRANT USAGE ON SCHEMA fast TO fusion_seller;
GRANT SELECT ON fast.sales, public.sales TO fusion_seller;
SET ROLE fusion_seller;
SELECT count(*) FROM fast.sales;
SELECT count(*) FROM fast.hashed;
RESET ROLE;
-- Through the plain callbacks: a whole row, a system column.
SELECT count(s), count(*) FROM fast.sales s WHERE (s).day < '2023-02-01';
SELECT DISTINCT tableoid::regclass FROM fast.sales WHERE id < 5;
DROP OWNED BY fusion_seller;
DROP ROLE fusion_seller;
DROP FOREIGN TABLE fast.sales, fast.hashed, fast.childless, fast.person, fast.student, fast.teacher;
DROP TABLE sales, hashed, childless, person, student, teacher, assistant;
