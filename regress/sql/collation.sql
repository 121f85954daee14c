--
-- Text under a collation that is not byte order: PostgreSQL sorts what the engine gives; order comparisons stay native.
--
SET search_path = fast, public;
SET fusion.force = on;
SET fusion.fallback = off;
CREATE TABLE public.names (id int PRIMARY KEY, name text, code char(6));
INSERT INTO public.names VALUES (1, 'zebra', 'b'), (2, 'Äpfel', 'B'), (3, 'apple', 'a'), (4, 'Zoo', 'A'), (5, 'éclair', 'ä'), (6, 'eclair', NULL), (7, NULL, 'z');
ANALYZE public.names;
IMPORT FOREIGN SCHEMA public LIMIT TO (names) FROM SERVER fusion INTO fast;
EXPLAIN (COSTS OFF) SELECT name, count(*) FROM names GROUP BY name ORDER BY name DESC NULLS LAST LIMIT 3;
SELECT same('SELECT name, count(*) FROM names GROUP BY name ORDER BY name DESC NULLS LAST LIMIT 3');
SELECT same('SELECT id FROM names ORDER BY code, name OFFSET 1');
SELECT same('SELECT id FROM names ORDER BY initcap(name) || code') ~ 'not supported' AS refused;
SELECT same('SELECT id, upper(name), lower(code) FROM names WHERE id IN (1, 3, 4, 7)');
SELECT * FROM error_of('SELECT upper(name) FROM names');
-- The native plan that stands in for the engine gives the sort key, too.
SET fusion.fallback = on;
SELECT id, name FROM names ORDER BY upper(name) DESC, id;
SET fusion.fallback = off;
SELECT name FROM names ORDER BY name;
SELECT name FROM names ORDER BY name COLLATE "C";
SELECT same('SELECT id FROM names WHERE name = ''eclair'' OR code = ''B''');
SELECT same('SELECT id FROM names WHERE name LIKE ''%cla%''');
SELECT same('SELECT id FROM names WHERE name COLLATE "C" < ''b''');
SELECT * FROM fusion.explain_route('SELECT id FROM names WHERE name < ''b''');
SELECT * FROM fusion.explain_route('SELECT max(name) FROM names');
SELECT id FROM names WHERE name < 'b' ORDER BY id;
SELECT max(name) FROM names;
PREPARE page(int) AS SELECT name FROM names ORDER BY name LIMIT $1;
EXECUTE page(2);
SET plan_cache_mode = force_generic_plan;
EXECUTE page(3);
RESET plan_cache_mode;
DEALLOCATE page;
DROP FOREIGN TABLE names;
DROP TABLE public.names;
