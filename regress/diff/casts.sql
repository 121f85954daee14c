-- Casts: rounding, precision, between all pairs of types.
SELECT id, i2::int4, i2::int8, i4::int8, i8::numeric, i4::numeric, i2::numeric FROM num;
SELECT id, (i4 % 1000)::int2, (i8 % 100000)::int4, (i4 / 10)::int2 FROM num;
SELECT id, i4::float8, i8::float8, i4::float4, i2::float4, i8::float4 FROM num;
SELECT id, n2::int4, n2::int8, n4::int2, n4::int4, n::int4, n0::int8 FROM num;
SELECT id, (n2 + 0.5)::int4, (n2 - 0.5)::int4, (id + 0.5)::int4, (id - 0.5)::int4, (-id - 0.5)::int8 FROM num;
SELECT id, f8::int4, f4::int4, f8::int2, f8::int8, (f8 / 4)::int4 FROM num;
SELECT id, (id / 2.0::float8)::int4, (-id / 2.0::float8)::int8 FROM num;
SELECT id, n2::float8, n4::float8, n10::float8, n::float8, n2::float4 FROM num;
SELECT id, f4::float8, f8::float4 FROM num;
SELECT id, f8::numeric, f4::numeric, f8::numeric(10,2), f4::numeric(8,1) FROM num;
SELECT id, n2::numeric(12,1), n4::numeric(10,2), n10::numeric(38,2), n::numeric(15,6), n4::numeric(15,0) FROM num;
SELECT id, n2::numeric(20,6), n0::numeric(20,3), i4::numeric(12,2), i8::numeric(30,4) FROM num;
SELECT id, n2::numeric, n4::numeric, n::numeric FROM num;
-- expect native: NumericTypmod of [Numeric { precision: 15, scale: 4 }] is not supported
SELECT id, n4::numeric(10,-2), n0::numeric(12,-3) FROM num;
SELECT id, b::int, i4::bool, (i2 % 2)::int4::bool FROM num;
SELECT id, b::text, i4::text, i8::text, n2::text, n::text, i2::text FROM num;
-- expect native: a cast from double precision to text is not supported in the engine
SELECT id, f8::text, f4::text FROM num;
-- expect native: a cast from double precision to text is not supported in the engine
SELECT id, f8::text, f4::text, n::text, i8::text, n10::text FROM ext;
-- expect native: a cast from integer to character is not supported in the engine
SELECT id, i4::varchar(3), i4::char(4), n2::varchar FROM num;
-- expect native: a cast from date to text is not supported in the engine
SELECT id, d::text, ts::text FROM tim;
-- expect native: a cast from timestamp with time zone to text is not supported in the engine
SELECT id, tz::text FROM tim;
-- expect native: a cast from date to text is not supported in the engine
SELECT id, d::text, ts::text FROM tim_ext;
-- expect native: function date(timestamp with time zone) is not supported in the engine
SELECT id, d::timestamp, ts::date, tz::date, d::timestamptz, ts::timestamptz, tz::timestamp FROM tim;
-- set TimeZone = 'America/New_York'
-- expect native: function date(timestamp with time zone) is not supported in the engine
SELECT id, ts::date, tz::date, d::timestamptz, ts::timestamptz, tz::timestamp, tz FROM tim;
-- set TimeZone = 'Europe/Berlin'
-- expect native: function date(timestamp with time zone) is not supported in the engine
SELECT id, tz, tz::date, tz::timestamp FROM tim WHERE tz > '2001-03-25 00:30+00';
-- set TimeZone = 'Asia/Kathmandu'
-- expect native: function timestamptz(date) is not supported in the engine
SELECT id, tz, d::timestamptz FROM tim WHERE id < 60;
SELECT id, d::timestamp, ts::date FROM tim_ext WHERE id NOT IN (4);
SELECT id, t::varchar(5), v::text, c::text, c1::text, t::char(4), v::char(3) FROM txt;
SELECT id, c::varchar, c::varchar(4), v::char(30), t::varchar FROM txt;
SELECT id, t::text COLLATE "C", (v || '')::varchar(2) FROM txt;
SELECT id, (id::text)::int, (n2::text)::numeric, ('1' || id)::int8 FROM num;
SELECT id, ('2020-01-' || lpad((id % 28 + 1)::text, 2, '0'))::date FROM num WHERE id < 100;
SELECT id, 'true'::bool AND b, '5'::int + i4, '1.5'::numeric * n2 FROM num;
SELECT id, date '2020-02-29' - d, '2020-01-01'::date > d FROM tim;
-- expect native: a cast from integer to oid is not supported in the engine
SELECT id, i4::oid IS NOT NULL FROM num WHERE i4 > 0;
-- expect native: function "time"(timestamp without time zone) is not supported in the engine
SELECT id, ts::time, d::timestamp::time FROM tim;
SELECT id FROM num WHERE i4::numeric = n0 OR n2::int4 = i2;
SELECT id FROM num WHERE f8::int4 = i2;
SELECT id FROM txt WHERE c::text = 'A1' OR v::char(10) = c;
SELECT n2::int4 AS k, count(*) FROM num GROUP BY n2::int4;
SELECT d::timestamp AS k, count(*) FROM tim GROUP BY d::timestamp HAVING count(*) > 1;
SELECT ts::date AS k, count(*), min(ts) FROM tim GROUP BY ts::date;
