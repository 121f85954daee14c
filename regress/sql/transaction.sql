--
-- The engine sees what the query's snapshot sees: the transaction's own changes, and nothing that was rolled back.
--
SET search_path = fast, public;
CREATE TABLE public.account (id int PRIMARY KEY, owner char(8), balance numeric(15,2), note text);
INSERT INTO public.account SELECT g, 'owner' || g % 10, g * 10, repeat('n', g % 50) FROM generate_series(1, 2000) g;
VACUUM ANALYZE public.account;
IMPORT FOREIGN SCHEMA public LIMIT TO (account) FROM SERVER fusion INTO fast;
SET fusion.force = on;
SET fusion.fallback = off;
SELECT count(*), sum(balance) FROM account;
BEGIN;
UPDATE public.account SET balance = balance + 1, note = NULL WHERE id % 3 = 0;
SELECT count(*), sum(balance), count(note) FROM account;
SELECT same('SELECT owner, count(*), sum(balance), avg(balance) FROM account GROUP BY owner');
DELETE FROM public.account WHERE id > 1900;
INSERT INTO public.account VALUES (5000, 'new', 0.01, NULL);
SELECT count(*), sum(balance) FROM account;
SELECT same('SELECT * FROM account');
SAVEPOINT s;
UPDATE public.account SET balance = NULL WHERE id < 100;
SELECT count(balance), sum(balance) FROM account;
SELECT same('SELECT sum(balance), count(*) FROM account WHERE balance IS NULL OR balance > 500');
ROLLBACK TO s;
SELECT count(balance), sum(balance) FROM account;
ROLLBACK;
SELECT count(*), sum(balance) FROM account;
-- A cursor keeps its snapshot.
BEGIN;
DECLARE c CURSOR FOR SELECT count(*), sum(balance) FROM account;
UPDATE public.account SET balance = 0;
SELECT sum(balance) FROM account;
FETCH c;
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM fusion.explain_route('SELECT sum(balance) FROM account');
SELECT sum(balance) FROM account;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT same('SELECT sum(balance) FROM account');
COMMIT;
-- Relations made, rewritten and truncated in the transaction.
BEGIN;
TRUNCATE public.account;
SELECT count(*) FROM account;
INSERT INTO public.account VALUES (1, 'one', 1, 'one');
SELECT count(*), sum(balance) FROM account;
ALTER TABLE public.account ADD COLUMN extra int DEFAULT 7;
SELECT count(*), sum(balance) FROM account;
ROLLBACK;
SELECT count(*), sum(balance) FROM account;
CREATE TEMP TABLE temporary (id int, n numeric(8,3));
INSERT INTO temporary SELECT g, g / 3.0 FROM generate_series(1, 100) g;
SELECT nspname AS temp_schema FROM pg_namespace WHERE oid = pg_my_temp_schema() \gset
CREATE FOREIGN TABLE fast.temporary (id int, n numeric(8,3)) SERVER fusion OPTIONS (schema_name :'temp_schema', table_name 'temporary');
SELECT same('SELECT count(*), sum(n) FROM fast.temporary');
DROP FOREIGN TABLE fast.temporary;
DROP FOREIGN TABLE account;
DROP TABLE public.account;
