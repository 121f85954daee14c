--
-- Window functions: positions, values, aggregates over every kind of frame; DISTINCT ON and WITH TIES, which the engine computes by them.
--
\set VERBOSITY terse
SET fusion.force = on;
-- Runs a query natively and in the engine and compares the rows as multisets: an ORDER BY inside of a window orders no rows.
CREATE FUNCTION same_set(query text) RETURNS text LANGUAGE plpgsql AS $$
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
    SELECT array_agg(r ORDER BY r) INTO engine FROM unnest(rows_of(query)) r;
    PERFORM set_config('fusion.enabled', 'off', true);
    SELECT array_agg(r ORDER BY r) INTO native FROM unnest(rows_of(query)) r;
    PERFORM set_config('fusion.enabled', 'on', true);
    IF engine IS DISTINCT FROM native THEN
        RETURN format('DIFFERENT: engine %s, native %s',
            ARRAY(SELECT unnest(engine) EXCEPT ALL SELECT unnest(native) LIMIT 10), ARRAY(SELECT unnest(native) EXCEPT ALL SELECT unnest(engine) LIMIT 10));
    END IF;
    RETURN format('equal, %s rows', coalesce(cardinality(native), 0));
END $$;

-- Order keys are unique where the answer would depend on the order of peers.
SELECT same_set(q) FROM (VALUES
    ('SELECT id, row_number() OVER (ORDER BY id) FROM fast.numbers'),
    ('SELECT id, row_number() OVER (PARTITION BY i2 ORDER BY id DESC), rank() OVER (PARTITION BY b ORDER BY i2), dense_rank() OVER (PARTITION BY b ORDER BY i2) FROM fast.numbers'),
    ('SELECT id, rank() OVER (ORDER BY i2 DESC NULLS LAST), dense_rank() OVER (ORDER BY i2 NULLS FIRST), rank() OVER () FROM fast.numbers'),
    ('SELECT id, percent_rank() OVER (ORDER BY i2), cume_dist() OVER (ORDER BY i2), percent_rank() OVER (PARTITION BY id ORDER BY id) FROM fast.numbers'),
    ('SELECT id, ntile(7) OVER (ORDER BY id), ntile(1000) OVER (PARTITION BY b ORDER BY id), ntile(NULL) OVER (ORDER BY id) FROM fast.numbers'),
    ('SELECT id, lag(i4) OVER w, lead(i4) OVER w, lag(i4, 3) OVER w, lead(i4, -2) OVER w, lag(n9, 5, 0.0) OVER w, lead(n15, 2, n9) OVER w FROM fast.numbers WINDOW w AS (PARTITION BY b ORDER BY id)'),
    ('SELECT id, lag(i4, i2::int) OVER w, lag(i4, NULL) OVER w, lead(u, 1) OVER w, lead(t, 1, ''none'') OVER w, lag(c, 1, ''x''::char(10)) OVER w FROM (SELECT n.id, i4, i2, u, t, c FROM fast.numbers n JOIN fast.words x ON n.id = x.id) s WINDOW w AS (ORDER BY id)'),
    ('SELECT id, first_value(i4) OVER w, last_value(i4) OVER w, nth_value(n9, 3) OVER w, nth_value(n9, NULL) OVER w FROM fast.numbers WINDOW w AS (PARTITION BY b ORDER BY id)'),
    ('SELECT id, first_value(id) OVER w, last_value(id) OVER w, nth_value(id, 4) OVER w FROM fast.numbers WINDOW w AS (PARTITION BY b ORDER BY id ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING)'),
    -- Aggregates: PostgreSQL's types and display scales.
    ('SELECT id, count(*) OVER w, count(i4) OVER w, sum(i2) OVER w, sum(i4) OVER w, avg(i4) OVER w, avg(i2) OVER w FROM fast.numbers WINDOW w AS (PARTITION BY b ORDER BY id)'),
    ('SELECT id, sum(i8) OVER w, avg(i8) OVER w, sum(n9) OVER w, avg(n9) OVER w, sum(n15) OVER w, sum(n30) OVER w FROM fast.numbers WINDOW w AS (ORDER BY id)'),
    ('SELECT id, sum(n) OVER w, avg(n) OVER w FROM fast.numbers WHERE id <= 500 WINDOW w AS (ORDER BY id)'),
    ('SELECT id, sum(x) OVER w, avg(x) OVER w, min(id) OVER w FROM (SELECT id, CASE id % 4 WHEN 0 THEN id::numeric WHEN 1 THEN n9 WHEN 2 THEN n30 END AS x FROM fast.numbers WHERE id <= 500) s WINDOW w AS (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)'),
    ('SELECT id, sum(x) OVER w FROM (SELECT id, CASE WHEN id = 50 THEN n30 ELSE id::numeric END AS x FROM fast.numbers) s WINDOW w AS (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING)'),
    ('SELECT id, sum(f8) OVER w, avg(f8) OVER w, sum(f4) OVER w, avg(f4) OVER w FROM fast.numbers WINDOW w AS (PARTITION BY i2 ORDER BY id ROWS BETWEEN 5 PRECEDING AND 1 FOLLOWING)'),
    ('SELECT id, sum(f8) OVER (ORDER BY id), avg(f8) OVER (ORDER BY id DESC) FROM fast.numbers WHERE id < 500'),
    ('SELECT id, min(i4) OVER w, max(i4) OVER w, min(n9) OVER w, max(d) OVER w, min(ts) OVER w, max(f8) OVER w FROM (SELECT n.id, i4, n9, f8, d, ts FROM fast.numbers n JOIN fast.words x ON n.id = x.id) s WINDOW w AS (ORDER BY id ROWS BETWEEN 4 PRECEDING AND 3 FOLLOWING)'),
    ('SELECT id, bool_and(b) OVER w, bool_or(b) OVER w, every(b) OVER w FROM fast.numbers WINDOW w AS (ORDER BY id ROWS 2 PRECEDING)'),
    ('SELECT id, sum(i4) FILTER (WHERE i2 > 0) OVER w, count(*) FILTER (WHERE b) OVER w FROM fast.numbers WINDOW w AS (PARTITION BY i2 ORDER BY id)'),
    ('SELECT id, max(t) OVER (ORDER BY t COLLATE "C", id), min(v) OVER (PARTITION BY c1) FROM fast.words'),
    -- Frames: peers, ROWS, GROUPS, RANGE, and what is excluded.
    ('SELECT id, sum(id) OVER (ORDER BY i2), sum(id) OVER (ORDER BY i2 RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), sum(id) OVER (ORDER BY i2 ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM fast.numbers'),
    ('SELECT id, sum(id) OVER (PARTITION BY b ORDER BY i2 GROUPS BETWEEN 2 PRECEDING AND 1 FOLLOWING), count(*) OVER (ORDER BY i2 DESC GROUPS BETWEEN 1 FOLLOWING AND 3 FOLLOWING), sum(id) OVER (ORDER BY i2 GROUPS 4 PRECEDING) FROM fast.numbers'),
    ('SELECT id, count(*) OVER (ORDER BY i2 RANGE BETWEEN 3 PRECEDING AND 5 FOLLOWING), sum(id) OVER (ORDER BY i2 DESC RANGE BETWEEN 3 PRECEDING AND 5 FOLLOWING), count(*) OVER (ORDER BY i2 NULLS FIRST RANGE BETWEEN 10 PRECEDING AND 5 PRECEDING), count(*) OVER (ORDER BY i2 DESC NULLS LAST RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) FROM fast.numbers'),
    ('SELECT id, count(*) OVER (ORDER BY i4 RANGE BETWEEN 2000000000 PRECEDING AND 2000000000 FOLLOWING), count(*) OVER (ORDER BY i8 RANGE BETWEEN 9223372036854775807 PRECEDING AND 10 FOLLOWING) FROM fast.numbers'),
    ('SELECT id, count(*) OVER (ORDER BY n9 RANGE BETWEEN 10.555 PRECEDING AND 3 FOLLOWING), count(*) OVER (ORDER BY n15 DESC RANGE BETWEEN 1000 PRECEDING AND 0.5 PRECEDING), count(*) OVER (ORDER BY n30 RANGE 1 PRECEDING) FROM fast.numbers'),
    ('SELECT id, count(*) OVER (ORDER BY n RANGE BETWEEN 1.5 PRECEDING AND 1.5 FOLLOWING) FROM fast.numbers WHERE id <= 500'),
    ('SELECT id, count(*) OVER (ORDER BY f8 RANGE BETWEEN 1.5 PRECEDING AND 2.25 FOLLOWING), count(*) OVER (ORDER BY f4 DESC RANGE BETWEEN ''infinity''::float8 PRECEDING AND 0 FOLLOWING) FROM fast.numbers'),
    ('SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN ''10 days'' PRECEDING AND ''1 month'' FOLLOWING), count(*) OVER (ORDER BY d DESC RANGE BETWEEN ''1 year 2 months 3 days 04:05:06'' PRECEDING AND ''1 day'' PRECEDING) FROM fast.words WHERE id < 300'),
    ('SELECT id, count(*) OVER (ORDER BY ts RANGE BETWEEN ''1 month'' PRECEDING AND ''36 hours'' FOLLOWING) FROM fast.words WHERE id < 303'),
    ('SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW), sum(id) OVER (ORDER BY i2 ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP), sum(id) OVER (ORDER BY i2 GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES), count(*) OVER (ORDER BY i2 RANGE BETWEEN 10 PRECEDING AND CURRENT ROW EXCLUDE GROUP) FROM fast.numbers'),
    ('SELECT id, min(id) OVER w, max(id) OVER w, first_value(id) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w, sum(f8) OVER w, bool_or(b) OVER w FROM fast.numbers WINDOW w AS (PARTITION BY b ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW)'),
    ('SELECT id, min(id) OVER w, max(id) OVER w, count(*) OVER w FROM fast.numbers WINDOW w AS (ORDER BY i2 RANGE UNBOUNDED PRECEDING EXCLUDE TIES)'),
    ('SELECT id, sum(i4) OVER (ORDER BY id ROWS BETWEEN 9223372036854775807 PRECEDING AND 0 FOLLOWING), count(*) OVER (ORDER BY id ROWS BETWEEN 5 FOLLOWING AND 7 FOLLOWING), count(*) OVER (ORDER BY id ROWS BETWEEN 7 PRECEDING AND 9 PRECEDING) FROM fast.numbers'),
    -- Keys that are equal but not the same; constants; expressions.
    ('SELECT id, count(*) OVER (PARTITION BY f8), count(*) OVER (PARTITION BY n), count(*) OVER (PARTITION BY n9, c), rank() OVER (ORDER BY f8), rank() OVER (ORDER BY n DESC) FROM (SELECT x.id, f8, n, n9, c FROM fast.numbers x LEFT JOIN fast.words w ON x.id = w.id) s'),
    ('SELECT id, count(*) OVER (PARTITION BY 1 ORDER BY id), row_number() OVER (PARTITION BY i2 % 3, b IS NULL ORDER BY abs(i2 - 5), id), sum(1) OVER (ORDER BY NULL::int), count(1) OVER (PARTITION BY id) FROM fast.numbers WHERE i2 <> -32768'),
    -- Several windows, over grouped queries, below and above other clauses.
    ('SELECT i2, sum(count(*)) OVER (ORDER BY i2), rank() OVER (ORDER BY sum(i4) DESC NULLS LAST, i2), count(*) * 100.0 / sum(count(*)) OVER () FROM fast.numbers GROUP BY i2'),
    ('SELECT b, count(*), sum(sum(n9)) OVER (ORDER BY b), avg(sum(n9)) OVER (), lag(max(id)) OVER (ORDER BY b NULLS FIRST) FROM fast.numbers GROUP BY b HAVING count(*) > 1'),
    ('SELECT id, i4 FROM fast.numbers ORDER BY row_number() OVER (ORDER BY i4 DESC, id) LIMIT 7'),
    ('SELECT * FROM (SELECT id, i2, rank() OVER (PARTITION BY b ORDER BY i4 DESC, id) AS r FROM fast.numbers) s WHERE r <= 3 ORDER BY id'),
    ('SELECT * FROM (SELECT id, i2, count(*) OVER (PARTITION BY i2) AS r FROM fast.numbers) s WHERE i2 > 90 AND r > 1'),
    ('SELECT * FROM (SELECT id, i2, row_number() OVER (ORDER BY id) AS r, sum(id) OVER (PARTITION BY i2) AS s FROM fast.numbers) s WHERE i2 = 7'),
    ('SELECT DISTINCT b, count(*) OVER (PARTITION BY b) FROM fast.numbers'),
    ('SELECT a.id, a.r, b.r FROM (SELECT id, row_number() OVER (ORDER BY id) AS r FROM fast.numbers) a JOIN (SELECT id, row_number() OVER (ORDER BY id DESC) AS r FROM fast.words) b ON a.r = b.r'),
    ('SELECT id, sum(id) OVER (ORDER BY id) FROM fast.numbers WHERE id < 5 UNION ALL SELECT id, row_number() OVER (ORDER BY id) FROM fast.words WHERE id < 5'),
    ('WITH w AS (SELECT id, ntile(4) OVER (ORDER BY id) AS q FROM fast.numbers) SELECT q, count(*), min(id) FROM w GROUP BY q'),
    ('SELECT row_number() OVER (), count(*) OVER (), sum(id) OVER () FROM fast.empty'),
    ('SELECT lag(j) OVER (ORDER BY id), first_value(u) OVER (ORDER BY id DESC), count(iv) OVER (ORDER BY id) FROM fast.words'),
    -- DISTINCT ON.
    ('SELECT DISTINCT ON (i2) i2, id, n9 FROM fast.numbers ORDER BY i2, id DESC'),
    ('SELECT DISTINCT ON (b, i2 % 5) b, id FROM fast.numbers WHERE i2 <> -32768 ORDER BY i2 % 5 DESC NULLS LAST, b, id'),
    ('SELECT DISTINCT ON (c1 COLLATE "C") id FROM fast.words ORDER BY c1 COLLATE "C", id DESC LIMIT 4 OFFSET 1'),
    ('SELECT count(*), sum(id) FROM (SELECT DISTINCT ON (n9) n9, id FROM fast.numbers ORDER BY n9, id) s'),
    ('SELECT DISTINCT ON (id) id, i2 FROM fast.numbers'),
    ('SELECT DISTINCT ON (c) c, id FROM fast.words ORDER BY c, id'),
    ('SELECT DISTINCT ON (i2) i2, count(*) OVER (PARTITION BY b), id FROM fast.numbers ORDER BY i2, id'),
    -- WITH TIES.
    ('SELECT i2 FROM fast.numbers ORDER BY i2 FETCH FIRST 5 ROWS WITH TIES'),
    ('SELECT i2 FROM fast.numbers ORDER BY i2 DESC NULLS LAST OFFSET 3 FETCH FIRST 5 ROWS WITH TIES'),
    ('SELECT b FROM fast.numbers ORDER BY b OFFSET 10 FETCH FIRST 1 ROW WITH TIES'),
    ('SELECT i2 FROM fast.numbers ORDER BY i2 FETCH FIRST 0 ROWS WITH TIES'),
    ('SELECT i2, id FROM fast.numbers ORDER BY i2, id OFFSET 500 FETCH FIRST (2 + 1) ROWS WITH TIES'),
    ('SELECT sum(i2) FROM (SELECT i2 FROM fast.numbers ORDER BY i2 FETCH FIRST 5 ROWS WITH TIES) s'),
    ('SELECT id FROM fast.numbers ORDER BY id LIMIT 3 + 4 OFFSET 2 - 1 + 1'),
    -- For each row of the query around.
    ('SELECT a.id, (SELECT x.id FROM fast.numbers x WHERE x.i2 = a.i2 ORDER BY x.id DESC LIMIT 1) FROM fast.numbers a'),
    ('SELECT a.id, s.id, s.i4 FROM fast.words a, LATERAL (SELECT x.id, x.i4 FROM fast.numbers x WHERE x.i2 = a.id ORDER BY x.i4 NULLS FIRST, x.id OFFSET 1 LIMIT 2) s'),
    ('SELECT a.id, s.id FROM fast.changed a LEFT JOIN LATERAL (SELECT x.id FROM fast.numbers x WHERE x.i2 > a.id ORDER BY x.id DESC OFFSET 3) s ON true'),
    ('SELECT a.id, s.* FROM fast.changed a LEFT JOIN LATERAL (SELECT DISTINCT ON (x.b) x.b, x.id FROM fast.numbers x WHERE x.i2 > a.id ORDER BY x.b, x.id) s ON true'),
    ('SELECT a.id, s.* FROM fast.changed a, LATERAL (SELECT x.id, rank() OVER (ORDER BY x.i4 DESC, x.id) AS r, sum(x.id) OVER () AS t FROM fast.numbers x WHERE x.i2 = a.id) s'),
    ('SELECT a.id, s.* FROM fast.changed a, LATERAL (SELECT x.id, count(*) OVER (PARTITION BY x.b) AS t FROM fast.numbers x WHERE x.i2 > a.id ORDER BY x.id LIMIT 2) s'),
    ('SELECT a.id FROM fast.changed a WHERE a.kept IN (SELECT x.id FROM fast.numbers x WHERE x.i2 >= a.id ORDER BY x.id LIMIT 5)'),
    ('SELECT id FROM fast.numbers WHERE id IN (SELECT DISTINCT ON (b) id FROM fast.numbers ORDER BY b, id DESC)')
) q(q);

