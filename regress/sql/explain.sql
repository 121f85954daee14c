--
-- EXPLAIN of a fusion scan: what VERBOSE adds, estimates, all formats.
--
SET search_path = fast, public;
SET fusion.force = on;
-- Estimates are PostgreSQL's, for the result and for each relation; a partitioned table is its leaves.
CREATE TABLE public.measured (id int, at date, v numeric(8,2)) PARTITION BY RANGE (at);
CREATE TABLE public.measured_1 PARTITION OF public.measured FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE public.measured_2 PARTITION OF public.measured FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO public.measured SELECT g, date '2020-01-01' + g % 700, g FROM generate_series(1, 7000) g;
VACUUM ANALYZE public.measured;
IMPORT FOREIGN SCHEMA public LIMIT TO (measured) FROM SERVER fusion INTO fast;

-- The query as it was sent, with estimates rounded to two digits.
CREATE FUNCTION sent(query text, costs bool DEFAULT true) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (VERBOSE, COSTS %s, FORMAT JSON) %s', CASE WHEN costs THEN 'on' ELSE 'off' END, query) INTO plan;
    RETURN QUERY SELECT regexp_replace(line, '([0-9]{2})([0-9]+)', '\1..', 'g') FROM regexp_split_to_table(plan #>> '{0,Plan,Fusion Query}', '\n') line WHERE line <> '';
END $$;
SELECT * FROM sent('SELECT b, sum(n15) FROM numbers WHERE i4 > 0 AND i2 IS NOT NULL GROUP BY b HAVING count(*) > 3 ORDER BY b LIMIT 7', false);
SELECT * FROM sent('SELECT n.id, w.v, CASE WHEN n.b THEN n.n15 * 2 ELSE 0 END AS twice FROM numbers n LEFT JOIN words w ON w.id = n.id WHERE n.i4 IN (1, 2, 3) OR n.b IS NULL', false);
SELECT * FROM sent('SELECT count(*), count(DISTINCT v) FROM measured WHERE at < ''2021-03-01''');
SELECT * FROM sent('SELECT count(*) FROM measured WHERE at < ''2020-03-01''');
PREPARE one (int, date) AS SELECT count(*) FROM measured WHERE id > $1 AND at = $2 - 1;
SET plan_cache_mode = force_generic_plan;
SELECT * FROM sent('EXECUTE one(1, ''2020-05-05'')', false);
RESET plan_cache_mode;

-- Rows that PostgreSQL expects of the whole.
CREATE FUNCTION expected(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN (plan #>> '{0,Plan,Node Type}') || ' ' || (plan #>> '{0,Plan,Plan Rows}');
END $$;
SELECT expected('SELECT id FROM numbers'), expected('SELECT b, count(*) FROM numbers GROUP BY b'), expected('SELECT count(*) FROM measured');

-- Every format holds together, whatever is in the query.
CREATE FUNCTION formatted(format text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    result text := '';
BEGIN
    FOR line IN EXECUTE format('EXPLAIN (VERBOSE, ANALYZE, FORMAT %s) %s', format, query) LOOP
        result := result || line || E'\n';
    END LOOP;
    RETURN result;
END $$;
SELECT j::json #>> '{0,Plan,Fusion Route}' AS json,
       position(E'\'it''''s <b>"&amp;"</b>\\ \\n\'' IN j::json #>> '{0,Plan,Fusion Query}') > 0 AS escaped
FROM formatted('json', $q$SELECT id, E'it''s <b>"&amp;"</b>\\ \n' AS "odd <name>" FROM words WHERE t <> E'it''s <b>"&amp;"</b>\\ \n'$q$) j;
SELECT x ~ '<Fusion-Route>engine</Fusion-Route>' AS xml, x ~ '<Fusion-Query>' AS query, position('''it''''s &lt;b&gt;"&amp;amp;"&lt;/b&gt;''' IN x) > 0 AS escaped,
       (SELECT count(*) FROM regexp_matches(x, '<[A-Za-z]', 'g')) = (SELECT count(*) FROM regexp_matches(x, '</[A-Za-z]', 'g')) AS balanced
FROM formatted('xml', $q$SELECT id FROM words WHERE t <> E'it''s <b>"&amp;"</b>'$q$) x;
SELECT y ~ '\n *Fusion Route: "engine"\n' AS yaml, y ~ '\n *Fusion Query: "' AS query, y ~ '\n *Fusion Pages: [0-9]+ *\n' AS pages,
       y ~ '\n[^ -]' AS broken
FROM formatted('yaml', $q$SELECT id FROM words WHERE t <> E'it''s: <b>"&amp;"</b>\n# no'$q$) y;
SELECT t ~ '\n *Fusion Route: engine\n' AS text FROM formatted('text', 'SELECT id FROM words WHERE t <> ''x''') t;
-- SETTINGS names what was changed.
SELECT j::json #>> '{0,Settings,fusion.force}' AS force FROM formatted('json, SETTINGS', 'SELECT count(*) FROM words') j;
DROP FUNCTION sent, formatted, expected;
DROP FOREIGN TABLE fast.measured;
DROP TABLE public.measured;
