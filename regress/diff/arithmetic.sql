-- Arithmetic: types of results, scales, signs, division, NaN and infinities, overflow.
SELECT id, i2 + 1::int2, i2 - i2, i2 * 2::int2, i2 / 7::int2, i2 % 7::int2, -i2, +i2, abs(i2) FROM num;
SELECT id, i4 + 1, i4 - i2, i4 * 3, i4 / 7, i4 % 7, -i4, abs(i4) FROM num;
SELECT id, i8 + i4, i8 - i2, i8 / 1000, i8 % 1000003, -i8, abs(i8) FROM num;
SELECT id, i4 / -7, -i4 / 7, i4 % -7, -i4 % 7 FROM num;
SELECT id, i2 + i4, i2 * i4, i4 + i8, i2 + i8, i2 * 1000 FROM num;
SELECT id, mod(i4, 10), mod(i8, 97), div(n2, 3), mod(n2, 7), mod(n4, n2) FROM num WHERE n2 <> 0;
SELECT id, i4 & 255, i4 | 1, i4 # 7, ~i4, i4 << 2, i4 >> 3 FROM num;
SELECT id, i2 & 15::int2, i8 | 1, ~i8, i8 << 1 FROM num WHERE abs(i8) < 1000000000000000;
SELECT id, n2 + n4, n2 - n4, n2 * n4, n4 + n10, n0 * n2 FROM num;
SELECT id, n2 + 1, n2 * 2, 1 - n2, n2 * i4, n4 - i2, i8 * n2 FROM num;
SELECT id, n2 + 1.5, n2 * 1.005, n2 - 0.001, 3 * n2 * n4, (1 - n4) * (1 + n2) FROM num;
SELECT id, -n2, +n4, abs(n2), abs(n), -n FROM num;
SELECT id, n2 / 3, n4 / 7, n0 / 1000, n10 / 9, 1 / n2 FROM num WHERE n2 <> 0;
SELECT id, n2 / n4, n4 / n2, n10 / n0, n0 / n4 FROM num WHERE n2 <> 0 AND n4 <> 0 AND n0 <> 0;
-- expect fallback: numeric value has more digits than the engine holds
SELECT id, n + n2, n * n, n / 3, n - n4, n * i4 FROM num;
SELECT id, n / n2, n2 / n, n / n FROM num WHERE n <> 0 AND n2 <> 0;
SELECT id, round(n2), round(n4, 2), round(n4, 1), round(n10, 3), round(n, 4), round(n2, -1) FROM num;
SELECT id, trunc(n2), trunc(n4, 2), trunc(n10, 5), trunc(n, 3), trunc(n2, -2) FROM num;
SELECT id, ceil(n2), ceiling(n4), floor(n2), floor(n), ceil(n) FROM num;
SELECT id, sign(n2), sign(n), sign(f8), sign(i4) FROM num;
SELECT id, round(n2 * 0.5, 2), round(n2 / 3, 4), round(avg_n, 3) FROM (SELECT id, n2, n4 * 1.111 AS avg_n FROM num) x;
SELECT id, f4 + f4, f4 * 2::float4, f4 / 3::float4, -f4, abs(f4) FROM num;
SELECT id, f8 + 1, f8 - f8, f8 * f8, f8 / 3, -f8, abs(f8) FROM num;
SELECT id, f4 + f8, f4 * f8, f8 + i4, f8 * n2, f4 - i2, n4 + f8 FROM num;
SELECT id, round(f8), ceil(f8), floor(f8), trunc(f8) FROM num;
-- expect native: operator ^(double precision,double precision) is not supported in the engine
SELECT id, round(f8 * 0.5), sqrt(abs(f8)), f8 ^ 2 FROM num;
SELECT id, f8 + 1, f8 * 1, f8 - 1, -f8, abs(f8) FROM ext WHERE id NOT IN (7);
SELECT id, f4 + f8, f4 * 1::float4, -f4 FROM ext WHERE id NOT IN (7);
SELECT id, f8 / 'Infinity', 'Infinity' - f8, f8 + 'NaN' FROM ext;
-- expect fallback: the engine does not compute with NaN or infinity
SELECT id, n + 1, n * 2, -n, abs(n) FROM ext;
-- expect fallback: the engine does not compute with NaN or infinity
SELECT id, n - 'Infinity', n * 'Infinity' FROM ext WHERE n <> 0;
-- expect fallback: the engine does not compute with NaN or infinity
SELECT id, n / 'Infinity' FROM ext;
SELECT id, n10 + 1, n10 - n2, n10 * 1 FROM ext WHERE id NOT IN (1, 2);
-- expect fallback: numeric value has more digits than the engine holds
SELECT id, n10 * n10 FROM ext WHERE id IN (5, 6, 8, 9, 10);
-- expect fallback: numeric value has more digits than the engine holds
SELECT id, n10 * n10 FROM ext WHERE id IN (1, 2, 7);
-- expect fallback: numeric value has more digits than the engine holds
SELECT id, n * n, n + n10 FROM ext WHERE id > 3;
SELECT id, i4::int8 * i4, i8::numeric * i8, i2::int4 * i2 FROM ext;
SELECT id, i8::numeric + 1, i8::float8 FROM ext;
SELECT id, i4 + 1::int8, i2 + 1::int4 FROM ext;
SELECT id, i4 - 1 FROM ext WHERE i4 > -2147483648;
SELECT id, i8 / 2, i8 % 2, i4 / 2, i2 % 3::int2 FROM ext;
SELECT id, -i8 FROM ext WHERE i8 > -9223372036854775808;
-- expect fallback: numeric value has more digits than the engine holds
SELECT sum(n2 * (1 - n4 / 100) * (1 + n / 100)) FROM num;
SELECT sum(n2 * n4), sum(n2 * n4 * n0), avg(n2 / 3) FROM num;
-- expect fallback: numeric value has more digits than the engine holds
SELECT id, n2 * n4 * n10, n10 * n10 FROM num WHERE id < 60;
SELECT id, ((n2 + 1) * 2 - n4) / 4 + n FROM num;
SELECT id, i4 + i4 * i2 - i4 / 3 % 5 FROM num;
SELECT id, (i4 + 0.5) * 2, i4 * 1.0, i2 / 2.0, i8 / 3.0 FROM num;
SELECT id, i4 / 2::float8, i2 * 1.5::float4 FROM num;
-- expect native: function power(numeric,numeric) is not supported in the engine
SELECT id, power(n2, 2), sqrt(abs(n4)), exp(f8 / 100), ln(abs(n) + 1) FROM num WHERE id < 100;
-- expect native: function gcd(integer,integer) is not supported in the engine
SELECT id, gcd(i4, 12), lcm(i2::int4, 6), factorial(abs(i2) % 10) FROM num WHERE id < 100;
-- expect native: function scale(numeric) is not supported in the engine
SELECT id, scale(n), min_scale(n4), trim_scale(n10) FROM num WHERE id < 100;
-- expect native: function width_bucket(numeric,numeric,numeric,integer) is not supported in the engine
SELECT id, width_bucket(n2, -100, 100, 10), width_bucket(f8, -100, 100, 5) FROM num;
-- expect native: function degrees(double precision) is not supported in the engine
SELECT id, degrees(f8), radians(f8), pi() * f8 FROM num WHERE id < 50;
SELECT id, d + 1, d - 1, d - date '1996-01-01', 7 + d, d + i FROM (SELECT id, d, id % 5 AS i FROM tim) x;
SELECT id, n2 + NULL, NULL * i4, i4 + NULL::int FROM num WHERE id < 10;
