--
-- The tables of the differential suite: small, rich in NULLs, and the same on every run, machine and locale.
--
-- Schema data holds the heap tables, fast the fusion tables over them, heap the relations that are only in the heap. Queries run with
-- search_path = fast, heap.
-- Sums over the floats here are exact in any order: the values are multiples of 1/8. -0 and 0, and numerics that differ in display scale
-- only, stand in ext alone, because which of them a GROUP BY shows is undefined in PostgreSQL too.
--
SET client_min_messages = warning;
CREATE EXTENSION pg_fusion;
CREATE SCHEMA data;
CREATE SCHEMA fast;
CREATE SCHEMA heap;
SET search_path = data;

-- Numbers of every type, moderate values.
CREATE TABLE num (
    id int PRIMARY KEY, b bool,
    i2 int2, i4 int4, i8 int8,
    f4 float4, f8 float8,
    n2 numeric(10,2), n4 numeric(15,4), n0 numeric(12,0), n10 numeric(38,10), n numeric
);
INSERT INTO num
SELECT g,
       CASE WHEN g % 7 <> 3 THEN g * 31 % 5 < 2 END,
       CASE WHEN g % 11 <> 0 THEN g * 37 % 401 - 200 END,
       CASE WHEN g % 5 <> 0 THEN g * 7919 % 100003 - 50000 END,
       CASE WHEN g % 13 <> 0 THEN (g::int8 * 1000003 % 10007 - 5000) * 1000000007 END,
       CASE WHEN g % 6 <> 0 THEN (g * 17 % 1001 - 500) / 8.0 END,
       CASE WHEN g % 9 <> 0 THEN (g * 29 % 2003 - 1000) / 8.0 END,
       CASE WHEN g % 4 <> 0 THEN (g * 131 % 20011 - 10000) / 100.0 END,
       CASE WHEN g % 17 <> 0 THEN (g * 7919 % 1000003 - 500000) / 10000.0 END,
       CASE WHEN g % 19 <> 0 THEN (g * 1299709::int8 % 1000000007) - 500000000 END,
       CASE WHEN g % 8 <> 0 THEN (g * 7 % 997 - 500) * 1234567890.0123456789 END,
       CASE WHEN g % 10 <> 0 THEN (g * 13 % 701 - 350)::numeric / 7 END
FROM generate_series(1, 800) g;

-- The ends of the types.
CREATE TABLE ext (
    id int PRIMARY KEY, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n2 numeric(10,2), n10 numeric(38,10), n numeric
);
INSERT INTO ext VALUES
    (1, 32767, 2147483647, 9223372036854775807, 'NaN', 'NaN', 99999999.99, 9999999999999999999999999999.9999999999, 'NaN'),
    (2, -32768, -2147483648, -9223372036854775808, 'Infinity', 'Infinity', -99999999.99, -9999999999999999999999999999.9999999999, 'Infinity'),
    (3, 0, 0, 0, '-Infinity', '-Infinity', 0, 0, '-Infinity'),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 1, 1, 1, '-0', '-0', 0.01, 0.0000000001, 1e-100),
    (6, -1, -1, -1, 0, 0, -0.01, -0.0000000001, -1e-100),
    (7, 32766, 2147483646, 9223372036854775806, 3.4028235e38, 1.7976931348623157e308, 12345.67, 1234567890123456789.0123456789, 1e100),
    (8, -32767, -2147483647, -9223372036854775807, 1.1754944e-38, 2.2250738585072014e-308, 1.10, 1.1, 1.10),
    (9, 7, 70000, 5000000000, 1e-45, 5e-324, 1.1, 1.10, 1.1000),
    (10, 100, 46341, 3037000500, 16777217, 9007199254740993, 100, 1e20, 100),
    (11, NULL, 46340, 3037000499, 0.1, 0.1, NULL, NULL, 100.00),
    (12, 12, NULL, NULL, 123456.789, 123456789.123456789, 99.995, 0.5, 12345678901234567890123456789012345678901234567890.12345);

