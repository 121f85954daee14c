-- Errors: PostgreSQL's SQLSTATE and message, whoever finds them first.
-- expect error: 22012
SELECT 1 / (i4 - i4) FROM num;
-- expect error: 22012
SELECT i8 % (id - 5) FROM num;
-- expect error: 22012
SELECT n2 / (n4 - n4) FROM num;
-- expect error: 22012
SELECT f8 / 0 FROM num WHERE f8 IS NOT NULL;
-- expect error: 22012
SELECT f4 / 0::float4 FROM num WHERE f4 IS NOT NULL;
-- expect error: 22012
SELECT n / 0 FROM num;
-- expect error: 22012
SELECT mod(i4, id - 9) FROM num;
-- expect error: 22012
SELECT mod(n2, 0) FROM num WHERE n2 IS NOT NULL;
-- expect error: 22012
SELECT count(*) FROM num WHERE 10 / (id - 400) > 1;
-- expect error: 22012
SELECT sum(100 / (id % 10)) FROM num;
-- expect error: 22012
SELECT l.id FROM l JOIN r ON l.k / (r.id - 7) = 0;
-- expect error: 22012
SELECT id FROM num ORDER BY 1 / (id - 100);
-- expect error: 22012
SELECT i2, sum(i4) / (sum(i2) - sum(i2)) FROM num WHERE i2 IS NOT NULL AND i4 IS NOT NULL GROUP BY i2;
-- expect error: 22012
SELECT k FROM l GROUP BY k HAVING 1 / (count(*) - count(*)) > 0;
-- expect error: 22012
SELECT 1 / 0 FROM num;
-- expect error: 22003
SELECT i2 + 1::int2 FROM ext;
-- expect error: 22003
SELECT i4 + 1 FROM ext;
-- expect error: 22003
SELECT i8 + 1 FROM ext;
-- expect error: 22003
SELECT i4 - 2 FROM ext;
-- expect error: 22003
SELECT i8 * 2 FROM ext;
-- expect error: 22003
SELECT i4 * i4 FROM ext;
-- expect error: 22003
SELECT i8 * i8 FROM ext;
-- expect error: 22003
SELECT -i4 FROM ext;
-- expect error: 22003
SELECT -i2 FROM ext;
-- expect error: 22003
SELECT abs(i8) FROM ext;
-- expect error: 22003
SELECT abs(i2) FROM ext;
-- expect error: 22003
SELECT i4 / -1 FROM ext;
-- expect error: 22003
SELECT i8 / -1 FROM ext;
-- expect error: 22003
SELECT i2 * 1000::int2 FROM num;
-- expect error: 22003
SELECT f8 * 10 FROM ext WHERE id = 7;
-- expect error: 22003
SELECT f4 * 10::float4 FROM ext WHERE id = 7;
-- expect error: 22003
SELECT f8 / 1e300 FROM ext WHERE id = 8;
-- expect error: 22003
SELECT i4::int2 FROM num;
-- expect error: 22003
SELECT i8::int4 FROM num;
-- expect error: 22003
SELECT i8::int2 FROM num WHERE i8 IS NOT NULL;
-- expect error: 22003
SELECT f8::int4 FROM ext;
-- expect error: 22003
SELECT f8::int8 FROM ext;
-- expect error: 22003
SELECT f8::int2 FROM ext WHERE id > 6;
-- expect error: 22003
SELECT f8::float4 FROM ext;
-- expect error: 22003
SELECT n10::int8 FROM ext;
-- expect error: 22003
SELECT n10::int4 FROM num;
-- expect error: 22003
SELECT n4::int2 FROM ext, (SELECT 40000.5 AS n4) x;
-- expect error: 22003
SELECT (n2 * 1000)::int2 FROM num;
-- expect error: 22003
SELECT n2::numeric(4,2) FROM num;
-- expect error: 22003
SELECT n::numeric(2,1) FROM num;
-- expect error: 22003
SELECT i4::numeric(4,0) FROM num;
-- expect error: 0A000
SELECT n::int4 FROM ext WHERE id = 1;
-- expect error: 0A000
SELECT n::int8 FROM ext WHERE id = 2;
-- expect error: 22003
SELECT max(i8) * 10000000 FROM num;
-- expect error: 22003
SELECT sum(i4::int8 * 4611686018427387904) FROM num WHERE i4 IS NOT NULL;
-- expect error: 22003
SELECT sum(i8 + 1) FROM ext;
-- expect error: 22011
SELECT substring(t, 1, -1) FROM txt;
-- expect error: 22011
SELECT substr(t, 2, id - 100) FROM txt;
-- expect error: 22025
SELECT id FROM txt WHERE t LIKE 'a\';
-- expect error: 22008
SELECT d + 2147483647 FROM tim;
-- expect error: 22008
SELECT d - 2147483647 FROM tim_ext WHERE id > 5;
-- expect error: 2201W
SELECT id FROM num ORDER BY id LIMIT -1;
-- expect error: 2201X
SELECT id FROM num ORDER BY id OFFSET -5;
-- expect error natively: 2201W
SELECT id FROM num ORDER BY id LIMIT (SELECT -1);
-- expect error: 21000
SELECT id, (SELECT r.id FROM r WHERE r.k = l.k) FROM l;
-- expect error: 21000
SELECT id FROM l WHERE k = (SELECT k FROM r);
-- expect error: 21000
SELECT (SELECT id FROM num) FROM one;
-- expect error: 21000
SELECT id FROM l ORDER BY (SELECT r.n FROM r WHERE r.k = l.k);
-- expect error: 21000
SELECT k, (SELECT r.id FROM r WHERE r.k = l.k) FROM l GROUP BY k;
-- expect error: 21000
SELECT count(*) FROM l WHERE n > (SELECT r.n FROM r WHERE r.s = l.s);
-- expect error: 22P02
SELECT t::int FROM txt;
-- expect error: 22P02
SELECT v::numeric FROM txt WHERE id < 100;
-- expect error: 22007
SELECT t::date FROM txt WHERE t = 'quick' OR v = 'b1';
-- expect error natively: 22P02
SELECT t::bool FROM txt WHERE t IS NOT NULL;
-- expect error: 42883
SELECT id FROM num WHERE i4 = current_user::text;
-- expect error: 42703
SELECT nothing FROM num;
-- expect error: 42P01
SELECT * FROM nowhere;
-- expect error: 42803
SELECT i2, i4 FROM num GROUP BY i2;
-- expect error: 42702
SELECT id FROM l, r;
-- expect error: 42601
SELECT id FROM num WHERE;
-- expect error: 22P02
SELECT id FROM num WHERE i4 = 'x';
-- expect error: 42804
SELECT id FROM num WHERE CASE WHEN b THEN 1 ELSE 'x'::text END = 1;
-- expect error: 42804
SELECT id FROM num UNION SELECT t FROM txt;
-- expect error natively: 22003
SELECT factorial(n0::int8) FROM num WHERE n0 > 0;
-- expect error natively: 2201F
SELECT sqrt(n2) FROM num;
-- expect error natively: 2201E
SELECT ln(n2) FROM num;
-- expect error: 22013
SELECT sum(i4) OVER (ORDER BY id ROWS BETWEEN -1 PRECEDING AND CURRENT ROW) FROM num;
-- expect error: 22016
SELECT nth_value(i4, 0) OVER (ORDER BY id) FROM num;
-- expect error: 22014
SELECT ntile(0) OVER (ORDER BY id) FROM num;
-- An error that a filter, a CASE or a LIMIT keeps away is none.
SELECT CASE WHEN id = 5 THEN 0 ELSE 100 / (id - 5) END FROM num;
SELECT 100 / x FROM (SELECT i2 AS x FROM num WHERE i2 > 0) y;
SELECT i8::int4 FROM num WHERE i8 BETWEEN -2000000000 AND 2000000000;
SELECT coalesce(i2, 1 / (id - 5)) FROM num WHERE i2 IS NOT NULL AND id <> 5;
