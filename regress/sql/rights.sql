--
-- Rights: SELECT on the fusion table and on the heap relation's columns, as the right user; row security.
--
CREATE ROLE fusion_reader;
CREATE ROLE fusion_owner;
CREATE TABLE salary (id int PRIMARY KEY, dept text, amount numeric(10,2), secret text);
INSERT INTO salary SELECT g, 'd' || g % 3, g * 100, 'secret ' || g FROM generate_series(1, 100) g;
IMPORT FOREIGN SCHEMA public LIMIT TO (salary) FROM SERVER fusion INTO fast;
GRANT USAGE ON SCHEMA fast TO fusion_reader, fusion_owner;
SET fusion.force = on;
SET fusion.fallback = off;

SET ROLE fusion_reader;
SELECT sum(amount) FROM fast.salary;
RESET ROLE;
GRANT SELECT ON fast.salary TO fusion_reader;
SET ROLE fusion_reader;
SELECT sum(amount) FROM fast.salary;
RESET ROLE;
REVOKE SELECT ON fast.salary FROM fusion_reader;
GRANT SELECT ON public.salary TO fusion_reader;
SET ROLE fusion_reader;
SELECT sum(amount) FROM fast.salary;
RESET ROLE;
GRANT SELECT ON fast.salary TO fusion_reader;
SET ROLE fusion_reader;
SELECT sum(amount) FROM fast.salary;
RESET ROLE;

-- Columns.
REVOKE SELECT ON public.salary FROM fusion_reader;
GRANT SELECT (id, dept, amount) ON public.salary TO fusion_reader;
SET ROLE fusion_reader;
SELECT dept, sum(amount) FROM fast.salary GROUP BY dept ORDER BY dept;
SELECT max(secret) FROM fast.salary;
SELECT count(*) FROM fast.salary WHERE secret = 'secret 1';
RESET ROLE;

-- A view reads as its owner.
CREATE VIEW fast.payroll AS SELECT dept, sum(amount) AS total FROM fast.salary GROUP BY dept;
ALTER VIEW fast.payroll OWNER TO fusion_owner;
GRANT SELECT ON fast.payroll TO fusion_reader;
SET ROLE fusion_reader;
SELECT * FROM fast.payroll ORDER BY dept;
RESET ROLE;
GRANT SELECT ON fast.salary, public.salary TO fusion_owner;
SET ROLE fusion_reader;
SELECT * FROM fast.payroll ORDER BY dept;
RESET ROLE;

-- Row security: the policies of who reads (more in row_security).
CREATE POLICY own_dept ON salary FOR SELECT TO fusion_reader USING (dept = 'd1');
ALTER TABLE salary ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON public.salary TO fusion_reader;
SET ROLE fusion_reader;
SELECT count(*), min(dept), max(dept) FROM fast.salary;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.salary');
RESET ROLE;
SELECT count(*), min(dept), max(dept) FROM fast.salary;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM fast.salary');
-- A cached plan follows the role.
PREPARE counted AS SELECT count(*) FROM fast.salary;
SET plan_cache_mode = force_generic_plan;
EXECUTE counted;
SET ROLE fusion_reader;
EXECUTE counted;
RESET ROLE;
EXECUTE counted;
RESET plan_cache_mode;
DEALLOCATE counted;

DROP VIEW fast.payroll;
DROP FOREIGN TABLE fast.salary;
DROP TABLE salary;
REVOKE USAGE ON SCHEMA fast FROM fusion_reader, fusion_owner;
DROP ROLE fusion_reader;
DROP ROLE fusion_owner;
