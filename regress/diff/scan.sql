-- Scans: every type out, empty and one-row tables, all NULL, long values, changed columns, columns that are only carried.
SELECT * FROM num;
SELECT * FROM ext;
SELECT * FROM txt;
SELECT * FROM tim;
SELECT * FROM tim_ext;
-- expect fallback: a timestamp that overflows when counted from 1970
SELECT * FROM tim_last;
SELECT id FROM tim_last;
SELECT * FROM wide;
SELECT * FROM misc;
SELECT * FROM changed;
SELECT * FROM zero;
SELECT * FROM one;
SELECT * FROM nulls;
SELECT * FROM churn;
SELECT * FROM nan_fixed WHERE id <> 2;
-- expect fallback: NaN
SELECT * FROM nan_fixed;
SELECT id FROM nan_fixed;
-- expect fallback: NaN
SELECT sum(n) FROM nan_fixed;
SELECT count(*) FROM num;
SELECT count(*) FROM zero;
SELECT count(*) FROM churn;
SELECT 1 FROM num WHERE id < 4;
SELECT 'constant', NULL, 1.50, id FROM one;
SELECT NULL::int, NULL::text FROM num WHERE id < 5;
SELECT n10, n FROM ext;
SELECT f4, f8 FROM ext;
SELECT i8, i4, i2 FROM ext;
SELECT f8, f4 FROM num;
SELECT c, c1, v FROM txt;
SELECT id, id, id FROM num WHERE id BETWEEN 10 AND 12;
SELECT id AS "select", b AS "Quoted Name" FROM num WHERE id < 3;
SELECT length(t), tail FROM wide;
SELECT id, t FROM wide WHERE id > 20;
SELECT id, length(v) FROM wide WHERE v IS NOT NULL;
SELECT id, later, last FROM changed;
SELECT flag, count(*) FROM changed GROUP BY flag;
SELECT word, none FROM changed WHERE id BETWEEN 48 AND 53;
SELECT kept + 1, later * 2 FROM changed WHERE later > 12;
SELECT u, j, iv FROM misc WHERE id < 10;
SELECT mo, dom, mon FROM misc WHERE id > 50;
SELECT m.id, m.by, n.i4 FROM misc m JOIN num n ON n.id = m.id WHERE n.i4 > 0;
-- expect native: GROUP BY on type uuid is not supported in the engine
SELECT u, count(*) FROM misc GROUP BY u;
SELECT id FROM misc ORDER BY mo, id;
SELECT id FROM misc WHERE a IS NULL;
SELECT count(u), count(j), count(a) FROM misc;
-- expect native: a cast from data.positive to integer is not supported in the engine
SELECT id FROM misc WHERE dom > 10;
-- expect native: operator >(interval,interval) is not supported in the engine
SELECT id FROM misc WHERE iv > interval '10 days';
-- expect native: operator =(anyenum,anyenum) is not supported in the engine
SELECT id FROM misc WHERE mo = 'happy';
SELECT n.* FROM num n WHERE n.id = 17;
SELECT n FROM num n WHERE n.id = 17;
-- expect native: a whole row or a system column is used
SELECT ctid IS NOT NULL FROM num WHERE id = 1;
-- expect native: a whole row or a system column is used
SELECT tableoid IS NOT NULL FROM num WHERE id = 1;
SELECT * FROM totals;
SELECT count(*), sum(total) FROM totals WHERE orders > 8;
