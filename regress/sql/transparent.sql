--
-- fusion.transparent: queries that name heap relations only.
--
SET fusion.force = on;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM numbers');
SET fusion.transparent = on;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM numbers');
SELECT same('SELECT b, count(*), sum(n15) FROM numbers GROUP BY b');
SELECT same('SELECT n.id, w.t FROM numbers n JOIN words w USING (id) WHERE n.b ORDER BY n.id LIMIT 20');
SELECT same('SELECT n.id, f.v FROM numbers n JOIN fast.words f USING (id)');
SELECT same('SELECT * FROM (SELECT id, count(*) AS c FROM words GROUP BY id) s WHERE c = 1');
EXPLAIN (COSTS OFF) SELECT count(*) FROM numbers WHERE i4 > 0;
-- What stays PostgreSQL's.
SELECT * FROM fusion.explain_route('SELECT count(*) FROM pg_class');
SELECT * FROM fusion.explain_route('SELECT count(*) FROM numbers, pg_class');
SELECT * FROM fusion.explain_route('SELECT id FROM numbers FOR UPDATE');
SELECT * FROM fusion.explain_route('SELECT 1');
SELECT * FROM fusion.explain_route('UPDATE numbers SET i4 = 0');
SELECT * FROM fusion.explain_route('SELECT random() FROM numbers');
SET fusion.enabled = off;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM numbers');
RESET fusion.enabled;
-- Without force: small relations are not even looked at, large ones by cost.
RESET fusion.force;
CREATE TABLE large (id int PRIMARY KEY, k int, pad text);
INSERT INTO large SELECT g, g % 100, repeat('x', 80) FROM generate_series(1, 40000) g;
VACUUM ANALYZE large;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM numbers');
SELECT * FROM fusion.explain_route('SELECT pad FROM large WHERE id = 7');
SET fusion.min_cost = 0;
SELECT * FROM fusion.explain_route('SELECT pad FROM large WHERE id = 7');
RESET fusion.min_cost;
SELECT route FROM fusion.explain_route('SELECT a.k, b.k, count(*), sum(a.id) FROM large a JOIN large b ON a.k = b.k AND a.id < b.id GROUP BY a.k, b.k');
-- Rights are PostgreSQL's.
SET fusion.force = on;
CREATE ROLE fusion_nobody;
SET ROLE fusion_nobody;
SELECT count(*) FROM large;
RESET ROLE;
DROP ROLE fusion_nobody;
-- Cached plans, dropped tables, and functions.
PREPARE total (int) AS SELECT count(*), sum(id) FROM large WHERE k = $1;
EXECUTE total(7);
ALTER TABLE large DROP COLUMN pad;
EXECUTE total(7);
DROP TABLE large;
EXECUTE total(7);
CREATE FUNCTION counted(int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM numbers WHERE id <= $1';
SELECT counted(10), counted(NULL);
SELECT id, counted(id) FROM words WHERE id IN (1, 5, 300) ORDER BY id;
DROP FUNCTION counted;
-- A cursor over one table can be used to update it.
CREATE TABLE stepped (id int, v int);
INSERT INTO stepped SELECT g, 0 FROM generate_series(1, 3) g;
BEGIN;
DECLARE step CURSOR FOR SELECT id FROM stepped WHERE id > 1;
FETCH 1 FROM step;
UPDATE stepped SET v = 1 WHERE CURRENT OF step;
FETCH 1 FROM step;
DELETE FROM stepped WHERE CURRENT OF step;
COMMIT;
SELECT * FROM stepped ORDER BY id;
DO $$
DECLARE
    step CURSOR FOR SELECT id FROM stepped;
BEGIN
    FOR r IN step LOOP
        UPDATE stepped SET v = r.id * 10 WHERE CURRENT OF step;
    END LOOP;
END $$;
SELECT * FROM stepped ORDER BY id;
DROP TABLE stepped;
-- Foreign keys and other queries of the server itself go their way.
CREATE TABLE parent_table (id int PRIMARY KEY);
CREATE TABLE child_table (id int REFERENCES parent_table);
INSERT INTO parent_table VALUES (1);
INSERT INTO child_table VALUES (1);
INSERT INTO child_table VALUES (2);
ALTER TABLE child_table ADD CHECK (id > 0);
CREATE MATERIALIZED VIEW made_view AS SELECT b, count(*) FROM numbers GROUP BY b;
REFRESH MATERIALIZED VIEW made_view;
SELECT * FROM made_view ORDER BY b;
DROP MATERIALIZED VIEW made_view;
DROP TABLE child_table, parent_table;
