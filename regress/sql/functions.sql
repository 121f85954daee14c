--
-- Functions, operators and casts that the engine computes, each over columns with NULLs and extremes, and what it refuses.
--
SET search_path = fast, public;
SET fusion.min_cost = 0;

-- Numerics.
SELECT same('SELECT id, round(n9), round(n15, 1), round(n30, 4), round(n9, -2), round(n, 3), trunc(n30, 3), trunc(n9), trunc(n15, -3) FROM numbers WHERE id <= 500 OR id = 505');
SELECT same('SELECT id, ceil(n9), ceiling(n30), floor(n15), floor(n), sign(n9), sign(n), ceil(n) FROM numbers WHERE id <= 500 OR id = 505');
SELECT same('SELECT id, n9 % 7, n30 % 0.3, mod(n15, n9), div(n30, 7.5), n % 2.5, div(n, 0.01) FROM numbers WHERE id <= 500 AND n9 <> 0');
SELECT same('SELECT id, +n9, +i4, +f8, @ n9, @ i4, abs(f8) FROM numbers WHERE id <> 502');
SELECT same('SELECT sum(n9 % 7), avg(round(n30, 2)), max(floor(n)) FROM numbers WHERE id <= 500');

-- Bits.
SELECT same('SELECT id, i2 & 12::int2, i4 | 5, i8 # 77, ~i2, ~i4, ~i8, i2 << 3, i4 >> 2, i8 << id, i4 << i2 FROM numbers');
SELECT same('SELECT id, mod(i4, 7), mod(i2, 7::int2), i8 % -1, i4 % -1, i2 % (-1)::int2 FROM numbers');

-- Floats.
SELECT same('SELECT id, round(f8), trunc(f8), ceil(f8), floor(f8), sign(f8), sqrt(abs(f8)), |/ abs(f8) FROM numbers');
SELECT same('SELECT id, f8::float4, f4::float8, f8::int4, f4::int2, f8::int8, f8::numeric, f4::numeric FROM numbers WHERE id NOT IN (501, 502)');
SELECT same('SELECT id, f8::numeric, f4::numeric, f8::numeric(12,3) FROM numbers WHERE id <= 500');
SELECT same('SELECT f8::numeric, f4::numeric FROM numbers WHERE id IN (501, 502, 503)');

-- Casts between numbers, and bool.
SELECT same('SELECT id, i2::float4, i4::float4, i8::float4, i8::float8, i4::numeric, i8::numeric(22,2), b::int, i4::bool FROM numbers');
SELECT same('SELECT id, n9::int2, n9::int4, n15::int8, n30::float8, n9::float4, n::float8, n::float4, n15::numeric(20,4), n9::numeric(9,1), n::numeric(30,5) FROM numbers WHERE id <= 500');
SELECT same('SELECT n::float8, n::float4 FROM numbers WHERE id IN (501, 502, 503)');
SELECT same('SELECT id, i2::text, i4::text || ''!'', i8::varchar(6), n9::text, n30::text, n::text, b::text FROM numbers');
SELECT same('SELECT id, i4::text::int, n9::text::numeric, n9::text::float8, (i2::text || ''.50'')::numeric(8,1), i8::text::int8 FROM numbers');
SELECT same('SELECT id, (''20'' || lpad((id % 100)::text, 2, ''0'') || ''-0'' || (id % 9 + 1)::text || ''-1'' || (id % 9)::text)::date FROM numbers');

