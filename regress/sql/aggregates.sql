--
-- Aggregates: DISTINCT, FILTER, ORDER BY, the variance family, strings, bits, and sums over values of several scales.
--
SET search_path = fast, public;
SET fusion.min_cost = 0;

-- The variance family: exact for integers and numerics.
SELECT same('SELECT var_pop(i2), var_samp(i2), variance(i2), stddev_pop(i2), stddev_samp(i2), stddev(i2) FROM numbers');
SELECT same('SELECT var_pop(i4), var_samp(i4), variance(i4), stddev_pop(i4), stddev_samp(i4), stddev(i4) FROM numbers');
SELECT same('SELECT var_pop(i8), var_samp(i8), stddev(i8) FROM numbers WHERE id <= 500');
SELECT same('SELECT var_pop(n9), var_samp(n15), variance(n9), stddev_pop(n15), stddev_samp(n9), stddev(n15) FROM numbers');
SELECT same('SELECT b, variance(round(n, 3)), stddev(n30 / 1000000), variance(CASE WHEN b THEN n9 ELSE 0 END) FROM numbers WHERE id <= 20 GROUP BY b');
SELECT same('SELECT id % 40, variance(i4), stddev(n9), count(*) FROM numbers GROUP BY 1');
SELECT same('SELECT id, variance(i4), var_pop(i4), stddev(f8), stddev_pop(n9) FROM numbers WHERE id <= 30 GROUP BY id');
SELECT same('SELECT variance(i4), stddev_pop(n9), variance(f8) FROM numbers WHERE false');
SELECT same('SELECT stddev(DISTINCT i2), variance(DISTINCT n9 + 1) FROM numbers');
SELECT same('SELECT variance(i4) FILTER (WHERE b), stddev(n9) FILTER (WHERE id < 0) FROM numbers');
-- Of floats, to the last digits but two.
SELECT same('SELECT round(variance(f8)::numeric, 8), round(stddev_pop(f4)::numeric, 8) FROM numbers WHERE id <= 500');
SELECT same('SELECT var_pop(f8), stddev(f4) FROM numbers WHERE id IN (501, 502)');
SELECT same('SELECT var_pop(f8), stddev(f8) FROM numbers WHERE id = 16');

-- DISTINCT.
SELECT same('SELECT sum(DISTINCT i2), avg(DISTINCT i4), sum(DISTINCT i8 % 7), sum(DISTINCT n9), avg(DISTINCT n15) FROM numbers WHERE id <= 500');
SELECT same('SELECT b, sum(DISTINCT f8), avg(DISTINCT f8), sum(DISTINCT f4), count(DISTINCT f8) FROM numbers WHERE id <= 500 GROUP BY b');
SELECT same('SELECT avg(DISTINCT n), count(DISTINCT n) FROM numbers WHERE id <= 20');
SELECT same('SELECT min(DISTINCT i4), max(DISTINCT n), bool_and(DISTINCT b), count(DISTINCT b) FROM numbers WHERE id <= 500');

-- min and max of numerics of every look.
SELECT same('SELECT min(n), max(n) FROM numbers');
SELECT same('SELECT min(n), max(n) FROM numbers WHERE id <= 500');
SELECT same('SELECT b, min(n), max(n), min(n30 / 3), max(n15 * n9) FROM numbers GROUP BY b');

-- Bits.
SELECT same('SELECT bit_and(i4), bit_or(i4), bit_xor(i4), bit_and(i2), bit_or(i8), bit_xor(i8) FROM numbers');
SELECT same('SELECT id % 9, bit_and(i4), bit_or(DISTINCT i2) FROM numbers GROUP BY 1');

-- Sums over branches of several scales show the largest scale seen.
SELECT same('SELECT sum(CASE WHEN b THEN n9 * (1 - n15) ELSE 0 END), sum(CASE WHEN b THEN n9 ELSE 0 END) FROM numbers');
SELECT same('SELECT id % 100, sum(CASE WHEN b THEN n9 ELSE 0 END), avg(CASE WHEN b THEN n9 ELSE 1.5 END) FROM numbers GROUP BY 1');
SELECT same('SELECT sum(CASE WHEN id < 0 THEN n9 ELSE 0 END), sum(coalesce(n9, 0)), sum(coalesce(n9, n30, 0.123)) FROM numbers');
SELECT same('SELECT sum(CASE WHEN b THEN n30 ELSE n9 END) FILTER (WHERE id % 2 = 0), avg(CASE WHEN b THEN n9 END) FROM numbers');
SELECT same('SELECT 100.00 * sum(CASE WHEN b THEN n9 * (1 - n9) ELSE 0 END) / sum(n9 * (1 - n9)) FROM numbers');
-- Values of unknown scale.
SELECT same('SELECT sum(CASE WHEN b THEN n ELSE 0 END), sum(DISTINCT CASE WHEN b THEN n9 ELSE 0 END) FROM numbers WHERE id <= 500');

-- string_agg and array_agg.
SELECT same('SELECT string_agg(v, '','' ORDER BY id) FROM words');
SELECT same('SELECT c1, string_agg(v, '', '' ORDER BY d DESC NULLS LAST, id) FROM words GROUP BY c1 ORDER BY c1');
SELECT same('SELECT string_agg(v || ''x'', id::text ORDER BY id) FROM words');
SELECT same('SELECT string_agg(DISTINCT v COLLATE "C", ''|'') FROM words');
SELECT same('SELECT string_agg(DISTINCT t, ''|'' ORDER BY t DESC) FILTER (WHERE id > 10) FROM words WHERE id < 304');
SELECT same('SELECT string_agg(v, NULL ORDER BY id), string_agg(v, '','' ORDER BY id) FILTER (WHERE false) FROM words WHERE id < 12');
SELECT same('SELECT id % 3, string_agg(t, ''-'' ORDER BY ts NULLS FIRST, id) FROM words WHERE id <= 305 GROUP BY 1 ORDER BY 1');
SELECT same('SELECT array_agg(i2 ORDER BY id), array_agg(i8 ORDER BY id DESC), array_agg(f8 ORDER BY id), array_agg(b ORDER BY id) FROM numbers');
SELECT same('SELECT b, array_agg(n ORDER BY id), array_agg(n9 ORDER BY n9, id) FROM numbers GROUP BY b ORDER BY b');
SELECT same('SELECT array_agg(c ORDER BY id), array_agg(t ORDER BY id), array_agg(d ORDER BY id), array_agg(tz ORDER BY id), array_agg(ts ORDER BY id) FROM words WHERE id <= 305');
SELECT same('SELECT array_agg(DISTINCT i2), array_agg(DISTINCT b ORDER BY b DESC), array_agg(i4 ORDER BY id) FILTER (WHERE false) FROM numbers');

-- An order that changes nothing is dropped; what depends on it and is not told runs natively.
SELECT same('SELECT sum(i4 ORDER BY id), count(i4 ORDER BY i4 DESC), max(n9 ORDER BY id) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT string_agg(v, '','') FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT sum(f8 ORDER BY id) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT sum(i4 ORDER BY 1 / id) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT array_agg(u ORDER BY id) FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT array_agg(i4 ORDER BY u) FROM words JOIN numbers USING (id)');
SELECT route, reason FROM fusion.explain_route('SELECT bit_xor(DISTINCT i4) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT corr(f8, f4) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f8) FROM numbers');

-- More digits than the engine holds: PostgreSQL answers.
SELECT stddev(i8) FROM numbers;
RESET search_path;
RESET fusion.min_cost;
