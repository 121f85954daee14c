--
-- Expressions: arithmetic with PostgreSQL's scales and errors, comparison, text, dates, CASE, three-valued logic.
--
SET search_path = fast, public;
SELECT same('SELECT id, i2 + 1, i4 - 1, i8 / 3, i4 % 7, -i2, abs(i4) FROM numbers WHERE id <= 500');
SELECT same('SELECT id, i2 * i4, i4 + i8, i2::int4, i4::int8, i4::numeric, i8::float8 FROM numbers WHERE id <= 500');
SELECT same('SELECT id, n9 + n15, n9 - n30, n9 * n15, n15 * (1 - n9), -n15, abs(n30) FROM numbers WHERE id <= 500');
SELECT same('SELECT id, n15 / 3, n15 / n9, 1 / n30, n9 / n30 FROM numbers WHERE n9 <> 0 AND n30 <> 0');
SELECT same('SELECT id, n + 1, n * n9, n / 3 FROM numbers WHERE id <= 500');
SELECT same('SELECT id, n30::numeric(20,3), n15::numeric(20,0), n::numeric(12,4) FROM numbers WHERE id <= 500');
SELECT same('SELECT id, f4 + f8, f8 * 2, f4 / 3, -f8 FROM numbers WHERE id <= 500');
SELECT same('SELECT id FROM numbers WHERE n15 BETWEEN -1000 AND 100000.5 AND n9 IS NOT NULL');
SELECT same('SELECT id FROM numbers WHERE n9 = 1.37 OR n9 > 300.001 OR n30 < -1234567890.5');
SELECT same('SELECT id FROM numbers WHERE i4 > i2 AND i8 <> i4 AND NOT b');
SELECT same('SELECT id FROM numbers WHERE f8 > 0 OR f4 = ''NaN''');
SELECT same('SELECT id FROM numbers WHERE f8 = 0');
SELECT same('SELECT id FROM numbers WHERE n > 10');
SELECT same('SELECT id, b AND i4 > 0, b OR NULL, NOT b, b IS TRUE, b IS NOT FALSE, b IS UNKNOWN FROM numbers');
SELECT same('SELECT id FROM numbers WHERE i2 IN (1, 2, 3, 50, NULL)');
SELECT same('SELECT id FROM numbers WHERE i2 NOT IN (1, 2, 3)');
SELECT same('SELECT id FROM numbers WHERE i2 NOT IN (1, 2, NULL)');
SELECT same('SELECT id, CASE WHEN i4 <> 0 THEN 1000000 / i4 ELSE 0 END FROM numbers');
SELECT same('SELECT id, CASE i2 WHEN 1 THEN ''one'' WHEN 2 THEN ''two'' END FROM numbers');
SELECT same('SELECT id, CASE WHEN b THEN n15 ELSE 0 END, CASE WHEN b THEN n15 END FROM numbers');
SELECT same('SELECT id, coalesce(i4, i2, -1), coalesce(n15, 0) FROM numbers');
SELECT same('SELECT id FROM words WHERE t LIKE ''a%'' OR v LIKE ''%1'' OR c LIKE ''c1%'' OR t LIKE ''%b%''');
SELECT same('SELECT id FROM words WHERE t LIKE ''a\%b\_c\\d'' OR v NOT LIKE ''v_'' OR c LIKE ''c1 %''');
SELECT same('SELECT id FROM words WHERE c = ''c1'' OR c1 = ''A'' OR c1 = '' '' OR v = ''v7'' OR t = ''''');
SELECT same('SELECT id, substring(t, 2, 3), substring(t from 3), substring(t, -1, 4), length(t), length(c), octet_length(t) FROM words');
SELECT same('SELECT id, c::text, v::text, substring(c::text, 1, 2) FROM words');
SELECT same('SELECT id, d + 10, d - 3, d - date ''2000-01-01'' FROM words WHERE id <= 300');
SELECT same('SELECT id FROM words WHERE d <= date ''2000-03-01'' - interval ''10'' day');
SELECT same('SELECT id FROM words WHERE d > timestamp ''2000-01-01 12:00'' AND ts < date ''2001-02-10''');
SELECT same('SELECT id FROM words WHERE d = ''infinity'' OR ts = ''-infinity'' OR tz > ''2001-06-01 00:00+00''');
SELECT same('SELECT id, extract(year from d), extract(month from d), extract(day from d), extract(quarter from d), extract(dow from d), extract(doy from d), extract(year from ts) FROM words WHERE id <= 300');
SELECT same('SELECT id FROM words WHERE d IS NULL');
-- The year of infinity is infinity, which the engine leaves to PostgreSQL.
SET fusion.force = on;
SELECT id, extract(year from d) FROM words WHERE id IN (301, 302, 303) ORDER BY id;
-- Errors are PostgreSQL's, whoever finds them first.
SET fusion.force = on;
SELECT 1 / (i4 - 1) FROM numbers WHERE id = 505;
SELECT i4 + 1 FROM numbers WHERE id = 501;
SELECT i2 * 1000::int2 FROM numbers;
SELECT sum(i8) + 1 FROM numbers WHERE id = 501;
SELECT n15 / (n9 - n9) FROM numbers WHERE id = 1;
SELECT f8 / 0 FROM numbers WHERE id = 1;
SELECT n15::numeric(3,2) FROM numbers WHERE id = 1;
SELECT substring(t, 1, -1) FROM words WHERE id = 1;
SELECT same('SELECT t LIKE ''x\'' FROM words WHERE id = 1');
SELECT t LIKE 'b\' FROM words WHERE id = 1;
SELECT id FROM words ORDER BY id LIMIT -1;
SET fusion.fallback = off;
\set VERBOSITY sqlstate
SELECT 1 / (i4 - 1) FROM numbers WHERE id = 505;
SELECT i4 + 1 FROM numbers WHERE id = 501;
SELECT n15::numeric(3,2) FROM numbers WHERE id = 1;
SELECT substring(t, 1, -1) FROM words WHERE id = 1;
\set VERBOSITY default