-- Strings.
SELECT same('SELECT id, t || v, v || c, c || ''/'' || v, t || NULL, v || id, upper(v), lower(c1), upper(t COLLATE "C") FROM words');
SELECT same('SELECT id, btrim(t, ''ab''), ltrim(v, ''v1''), rtrim(v, ''0''), trim(v), trim(leading ''v'' from v), btrim(c) FROM words');
SELECT same('SELECT id, left(t, 3), left(v, -1), right(t, 2), right(v, -1), substr(t, 2, 3), reverse(v), reverse(t), repeat(v, 2), repeat(c1, id % 4) FROM words');
SELECT same('SELECT id, position(''1'' in v), strpos(t, ''€''), replace(v, ''v'', ''äö''), translate(t, ''abc'', ''x''), ascii(t), chr(64 + id % 26), v ^@ ''v1'', starts_with(t, v) FROM words');
SELECT same('SELECT id, lpad(v, 6), rpad(v, 6, ''.-''), lpad(t, 3, ''x''), split_part(v, ''1'', 1), split_part(t, '' '', -1), length(v || c), octet_length(t), bit_length(v) FROM words');
SELECT same('SELECT id, v::varchar(2), t::char(4), c::char(3), v::char(3), c::varchar(2), (t::varchar(5))::char(2) || ''|'' FROM words');
SELECT same('SELECT id FROM words WHERE v ILIKE ''V1%'' OR t NOT ILIKE ''%A%'' OR c::text ILIKE ''C_''');
SELECT same('SELECT id, t::varchar(3) < ''b'', c::char(2) = ''c1'', v::char(2) = ''v1'' FROM words');

-- GREATEST, LEAST, rows.
SELECT same('SELECT id, greatest(i2, i4), least(i4, 100, i2), greatest(n9, n15, 0), least(n9, 1.5), greatest(f4, f8), least(f8, 0) FROM numbers');
SELECT same('SELECT id, greatest(v, c1, ''m''), least(t, v), greatest(d, date ''2000-06-01''), least(ts, timestamp ''2001-02-10''), greatest(NULL, v) FROM words');
SELECT same('SELECT id FROM numbers WHERE (i2, i4) < (10, 1000) OR (i4, i2, id) >= (200000, 5, 100)');
SELECT same('SELECT id, (i2, i4) <= (i4, i2), (n9, id) > (n15, 3), (i2, i4) = (5, 5000), (i2, i4) <> (5, 5000) FROM numbers');
SELECT same('SELECT id, i4 BETWEEN SYMMETRIC 10 AND -1000, nullif(i2, 5), coalesce(i2, i4, 0) FROM numbers');

-- Dates and timestamps.
SELECT same('SELECT id, extract(century FROM d), extract(decade FROM d), extract(millennium FROM d), extract(isoyear FROM d), extract(week FROM d), extract(isodow FROM d), extract(epoch FROM d), extract(julian FROM d) FROM words WHERE id <> 301 AND id <> 302');
SELECT same('SELECT id, extract(hour FROM ts), extract(minute FROM ts), extract(second FROM ts), extract(milliseconds FROM ts), extract(microseconds FROM ts), extract(epoch FROM ts), extract(week FROM ts), extract(isoyear FROM ts) FROM words WHERE id <> 301 AND id <> 302');
SELECT same('SELECT id, date_part(''year'', ts), date_part(''epoch'', ts), date_part(''second'', ts), date_part(''milliseconds'', ts), date_part(''dow'', d), date_part(''century'', d) FROM words WHERE id <> 304');
SELECT same('SELECT id, date_trunc(''hour'', ts), date_trunc(''day'', ts), date_trunc(''WEEK'', ts), date_trunc(''month'', ts), date_trunc(''quarter'', ts), date_trunc(''year'', ts), date_trunc(''century'', ts) FROM words WHERE id <> 303');
SELECT same('SELECT id, ts + interval ''1 month 2 days 03:04:05.6'', ts - interval ''13 months'', d + interval ''1 month'', d - interval ''100 years'', ts + iv, d - iv FROM words WHERE d > ''1900-01-01'' AND d < ''3000-01-01''');
SELECT same('SELECT id, ts - timestamp ''2001-02-03 04:05'', ts - d FROM words WHERE id <= 300');
SELECT same('SELECT id, make_date(2000 + id % 20, id % 12 + 1, id % 28 + 1), d + 5, 3 + d, d::timestamp, ts::date FROM words WHERE id <> 304');
SELECT same('SELECT date_trunc(''month'', ts) m, count(*), sum(id) FROM words GROUP BY 1 ORDER BY 1');
SELECT same('SELECT id FROM words WHERE d >= date ''1999-12-31'' - interval ''20 days'' AND d < date ''2000-01-31'' + interval ''1 month''');

