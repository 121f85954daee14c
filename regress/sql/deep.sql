--
-- Deep and wide: expressions nested as deep as PostgreSQL takes them and deeper, and tables of many columns. Nothing but an error may come of it.
--
CREATE TABLE shallow AS SELECT g AS id FROM generate_series(1, 10) g;
IMPORT FOREIGN SCHEMA public LIMIT TO (shallow) FROM SERVER fusion INTO fast;
SET fusion.force = on;
-- ((id + 1) + 1) …: the sum over the table, or the error.
CREATE FUNCTION deep(relation text, levels int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT sum(%s) FROM %s', repeat('(', levels) || 'id' || repeat(' + 1)', levels), relation) INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT levels, deep('shallow', levels), deep('fast.shallow', levels) FROM unnest('{1,150,250,1000,6000}'::int[]) levels;
SELECT route, reason FROM fusion.explain_route('SELECT ' || repeat('(', 150) || 'id' || repeat(' + 1)', 150) || ' FROM fast.shallow');
SELECT route, reason FROM fusion.explain_route('SELECT ' || repeat('(', 250) || 'id' || repeat(' + 1)', 250) || ' FROM fast.shallow');
SET fusion.transparent = on;
SELECT deep('shallow', 1000), deep('shallow', 6000);
RESET fusion.transparent;
-- Sub-selects in one another, and a condition of many alternatives.
SELECT route, reason FROM fusion.explain_route(repeat('SELECT count(*) FROM (', 100) || 'SELECT id FROM fast.shallow' || repeat(') x', 100));
SELECT route, reason FROM fusion.explain_route(repeat('SELECT count(*) FROM (', 300) || 'SELECT id FROM fast.shallow' || repeat(') x', 300));
DO $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT count(*) FROM fast.shallow WHERE ' || (SELECT string_agg('id = ' || g, ' OR ') FROM generate_series(5, 3000) g) INTO result;
    RAISE NOTICE '%', result;
    EXECUTE repeat('SELECT count(*) FROM (', 300) || 'SELECT id FROM fast.shallow' || repeat(') x', 300) INTO result;
    RAISE NOTICE '%', result;
END $$;

-- As many columns as a table can have.
DO $$
BEGIN
    EXECUTE 'CREATE TABLE wide_one (' || (SELECT string_agg('c' || g || ' int', ', ') FROM generate_series(1, 1600) g) || ')';
    EXECUTE 'INSERT INTO wide_one SELECT ' || (SELECT string_agg('g + ' || g, ', ') FROM generate_series(1, 1600) g) || ' FROM generate_series(1, 100) g';
END $$;
IMPORT FOREIGN SCHEMA public LIMIT TO (wide_one) FROM SERVER fusion INTO fast;
SELECT same('SELECT sum(c1), max(c1600), min(c800) FROM fast.wide_one');
SELECT same('SELECT * FROM fast.wide_one ORDER BY c1');
DROP FOREIGN TABLE fast.wide_one, fast.shallow;
DROP TABLE wide_one, shallow;
DROP FUNCTION deep;
