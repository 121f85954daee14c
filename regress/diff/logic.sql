-- Three-valued logic, CASE, COALESCE and their kin.
SELECT id, a AND b, a OR b, NOT a, a AND b AND c, a OR b OR c FROM tri;
SELECT id, a AND NOT b, NOT (a AND b), NOT (a OR b), NOT a OR c FROM tri;
SELECT id, a = b, a <> b, a < b, a >= c FROM tri;
SELECT id, a IS TRUE, a IS FALSE, a IS UNKNOWN, a IS NOT TRUE, a IS NOT FALSE, a IS NOT UNKNOWN, a IS NULL FROM tri;
SELECT id, (a AND b) IS UNKNOWN, (a OR c) IS NOT TRUE, (a = b) IS NULL FROM tri;
SELECT id, a IS DISTINCT FROM b, a IS NOT DISTINCT FROM c FROM tri;
SELECT id FROM tri WHERE a;
SELECT id FROM tri WHERE NOT a;
SELECT id FROM tri WHERE a OR NOT b;
SELECT id FROM tri WHERE (a AND b) OR (NOT a AND c);
SELECT id FROM tri WHERE NOT (a AND (b OR c));
SELECT id FROM tri WHERE (a OR b) AND (b OR c) AND (a OR c);
SELECT id FROM tri WHERE a = (b OR c);
SELECT id FROM tri WHERE (a IS NULL) = (b IS NULL);
SELECT id FROM tri WHERE a IN (b, c);
SELECT id FROM tri WHERE a NOT IN (b, c);
SELECT id FROM tri WHERE a IN (true, NULL);
SELECT id, a AND NULL, a OR NULL, NULL AND b FROM tri;
SELECT id, a AND true, a OR true, a AND false, a OR false FROM tri;
SELECT a, b, count(*) FROM tri GROUP BY a, b;
SELECT a AND b AS x, count(*) FROM tri GROUP BY a AND b;
SELECT bool_and(a), bool_or(a), every(b), bool_and(a OR b) FROM tri;
SELECT c, bool_and(a), bool_or(b) FROM tri GROUP BY c;
SELECT id, CASE WHEN a THEN 1 WHEN b THEN 2 WHEN c THEN 3 END FROM tri;
SELECT id, CASE WHEN a THEN 1 WHEN NOT a THEN 2 ELSE 3 END FROM tri;
SELECT id, CASE a WHEN true THEN 'yes' WHEN false THEN 'no' ELSE 'unknown' END FROM tri;
SELECT id, CASE a WHEN b THEN 'same' ELSE 'other' END FROM tri;
SELECT id, CASE WHEN a AND b OR c THEN a ELSE c END FROM tri;
SELECT id, coalesce(a, b, c), coalesce(a, false) FROM tri;
SELECT id, nullif(a, b) FROM tri;
SELECT id FROM tri ORDER BY a, b DESC, c NULLS FIRST, id;
SELECT id, i4, CASE WHEN i4 > 0 THEN 'positive' WHEN i4 < 0 THEN 'negative' WHEN i4 IS NULL THEN 'null' ELSE 'zero' END FROM num;
SELECT id, CASE WHEN i4 > 0 THEN i4 ELSE i8 END, CASE WHEN b THEN n2 ELSE n4 END, CASE WHEN b THEN i4 ELSE n2 END FROM num;
SELECT id, CASE WHEN b THEN f4 ELSE f8 END, CASE WHEN b THEN i4 ELSE f8 END FROM num;
SELECT id, CASE i2 % 3 WHEN 0 THEN 'zero' WHEN 1 THEN 'one' WHEN -1 THEN 'minus one' END FROM num;
SELECT id, CASE WHEN i2 <> 0 THEN 1000 / i2 ELSE 0 END FROM num;
SELECT id, CASE WHEN i2 = 0 THEN 0 WHEN 1000 / i2 > 10 THEN 1 ELSE 2 END FROM num;
SELECT id FROM num WHERE CASE WHEN i2 = 0 THEN false ELSE 1000 / i2 > 100 END;
SELECT id, CASE WHEN b THEN CASE WHEN i4 > 0 THEN 'a' ELSE 'b' END ELSE CASE WHEN i2 > 0 THEN 'c' END END FROM num;
SELECT sum(CASE WHEN b THEN 1 ELSE 0 END), sum(CASE WHEN b THEN n2 ELSE 0 END), sum(CASE WHEN b THEN n2 END) FROM num;
-- expect native: a cast from text to character is not supported in the engine
SELECT id, CASE WHEN t LIKE 'q%' THEN t WHEN v IS NOT NULL THEN v ELSE c END FROM txt;
SELECT id, coalesce(i2, i4), coalesce(i4, i8), coalesce(i4, 0), coalesce(i8, i2, -1) FROM num;
SELECT id, coalesce(n2, n4), coalesce(n2, 0), coalesce(n2, n), coalesce(n, 0.000) FROM num;
SELECT id, coalesce(n2, i4), coalesce(f4, f8), coalesce(f8, 1.5) FROM num;
-- expect native: CASE over Bpchar { length: 10 } and Bpchar { length: 1 } is not supported
SELECT id, coalesce(t, v, c, 'none'), coalesce(c, 'x'), coalesce(t, '') FROM txt;
-- expect native: function timestamptz(timestamp without time zone) is not supported in the engine
SELECT id, coalesce(d, date '2000-01-01'), coalesce(ts, d), coalesce(tz, ts) FROM tim;
SELECT id, coalesce(NULL, NULL, i4) FROM num WHERE id < 20;
SELECT id, nullif(i2, 17), nullif(i4, i2), nullif(n2, 0), nullif(n2, n4) FROM num;
SELECT id, nullif(t, ''), nullif(c, 'A1'), nullif(v, t) FROM txt;
SELECT id, 100 / nullif(i2, 0) FROM num;
-- expect native: GREATEST or LEAST is not supported in the engine
SELECT id, greatest(i2, 10), least(i4, i2, 0), greatest(i4, i8) FROM num;
-- expect native: GREATEST or LEAST is not supported in the engine
SELECT id, greatest(n2, n4), least(n2, 1.5, n), greatest(f4, f8), least(i4, n2) FROM num;
-- expect native: GREATEST or LEAST is not supported in the engine
SELECT id, greatest(d, date '1998-01-01'), least(ts, timestamp '2000-01-10'), greatest(d, ts) FROM tim;
-- expect native: GREATEST or LEAST is not supported in the engine
SELECT id, greatest(tc, 'm'), least(tc, 'c', NULL) FROM txt;
-- expect native: GREATEST or LEAST is not supported in the engine
SELECT id, greatest(t, v), least(t, c) FROM txt;
-- expect native: GREATEST or LEAST is not supported in the engine
SELECT id, greatest(NULL, i4), least(NULL, NULL, i2) FROM num;
-- expect native: GREATEST or LEAST is not supported in the engine
SELECT id, greatest(f8, 'NaN'), least(f8, 'NaN'), greatest(f4, f8) FROM ext;
-- expect native: function num_nulls("any") is not supported in the engine
SELECT id, num_nulls(i2, i4, n2), num_nonnulls(i2, i4, n2) FROM num;
SELECT id, (i2, i4) IS DISTINCT FROM (17, 5) FROM num WHERE id < 50;
SELECT id FROM num WHERE b IS NOT TRUE AND (i4 > 0) IS NOT FALSE;
SELECT id FROM num WHERE coalesce(i4, i2, 0) > 100 AND nullif(b, false) IS NOT NULL;
SELECT a IS TRUE AS x, count(*) FROM tri GROUP BY a IS TRUE;
SELECT a IS DISTINCT FROM b AS x, b IS NOT TRUE AS y, count(*) FROM tri GROUP BY a IS DISTINCT FROM b, b IS NOT TRUE;
SELECT DISTINCT a IS UNKNOWN, c IS NOT FALSE FROM tri;
