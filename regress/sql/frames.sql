--
-- Many scans in one query over the smallest segment: a scan whose consumer waits for another must not hold all the frames.
--
CREATE TABLE public.large (id int, k int, n numeric(12,2), filler text);
INSERT INTO public.large SELECT g, g % 5000, g / 100.0, repeat('x', 60) FROM generate_series(1, 60000) g;
VACUUM ANALYZE public.large;
IMPORT FOREIGN SCHEMA public LIMIT TO (large) FROM SERVER fusion INTO fast;
\c -
SET fusion.session_memory = 2176;
SET search_path = fast, public;
SET statement_timeout = '60s';
SELECT same('SELECT a.k, sum(b.n) FROM large a JOIN large b ON a.id = b.id JOIN large c ON c.id = b.id WHERE a.k IN (SELECT k FROM large GROUP BY k HAVING sum(n) > 3600) GROUP BY a.k');
SELECT same('SELECT count(*) FROM large a WHERE EXISTS (SELECT 1 FROM large b WHERE b.id = a.id + 1) AND NOT EXISTS (SELECT 1 FROM large c WHERE c.id = a.id * 2)');
DROP FOREIGN TABLE large;
DROP TABLE public.large;
