--
-- Every type that the engine decodes, and those that it only carries: NULLs, extremes, out-of-line values, columns added and dropped.
--
SET search_path = fast, public;
SELECT same('SELECT * FROM words');
SELECT same('SELECT id, i2, i4, i8, f4, f8, n9, n15, n30, n, b FROM numbers');
SELECT same('SELECT * FROM changed');
SELECT same('SELECT * FROM empty');
SELECT same('SELECT count(*) FROM words');
SELECT same('SELECT id, length(t) FROM words');
SELECT same('SELECT later, count(*), min(word), max(none) FROM changed GROUP BY later');
SELECT same('SELECT none IS NULL, count(*) FROM changed GROUP BY none IS NULL');
-- The row itself, once, as a user sees it.
SET fusion.force = on;
SET fusion.fallback = off;
SELECT id, t, v, c, c1, d, ts FROM words WHERE id IN (1, 7, 301, 302, 303, 305) ORDER BY id;
SELECT i2, i4, i8, f4, f8, n9, n15, n30, n, b FROM numbers WHERE id > 500 ORDER BY id;
SELECT octet_length(t), substring(t, 1, 40) FROM words WHERE id = 306;
SELECT u, j, a, by, iv FROM words WHERE id = 5;
-- A numeric column may hold NaN: the engine does not, and PostgreSQL answers.
CREATE TABLE public.nans (n numeric(10,2));
INSERT INTO public.nans VALUES (1.5), ('NaN');
IMPORT FOREIGN SCHEMA public LIMIT TO (nans) FROM SERVER fusion INTO fast;
SELECT sum(n) FROM nans;
SET fusion.fallback = on;
SELECT sum(n) FROM nans;
DROP FOREIGN TABLE nans;
DROP TABLE public.nans;