-- Text of every kind. tc has byte order whatever the database's collation is.
CREATE TABLE txt (id int PRIMARY KEY, t text, v varchar(20), c char(10), c1 char(1), tc text COLLATE "C");
INSERT INTO txt
SELECT g,
       CASE WHEN g % 7 <> 0 THEN substr('the quick brown fox jumps over the lazy dog', g % 40 + 1, g % 11) END,
       CASE WHEN g % 5 <> 0 THEN chr(97 + g % 26) || g % 50 END,
       CASE WHEN g % 6 <> 0 THEN chr(65 + g % 26) || g % 20 END,
       CASE WHEN g % 9 <> 0 THEN chr(65 + g % 5) END,
       CASE WHEN g % 8 <> 0 THEN md5((g % 90)::text) END
FROM generate_series(1, 400) g;
INSERT INTO txt VALUES
    (401, '', '', '', '', ''),
    (402, 'äöü€𝄞', 'ñandú', 'çé', 'ß', 'Äther'),
    (403, 'a%b_c\d', '100%', 'a%', '%', 'under_score'),
    (404, '   padded   ', ' v ', 'trailing  ', ' ', ' lead'),
    (405, NULL, NULL, NULL, NULL, NULL),
    (406, E'line one\nline two\ttab', E'\\', E'a\tb', E'\n', 'quote''s "and" more'),
    (407, 'Straße', 'STRASSE', 'straße', 'S', 'zz top'),
    (408, 'İstanbul', 'ijs', 'IJ', 'i', 'I'),
    (409, 'aaaaaaaaaaaaaaaaaaaab', 'aaaaaaaaaaaaaaaaaaab', 'aaaaaaaaab', 'a', 'aaaaaaaaaaaab'),
    (410, 'Zebra', 'apple', 'Apple', 'Z', 'zebra'),
    (411, 'combining é', '日本語', '日本', '語', '日本語テキスト'),
    (412, '42', '-17', '3.5', '7', '1e3');

-- Long values: inline compressed, out of line, out of line uncompressed.
CREATE TABLE wide (id int PRIMARY KEY, t text, v varchar, tail int);
INSERT INTO wide
SELECT g, CASE WHEN g % 5 <> 0 THEN repeat(md5(g::text), g * 20) END, CASE WHEN g % 3 <> 0 THEN repeat(chr(97 + g), 3000) END, g * 2
FROM generate_series(1, 20) g;
ALTER TABLE wide ALTER t SET STORAGE EXTERNAL;
INSERT INTO wide
SELECT 20 + g, (SELECT string_agg(md5((g * s)::text), '' ORDER BY s) FROM generate_series(1, 300) s), repeat('é', 2000), NULL
FROM generate_series(1, 5) g;

-- Days and times.
CREATE TABLE tim (id int PRIMARY KEY, d date, ts timestamp, tz timestamptz);
INSERT INTO tim
SELECT g,
       CASE WHEN g % 8 <> 0 THEN date '1996-01-31' + g * 3 END,
       CASE WHEN g % 9 <> 0 THEN timestamp '1999-12-31 23:59:59.123456' + g * interval '7 hours 13 minutes 1.000001 seconds' END,
       CASE WHEN g % 10 <> 0 THEN timestamptz '2001-03-24 22:30:00+00' + g * interval '11 hours' END