-- Errors are PostgreSQL's.
SELECT * FROM error_of('SELECT sum(id) OVER (ORDER BY id ROWS -1 PRECEDING) FROM fast.numbers');
SELECT * FROM error_of('SELECT sum(id) OVER (ORDER BY id ROWS NULL PRECEDING) FROM fast.numbers');
SELECT * FROM error_of('SELECT sum(id) OVER (ORDER BY id RANGE -1 PRECEDING) FROM fast.numbers');
SELECT * FROM error_of('SELECT ntile(0) OVER (ORDER BY id) FROM fast.numbers');
SELECT * FROM error_of('SELECT nth_value(id, 0) OVER (ORDER BY id) FROM fast.numbers');
SELECT * FROM error_of('SELECT sum(i8 + 1) OVER (ORDER BY id) FROM fast.numbers');
-- What is not there is named.
SELECT q, reason FROM (VALUES
    ('SELECT rank() OVER (ORDER BY u) FROM fast.words'),
    ('SELECT count(*) OVER (PARTITION BY j) FROM fast.words'),
    ('SELECT stddev(i4) OVER (ORDER BY id) FROM fast.numbers'),
    ('SELECT count(*) OVER (ORDER BY tz RANGE ''1 day'' PRECEDING) FROM fast.words'),
    ('SELECT u FROM fast.words ORDER BY u FETCH FIRST 2 ROWS WITH TIES')
) q(q), fusion.explain_route(q);