-- Arrays of parameters.
PREPARE any_of(int[], text[]) AS SELECT count(*), sum(id) FROM numbers WHERE id = ANY ($1) OR i4::text = ANY ($2);
PREPARE none_of(int8[]) AS SELECT count(*) FROM numbers WHERE i8 <> ALL ($1);
SET plan_cache_mode = force_generic_plan;
SET fusion.force = on;
SET fusion.fallback = off;
EXECUTE any_of('{1,2,NULL,77}', '{-249000,5000}');
EXECUTE any_of('{}', NULL);
EXECUTE none_of('{0,1}');
EXECUTE none_of('{0,NULL}');
EXECUTE none_of('{}');
EXPLAIN (COSTS OFF) EXECUTE none_of('{0,1}');
SET fusion.enabled = off;
EXECUTE any_of('{1,2,NULL,77}', '{-249000,5000}');
EXECUTE any_of('{}', NULL);
EXECUTE none_of('{0,1}');
EXECUTE none_of('{0,NULL}');
EXECUTE none_of('{}');
RESET ALL;
SET search_path = fast, public;
SET fusion.min_cost = 0;
DEALLOCATE ALL;

-- Errors are PostgreSQL's.
SET fusion.force = on;
SELECT * FROM error_of('SELECT i8::int4 FROM numbers');
SELECT * FROM error_of('SELECT f8::int4 FROM numbers WHERE id = 501');
SELECT * FROM error_of('SELECT n9::int2 FROM numbers');
SELECT * FROM error_of('SELECT n9 % 0 FROM numbers');
SELECT * FROM error_of('SELECT -i2 FROM numbers');
SELECT * FROM error_of('SELECT i4 / (id - id) FROM numbers');
SELECT * FROM error_of('SELECT i8 / -1 FROM numbers');
SELECT * FROM error_of('SELECT sqrt(f8) FROM numbers');
SELECT * FROM error_of('SELECT v::int FROM words');
SELECT * FROM error_of('SELECT split_part(v, ''1'', 0) FROM words');
SELECT * FROM error_of('SELECT make_date(2001, 2, id) FROM words');
SELECT * FROM error_of('SELECT ts + interval ''300000 years'' FROM words');
SELECT * FROM error_of('SELECT repeat(t, 2000000000) FROM words');
-- What only PostgreSQL reads or knows, it computes.
SELECT sum(('' || id || '.')::numeric), sum(('inf')::float8 + id) FROM numbers WHERE id <= 20;
SELECT ('1/' || id || '/2001')::date FROM words WHERE id = 5;
SELECT extract(year FROM ts) FROM words WHERE id IN (301, 302) ORDER BY id;
RESET fusion.force;

-- Refused, by name.
SELECT route, reason FROM fusion.explain_route('SELECT md5(t) FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT f8::text FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT d::text FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT id FROM words WHERE t ~ ''a''');
SELECT route, reason FROM fusion.explain_route('SELECT id FROM words WHERE tz > d');
SELECT route, reason FROM fusion.explain_route('SELECT date_trunc(''day'', tz) FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT power(n9, 2) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT exp(f8) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT round(n9, i4) FROM numbers');
SELECT route, reason FROM fusion.explain_route('SELECT extract(julian FROM ts) FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT greatest(u, u) FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT concat(t, v) FROM words');
SELECT route, reason FROM fusion.explain_route('SELECT greatest(c, c1) FROM words');
RESET search_path;
RESET fusion.min_cost;
