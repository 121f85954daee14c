--
-- Fusion tables that are made by hand, and every way to get one wrong.
--
\x on
SELECT * FROM error_of('CREATE FOREIGN TABLE fast.bad (id int) SERVER fusion OPTIONS (tablename ''numbers'')');
SELECT * FROM error_of('CREATE FOREIGN TABLE fast.bad (id int OPTIONS (name ''id'')) SERVER fusion');
SELECT * FROM error_of('CREATE FOREIGN TABLE fast.bad (id int) SERVER fusion OPTIONS (table_name '''')');
SELECT * FROM error_of('CREATE SERVER other FOREIGN DATA WRAPPER fusion_fdw OPTIONS (host ''x'')');
SELECT * FROM error_of('ALTER FOREIGN DATA WRAPPER fusion_fdw OPTIONS (ADD debug ''on'')');
-- A subset of columns, in another order, under other names.
CREATE FOREIGN TABLE fast.picked (price numeric(15,2) OPTIONS (column_name 'n15'), id int, flag bool OPTIONS (column_name 'b'))
    SERVER fusion OPTIONS (schema_name 'public', table_name 'numbers');
SET search_path = fast, public;
SELECT same('SELECT flag, count(*), sum(price) FROM picked GROUP BY flag');
SET fusion.force = on;
SET fusion.fallback = off;
SELECT * FROM picked WHERE id = 7;
DROP FOREIGN TABLE picked;
-- Same name in the same schema is not itself.
CREATE FOREIGN TABLE fast.selfish (id int) SERVER fusion;
SELECT * FROM error_of('SELECT * FROM selfish');
DROP FOREIGN TABLE selfish;
-- Stale in every way.
CREATE TABLE public.source (a int, b text, c numeric(8,2));
IMPORT FOREIGN SCHEMA public LIMIT TO (source) FROM SERVER fusion INTO fast;
ALTER TABLE public.source ALTER COLUMN c TYPE numeric(10,2);
SELECT * FROM error_of('SELECT * FROM source');
ALTER FOREIGN TABLE source ALTER COLUMN c TYPE numeric(10,2);
SELECT * FROM error_of('SELECT * FROM source');
ALTER TABLE public.source RENAME COLUMN b TO bb;
SELECT * FROM error_of('SELECT a FROM source');
ALTER FOREIGN TABLE source ALTER COLUMN b OPTIONS (ADD column_name 'bb');
SELECT * FROM error_of('SELECT a FROM source');
DROP TABLE public.source;
SELECT * FROM error_of('SELECT a FROM source');
DROP FOREIGN TABLE source;
-- Not heap relations.
CREATE VIEW public.a_view AS SELECT 1 AS a;
CREATE FOREIGN TABLE fast.a_view (a int) SERVER fusion OPTIONS (schema_name 'public');
SELECT * FROM error_of('SELECT * FROM a_view');
DROP FOREIGN TABLE fast.a_view;
DROP VIEW public.a_view;
CREATE FOREIGN TABLE fast.pg_class (relname name) SERVER fusion OPTIONS (schema_name 'pg_catalog');
SELECT * FROM error_of('SELECT * FROM fast.pg_class');
DROP FOREIGN TABLE fast.pg_class;
CREATE FOREIGN TABLE fast.numbers2 (id int) SERVER fusion OPTIONS (schema_name 'fast', table_name 'numbers');
SELECT * FROM error_of('SELECT * FROM numbers2');
DROP FOREIGN TABLE numbers2;
-- Not for writing.
SELECT * FROM error_of('INSERT INTO fast.numbers (id) VALUES (1)');
SELECT * FROM error_of('UPDATE fast.numbers SET id = 1');
SELECT * FROM error_of('DELETE FROM fast.numbers');
SELECT * FROM error_of('TRUNCATE fast.numbers');
\x off
COPY fast.numbers FROM stdin;
\.