FROM generate_series(1, 500) g;
CREATE TABLE tim_ext (id int PRIMARY KEY, d date, ts timestamp, tz timestamptz);
INSERT INTO tim_ext VALUES
    (1, 'infinity', 'infinity', 'infinity'),
    (2, '-infinity', '-infinity', '-infinity'),
    (3, '4713-01-01 BC', '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00+00 BC'),
    (4, '5874897-12-31', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00'),
    (5, NULL, NULL, NULL),
    (6, '2000-01-01', '2000-01-01 00:00:00', '2000-01-01 00:00:00+00'),
    (7, '1999-12-31', '1999-12-31 23:59:59.999999', '1999-12-31 23:59:59.999999+00'),
    (8, '2000-02-29', '2000-02-29 12:00:00', '2000-02-29 12:00:00+00'),
    (9, '1900-02-28', '1900-02-28 06:00:00.5', '1900-02-28 06:00:00.5+00'),
    (10, '0001-01-01', '0001-01-01 00:00:00', '0001-01-01 00:00:00+00'),
    (11, '0001-12-31 BC', '0001-12-31 23:00:00 BC', '0001-12-31 23:00:00+00 BC');

-- The last microsecond that PostgreSQL knows; the engine counts from 1970 and has no room for it.
CREATE TABLE tim_last (id int PRIMARY KEY, ts timestamp, tz timestamptz);
INSERT INTO tim_last VALUES (1, '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00'), (2, '2000-01-01', NULL);

-- Two sides of joins: keys with NULLs and duplicates on both, of different types.
CREATE TABLE l (id int PRIMARY KEY, k int, s text, n numeric(10,2), d date);
CREATE TABLE r (id int PRIMARY KEY, k bigint, s varchar(10), n numeric(12,4), d timestamp);
CREATE TABLE m (l_id int, r_id int, w int);
INSERT INTO l
SELECT g, CASE WHEN g % 6 <> 0 THEN g % 13 END, CASE WHEN g % 7 <> 0 THEN 's' || g % 9 END, CASE WHEN g % 5 <> 0 THEN (g % 8) * 1.25 END,
       CASE WHEN g % 9 <> 0 THEN date '2020-01-01' + g % 11 END
FROM generate_series(1, 40) g;
INSERT INTO r
SELECT g, CASE WHEN g % 5 <> 0 THEN g % 17 - 2 END, CASE WHEN g % 4 <> 0 THEN 's' || g % 11 END, CASE WHEN g % 6 <> 0 THEN (g % 10) * 1.25 END,
       CASE WHEN g % 8 <> 0 THEN timestamp '2020-01-03' + g % 12 * interval '12 hours' END
FROM generate_series(1, 34) g;
INSERT INTO m SELECT CASE WHEN g % 10 <> 0 THEN g * 3 % 43 END, CASE WHEN g % 7 <> 0 THEN g * 5 % 37 END, g % 4 FROM generate_series(1, 60) g;

-- People, departments, sales, products.
CREATE TABLE dept (id int PRIMARY KEY, name varchar(20) NOT NULL, city text, budget numeric(12,2));
INSERT INTO dept VALUES
    (1, 'Accounting', 'Oslo', 100000), (2, 'Research', 'Bergen', 250000.50), (3, 'Sales', NULL, 75000), (4, 'Support', 'Oslo', NULL),
    (5, 'Legal', 'Paris', 0), (6, 'Empty', 'Rome', 1), (7, 'Ghost', NULL, NULL);
CREATE TABLE emp (
    id int PRIMARY KEY, name text NOT NULL, dept int, boss int, salary numeric(10,2), bonus numeric(8,2), hired date, active bool, grade char(2)
);
INSERT INTO emp
SELECT g, 'emp ' || g, CASE WHEN g % 11 <> 0 THEN g % 5 + 1 + (g % 23) / 22 * 90 END, CASE WHEN g > 3 AND g % 13 <> 0 THEN g / 4 + 1 END,
       CASE WHEN g % 17 <> 0 THEN 1000 + g * 613 % 4000 + (g % 4) * 0.25 END, CASE WHEN g % 3 = 0 THEN g * 7 % 500 + 0.5 END,
       CASE WHEN g % 19 <> 0 THEN date '2010-01-15' + g * 17 END, CASE WHEN g % 6 <> 5 THEN g % 4 <> 0 END,
       CASE WHEN g % 8 <> 0 THEN chr(65 + g % 3) || g % 3 END
FROM generate_series(1, 150) g;
CREATE TABLE product (code text PRIMARY KEY, name text, category varchar(12), price numeric(9,3));
INSERT INTO product
SELECT 'P' || g, CASE WHEN g % 6 <> 0 THEN 'product ' || g END, CASE WHEN g % 5 <> 0 THEN 'cat' || g % 4 END, CASE WHEN g % 7 <> 0 THEN g * 1.375 END
FROM generate_series(1, 25) g;
CREATE TABLE sales (id bigint PRIMARY KEY, emp int, product text, day date, qty int2, amount numeric(12,2), region char(2));
INSERT INTO sales
SELECT g, CASE WHEN g % 12 <> 0 THEN g * 7 % 170 END, CASE WHEN g % 9 <> 0 THEN 'P' || g * 11 % 28 END,
       CASE WHEN g % 25 <> 0 THEN date '2021-01-01' + g * 13 % 730 END, CASE WHEN g % 8 <> 0 THEN g % 20 END,
       CASE WHEN g % 10 <> 0 THEN (g * 7919 % 50021 - 5000) / 100.0 END, CASE WHEN g % 14 <> 0 THEN substr('NOSEDKFI', g % 4 * 2 + 1, 2) END
FROM generate_series(1, 1500) g;

-- Shapes.
CREATE TABLE dup (k int, v int, w text);
INSERT INTO dup SELECT CASE WHEN g % 4 <> 0 THEN g % 3 END, CASE WHEN g % 5 <> 0 THEN g % 2 END, CASE WHEN g % 6 <> 0 THEN 'w' || g % 2 END FROM generate_series(1, 120) g;
CREATE TABLE zero (id int, k int, t text, n numeric(10,3), d date, b bool);
CREATE TABLE one (id int, k int, t text, n numeric(10,3), d date, b bool);
INSERT INTO one VALUES (1, NULL, 'only', 2.500, '2024-02-29', true);
CREATE TABLE nulls (id int, k int, t text, n numeric(10,3), d date, b bool);
INSERT INTO nulls SELECT NULL FROM generate_series(1, 10);
CREATE TABLE tri (id int PRIMARY KEY, a bool, b bool, c bool);
INSERT INTO tri
SELECT row_number() OVER (ORDER BY a.o, b.o, c.o), a.v, b.v, c.v
FROM (VALUES (1, true), (2, false), (3, NULL)) a(o, v), (VALUES (1, true), (2, false), (3, NULL)) b(o, v), (VALUES (1, true), (2, false), (3, NULL)) c(o, v);
CREATE TABLE tree (id int PRIMARY KEY, parent int, label text);
INSERT INTO tree SELECT g, CASE WHEN g > 1 THEN g / 2 END, 'node ' || g FROM generate_series(1, 40) g;

-- Columns that came and went.
CREATE TABLE changed (id int PRIMARY KEY, gone text, kept int);
INSERT INTO changed SELECT g, 'gone', g * 2 FROM generate_series(1, 50) g;
ALTER TABLE changed DROP COLUMN gone;
ALTER TABLE changed ADD COLUMN later numeric(8,2) DEFAULT 12.34, ADD COLUMN word text DEFAULT 'from the catalog', ADD COLUMN none date;
INSERT INTO changed SELECT g, g * 2, g / 4.0, 'word ' || g, date '2020-02-29' + g FROM generate_series(51, 100) g;
ALTER TABLE changed ADD COLUMN flag bool NOT NULL DEFAULT true;
ALTER TABLE changed ALTER COLUMN kept TYPE bigint;
ALTER TABLE changed ADD COLUMN last int2;
UPDATE changed SET last = id % 9 WHERE id % 3 = 0;
DELETE FROM changed WHERE id % 10 = 0;

-- Types that the engine only carries.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE misc (id int PRIMARY KEY, u uuid, j jsonb, a int[], by bytea, iv interval, ip inet, mo mood, dom positive, tm time, mon money);
INSERT INTO misc
SELECT g, CASE WHEN g % 4 <> 0 THEN md5(g::text)::uuid END, jsonb_build_object('k', g, 'l', jsonb_build_array(g, NULL)), CASE WHEN g % 5 <> 0 THEN ARRAY[g, NULL, -g] END,
       decode(md5(g::text), 'hex'), g * interval '1 day 2 hours', ('10.0.0.' || g)::inet, (enum_range(NULL::mood))[g % 3 + 1],
       CASE WHEN g % 3 <> 0 THEN g END, time '08:00' + g * interval '7 minutes', g * 1.25::numeric::money
FROM generate_series(1, 60) g;

-- numeric(p,s) may hold NaN.
CREATE TABLE nan_fixed (id int PRIMARY KEY, n numeric(10,2));
INSERT INTO nan_fixed VALUES (1, 1.5), (2, 'NaN'), (3, NULL), (4, -2.25);

-- Partitioned by range, one partition by list again; and an inheritance tree.
CREATE TABLE part (id int NOT NULL, grp text, day date, v numeric(10,2)) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part_2 (v numeric(10,2), day date, extra int, grp text, id int NOT NULL);
ALTER TABLE part_2 DROP COLUMN extra;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM (100) TO (200);
CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM (200) TO (300) PARTITION BY LIST (grp);
CREATE TABLE part_3a PARTITION OF part_3 FOR VALUES IN ('a', NULL);
CREATE TABLE part_3x PARTITION OF part_3 DEFAULT;
INSERT INTO part SELECT g, CASE WHEN g % 7 <> 0 THEN chr(97 + g % 4) END, date '2022-01-01' + g, CASE WHEN g % 6 <> 0 THEN g * 1.5 END FROM generate_series(1, 299) g;
CREATE TABLE base (id int, label text);
CREATE TABLE derived (more numeric(6,2)) INHERITS (base);
INSERT INTO base SELECT g, 'base ' || g FROM generate_series(1, 20) g;
INSERT INTO derived SELECT g, 'derived ' || g, g / 2.0 FROM generate_series(15, 40) g;
CREATE MATERIALIZED VIEW totals AS SELECT emp, count(*) AS orders, sum(amount) AS total FROM sales GROUP BY emp;

-- Dead and updated tuples, and pages that are not all visible.
CREATE TABLE churn (id int PRIMARY KEY, v int, t text);
INSERT INTO churn SELECT g, g, 'row ' || g FROM generate_series(1, 1000) g;
VACUUM ANALYZE;
UPDATE churn SET v = v + 1, t = t || '!' WHERE id % 3 = 0;
DELETE FROM churn WHERE id % 7 = 0;
INSERT INTO churn SELECT g, NULL, NULL FROM generate_series(1001, 1050) g;

IMPORT FOREIGN SCHEMA data FROM SERVER fusion INTO fast;

-- Only in the heap.
SET search_path = heap;
CREATE TABLE plain (id int PRIMARY KEY, k int, label text, n numeric(10,2));
INSERT INTO plain SELECT g, CASE WHEN g % 6 <> 0 THEN g % 15 END, CASE WHEN g % 5 <> 0 THEN 'label ' || g % 8 END, CASE WHEN g % 7 <> 0 THEN g * 1.75 END FROM generate_series(1, 90) g;
CREATE TABLE rate (code text PRIMARY KEY, factor numeric(8,4));
INSERT INTO rate VALUES ('NO', 1), ('SE', 0.97), ('DK', 1.4325), ('FI', 10.5), ('XX', NULL);
ANALYZE;

SET search_path = fast, heap;
CREATE VIEW heap.v_emp AS SELECT e.id, e.name, e.salary, d.name AS department, d.city FROM emp e LEFT JOIN dept d ON d.id = e.dept;
CREATE VIEW heap.v_pay AS SELECT dept, count(*) AS heads, sum(salary) AS pay, avg(salary) AS mean FROM emp GROUP BY dept;
CREATE VIEW heap.v_busy AS SELECT e.id, e.name FROM emp e WHERE (SELECT count(*) FROM sales s WHERE s.emp = e.id) > 8;
CREATE VIEW heap.v_all AS SELECT id, name FROM emp UNION ALL SELECT id, name FROM dept;
CREATE VIEW heap.v_barrier WITH (security_barrier) AS SELECT id, salary FROM emp WHERE active;
CREATE VIEW heap.v_top AS SELECT id, salary FROM emp WHERE salary IS NOT NULL ORDER BY salary DESC, id LIMIT 10;
CREATE VIEW heap.v_nested AS SELECT department, count(*) AS n, max(salary) AS top FROM v_emp GROUP BY department;
