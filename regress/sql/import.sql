--
-- IMPORT FOREIGN SCHEMA.
--
CREATE SCHEMA src;
CREATE SCHEMA dst;
CREATE TABLE src.plain (id int NOT NULL, "Odd Name" text COLLATE "C", price numeric(12,4), tag char(3));
CREATE TABLE src.parted (id int, region text) PARTITION BY LIST (region);
CREATE TABLE src.parted_a PARTITION OF src.parted FOR VALUES IN ('a');
CREATE TABLE src.parted_b PARTITION OF src.parted FOR VALUES IN ('b');
INSERT INTO src.plain SELECT g, 'w' || g, g / 8.0, 't' FROM generate_series(1, 20) g;
INSERT INTO src.parted SELECT g, CASE WHEN g % 2 = 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 20) g;
CREATE MATERIALIZED VIEW src.summed AS SELECT region, count(*) AS n FROM src.parted GROUP BY region;
CREATE VIEW src.a_view AS SELECT 1 AS one;
CREATE SEQUENCE src.a_sequence;
IMPORT FOREIGN SCHEMA src FROM SERVER fusion INTO dst;
SELECT relname FROM pg_class WHERE relnamespace = 'dst'::regnamespace AND relkind = 'f' ORDER BY relname;
\d dst.plain
SET search_path = dst, public;
SELECT same('SELECT count(*), sum(price), min("Odd Name") FROM plain');
SELECT same('SELECT * FROM summed');
-- A partitioned table is read as one; at this stage by PostgreSQL.
SELECT region, count(*) FROM parted GROUP BY region ORDER BY region;
SELECT same('SELECT region, count(*) FROM parted GROUP BY region');
DROP FOREIGN TABLE plain, parted, summed;
IMPORT FOREIGN SCHEMA src LIMIT TO (plain, parted_a) FROM SERVER fusion INTO dst;
SELECT same('SELECT * FROM parted_a');
SELECT relname FROM pg_class WHERE relnamespace = 'dst'::regnamespace AND relkind = 'f' ORDER BY relname;
DROP FOREIGN TABLE plain, parted_a;
IMPORT FOREIGN SCHEMA src EXCEPT (plain, summed) FROM SERVER fusion INTO dst;
SELECT relname FROM pg_class WHERE relnamespace = 'dst'::regnamespace AND relkind = 'f' ORDER BY relname;
\set VERBOSITY sqlstate
IMPORT FOREIGN SCHEMA nowhere FROM SERVER fusion INTO dst;
IMPORT FOREIGN SCHEMA src FROM SERVER fusion INTO dst OPTIONS (import_default 'on');
\set VERBOSITY default
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA src, dst CASCADE;
