-- One table with all types that heapscan decodes, in every stored form: see make.sh.
CREATE TABLE golden (
    id int4, b bool, i2 int2, gone1 int8, i8 int8, f4 float4, f8 float8,
    n15_2 numeric(15,2), n38_9 numeric(38,9), n5_0 numeric(5,0), n_any numeric,
    t text, vc varchar(40), bc1 char(1), bc10 char(10), gone2 text,
    d date, ts timestamp, tz timestamptz, u uuid, by bytea, c "char",
    gl text, lz text, ext text
) WITH (fillfactor = 60);
ALTER TABLE golden ALTER gl SET STORAGE MAIN, ALTER lz SET STORAGE MAIN, ALTER by SET STORAGE MAIN, ALTER ext SET STORAGE EXTERNAL;
ALTER TABLE golden ALTER gl SET COMPRESSION pglz, ALTER lz SET COMPRESSION lz4;

-- Limits.
INSERT INTO golden VALUES
    (1, true, 32767, 5, 9223372036854775807, 'Infinity', '-Infinity', 9999999999999.99, 99999999999999999999999999999.999999999,
     99999, 'NaN', '', '', '', '', 'gone', 'infinity', 'infinity', 'infinity',
     '00000000-0000-0000-0000-000000000000', '', 'x', '', '', ''),
    (2, false, -32768, 5, -9223372036854775808, '-0', 'NaN', -9999999999999.99, -99999999999999999999999999999.999999999,
     -99999, 'Infinity', 'ä', 'größer', 'é', 'äöü       ', 'gone', '-infinity', '-infinity', '-infinity',
     'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x00ff', '', 'short', 'short', 'short'),
    (3, null, 0, null, 0, 0, 0, 0, 0, 0, '-Infinity', E'tab\tnewline\nbackslash\\', '日本語のテキスト', '日', '日本語', null,
     '1970-01-01', '1970-01-01', '1970-01-01 00:00:00+00', null, null, null, null, null, null),
    (4, true, 1, 1, 1, 1.5, 1e308, 0.01, 0.000000001, 1, 1e-300, 'x', 'x', 'x', 'x', 'x', '4713-01-01 BC',
     '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00+00 BC', gen_random_uuid(), '\x0102', 'z', 'x', 'x', 'x'),
    (5, true, -1, 1, -1, -1.5, 5e-324, -0.01, -0.000000001, -1, -123456789012345678901234567890.123456789,
     'x', 'x', 'x', 'x', 'x', '5874897-12-31', '294246-01-01', '294246-01-01 00:00:00+00', gen_random_uuid(), '\x', 'z', 'x',
     'x', 'x'),
    (6, true, 1, 1, 1, 1, 1, 10000, 10000, 10000, 1e200, 'x', 'x', ' ', ' x ', 'x', '2000-01-01', '1999-12-31 23:59:59.999999',
     '2000-01-01', gen_random_uuid(), '\x', 'z', 'x', 'x', 'x');
INSERT INTO golden (id) VALUES (7);
-- Values compressed inline, and one out of line.
INSERT INTO golden (id, b, t, gl, lz, by) VALUES
    (8, true, repeat('t', 127), repeat('pglz ', 900), 'behind it', '\x08'),
    (9, false, repeat('t', 126), 'before it', repeat('lz4 größer ', 700), '\x09'),
    (10, true, repeat('ü', 200), repeat('both é', 800), repeat('both ', 900), repeat('a', 4000)::bytea);
INSERT INTO golden (id, i2, ext, c) VALUES (11, 11, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i), 'e');
-- A crowd, with NULLs in changing places.
INSERT INTO golden
SELECT i, nullif(i % 3, 0) = 1, nullif(i % 7, 0), i, nullif(i * 1000003::int8, 0), i / 4.0, sqrt(i),
    nullif(i % 11, 0) * 12345.67 * (i % 5 - 2), (i * 1.000000001) ^ 3, nullif(i % 13, 0) * 777, (i::numeric ^ (i % 20)) / 7,
    repeat('t', i % 40), repeat('v', i % 20), chr(65 + i % 26), repeat('b', i % 10), 'gone' || i,
    nullif(date '1992-01-01' + i * 20, '1992-12-26'), timestamp '1992-01-01' + i * interval '1 day 1.000001 s',
    timestamptz '1992-01-01 00:00+00' - i * interval '1 day', md5(i::text)::uuid,
    nullif(decode(repeat('ab', i % 17), 'hex'), ''), chr(97 + i % 26)::"char", 'gl' || i, null, null
FROM generate_series(20, 79) i;
ALTER TABLE golden DROP gone1, DROP gone2;
ALTER TABLE golden ADD added_t text DEFAULT 'added later', ADD added_n numeric(15,2) DEFAULT 12.34,
    ADD added_i int4 DEFAULT 7, ADD added_null text;
INSERT INTO golden (id, i8, n15_2, t, added_t, added_n, added_i, added_null)
SELECT i, i, i, 'after', nullif('mine ' || i, 'mine 83'), i + 0.25, nullif(i, 85), nullif('null ' || i, 'null 81')
FROM generate_series(80, 89) i;
-- Dead tuples, HOT chains, redirecting and unused line pointers.
UPDATE golden SET i2 = 77 WHERE id BETWEEN 30 AND 33;
DELETE FROM golden WHERE id % 10 = 5 AND id > 20;
VACUUM golden;
UPDATE golden SET added_i = 99 WHERE id BETWEEN 40 AND 42;
DELETE FROM golden WHERE id = 43;
INSERT INTO golden (id, added_null) VALUES (90, 'the end');
