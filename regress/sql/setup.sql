--
-- What the other tests use: the extension, tables of every type with NULLs and extremes, and a function that runs a query natively and
-- in the engine and compares.
--
CREATE EXTENSION pg_fusion;
CREATE SCHEMA fast;

CREATE TABLE numbers (
    id int PRIMARY KEY,
    i2 int2, i4 int4, i8 int8,
    f4 float4, f8 float8,
    n9 numeric(9,2), n15 numeric(15,2), n30 numeric(30,10), n numeric,
    b bool
);
INSERT INTO numbers
SELECT g,
       CASE WHEN g % 7 <> 0 THEN g % 200 - 100 END,
       CASE WHEN g % 5 <> 0 THEN g * 1000 - 250000 END,
       CASE WHEN g % 11 <> 0 THEN g::int8 * 10000000019 - 5000000000000 END,
       CASE WHEN g % 6 <> 0 THEN g / 8.0 END,
       CASE WHEN g % 9 <> 0 THEN g / 16.0 - 7 END,
       CASE WHEN g % 4 <> 0 THEN (g - 250) * 1.37 END,
       CASE WHEN g % 3 <> 0 THEN (g - 250) * 12345.67 END,
       CASE WHEN g % 8 <> 0 THEN (g - 250) * 1234567890.0123456789 END,
       CASE WHEN g % 10 <> 0 THEN (g - 250)::numeric / 7 END,
       CASE WHEN g % 13 <> 0 THEN g % 2 = 0 END
FROM generate_series(1, 500) g;
INSERT INTO numbers VALUES
    (501, 32767, 2147483647, 9223372036854775807, 'NaN', 'NaN', 9999999.99, 9999999999999.99, 99999999999999999999.9999999999, 'NaN', true),
    (502, -32768, -2147483648, -9223372036854775808, 'Infinity', '-Infinity', -9999999.99, -9999999999999.99, -99999999999999999999.9999999999, 'Infinity', false),
    (503, 0, 0, 0, '-0', '-0', 0, 0, 0, '-Infinity', NULL),
    (504, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (505, 1, 1, 1, 0, 0, 0.01, 0.01, 0.0000000001, 1e-30, true);

CREATE TABLE words (
    id int PRIMARY KEY,
    t text, v varchar(20), c char(10), c1 char(1),
    d date, ts timestamp, tz timestamptz,
    u uuid, j jsonb, a int[], by bytea, iv interval
);
INSERT INTO words
SELECT g,
       CASE WHEN g % 7 <> 0 THEN repeat(chr(97 + g % 26), g % 30) END,
       CASE WHEN g % 5 <> 0 THEN 'v' || g % 50 END,
       CASE WHEN g % 6 <> 0 THEN 'c' || g % 20 END,
       CASE WHEN g % 9 <> 0 THEN chr(65 + g % 5) END,
       CASE WHEN g % 8 <> 0 THEN date '1999-12-01' + g END,
       CASE WHEN g % 8 <> 0 THEN timestamp '2001-02-03 04:05:06.789' + g * interval '1 hour 7 minutes' END,
       CASE WHEN g % 8 <> 0 THEN timestamptz '2001-02-03 04:05:06.789+00' + g * interval '1 day' END,
       md5(g::text)::uuid, jsonb_build_object('k', g), ARRAY[g, NULL, -g], decode(md5(g::text), 'hex'), g * interval '1 minute'
FROM generate_series(1, 300) g;
INSERT INTO words (id, t, v, c, c1, d, ts, tz) VALUES
    (301, '', '', '', '', 'infinity', 'infinity', 'infinity'),
    (302, 'äöü€𝄞', 'ñandú', 'çé', 'ß', '-infinity', '-infinity', '-infinity'),
    (303, 'a%b_c\d', '100%', 'a%', '%', '4713-01-01 BC', '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00+00 BC'),
    (304, repeat('long ', 500), 'x', 'trailing  ', ' ', '5874897-12-31', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00'),
    (305, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- Out of line: a long value that does not compress.
INSERT INTO words (id, t)
SELECT 306, string_agg(md5(g::text), '') FROM generate_series(1, 1000) g;

-- Columns that came and went.
CREATE TABLE changed (id int PRIMARY KEY, gone text, kept int);
INSERT INTO changed SELECT g, 'gone', g * 2 FROM generate_series(1, 50) g;
ALTER TABLE changed DROP COLUMN gone;
ALTER TABLE changed ADD COLUMN later numeric(8,2) DEFAULT 12.34, ADD COLUMN word text DEFAULT 'from the catalog', ADD COLUMN none date;
INSERT INTO changed SELECT g, g * 2, g / 4.0, 'word ' || g, date '2020-02-29' + g FROM generate_series(51, 100) g;

CREATE TABLE empty (id int, t text, n numeric(10,3));
VACUUM ANALYZE numbers, words, changed, empty;

IMPORT FOREIGN SCHEMA public FROM SERVER fusion INTO fast;

-- The rows of a query as text, in order.
CREATE FUNCTION rows_of(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    result text[] := '{}';
    r record;
BEGIN
    FOR r IN EXECUTE query LOOP
        result := result || r::text;
    END LOOP;
    RETURN result;
END $$;

-- Runs a query natively and in the engine. Rows compare in order if the query orders them, else as a multiset.
CREATE FUNCTION same(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    decision record;
    native text[];
    engine text[];
BEGIN
    PERFORM set_config('fusion.force', 'on', true), set_config('fusion.fallback', 'off', true);
    SELECT * INTO decision FROM fusion.explain_route(query);
    IF decision.route <> 'engine' THEN
        RETURN 'NOT IN THE ENGINE: ' || decision.reason;
    END IF;
    engine := rows_of(query);
    PERFORM set_config('fusion.enabled', 'off', true);
    native := rows_of(query);
    PERFORM set_config('fusion.enabled', 'on', true);
    IF query !~* '\morder by\M' THEN
        SELECT array_agg(r ORDER BY r) INTO engine FROM unnest(engine) r;
        SELECT array_agg(r ORDER BY r) INTO native FROM unnest(native) r;
    END IF;
    IF engine IS DISTINCT FROM native THEN
        RETURN format('DIFFERENT: engine %s, native %s', engine[1:20], native[1:20]);
    END IF;
    RETURN format('equal, %s rows', coalesce(cardinality(native), 0));
END $$;

-- What a command raises: SQLSTATE, message, detail, hint.
CREATE FUNCTION error_of(command text) RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    code := '00000';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    code := SQLSTATE;
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;
