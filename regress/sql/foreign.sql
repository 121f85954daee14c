--
-- The first statement of a session that has not loaded the library: the planner hook is not there, and the plain callbacks scan each fusion
-- table by itself, with columns and the quals that translate pushed down.
--
\c -
EXPLAIN (COSTS OFF, VERBOSE) SELECT count(*), sum(n15) FROM fast.numbers WHERE i4 > 0 AND initcap(b::text) = 'True';
\c -
SELECT count(*), sum(n15) FROM fast.numbers WHERE i4 > 0 AND initcap(b::text) = 'True';
SELECT count(*), sum(n15) FROM public.numbers WHERE i4 > 0 AND initcap(b::text) = 'True';
\c -
SELECT n.id, w.v, c.later FROM fast.numbers n JOIN fast.words w USING (id) LEFT JOIN fast.changed c USING (id) WHERE n.i2 > 90 ORDER BY n.id LIMIT 5;
SELECT n.id, w.v, c.later FROM numbers n JOIN words w USING (id) LEFT JOIN changed c USING (id) WHERE n.i2 > 90 ORDER BY n.id LIMIT 5;
\c -
SELECT w FROM fast.words w WHERE w.id = 5;
\c -
SELECT id, (SELECT max(w.d) FROM fast.words w WHERE w.id < n.id) FROM public.numbers n WHERE id IN (1, 5, 20) ORDER BY id;
\c -
PREPARE q(int) AS SELECT count(*) FROM fast.numbers WHERE id < $1;
EXECUTE q(10);
EXECUTE q(20);
-- Rights on the heap relation are checked in this form, too.
CREATE ROLE regress_fusion_plain;
GRANT USAGE ON SCHEMA fast TO regress_fusion_plain;
GRANT SELECT ON fast.numbers TO regress_fusion_plain;
\c -
SET ROLE regress_fusion_plain;
SELECT count(*) FROM fast.numbers;
\c -
INSERT INTO fast.numbers (id) VALUES (1);
\c -
REVOKE ALL ON SCHEMA fast FROM regress_fusion_plain;
REVOKE ALL ON fast.numbers FROM regress_fusion_plain;
DROP ROLE regress_fusion_plain;
