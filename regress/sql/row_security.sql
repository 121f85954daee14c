--
-- Row security and security-barrier views in the engine: the policies of the right user, evaluated before what may leak.
--
CREATE ROLE fusion_tenant;
CREATE ROLE fusion_auditor;
CREATE ROLE fusion_landlord;
CREATE SCHEMA tenancy;
CREATE SCHEMA tenancy_fast;
CREATE TABLE tenancy.account (id int PRIMARY KEY, tenant text NOT NULL, amount numeric(10,2), note text, grade int);
INSERT INTO tenancy.account SELECT g, 't' || g % 4, g * 10, 'note ' || g, g % 7 FROM generate_series(1, 2000) g;
CREATE TABLE tenancy.entry (account int, line int, price numeric(10,2), PRIMARY KEY (account, line));
INSERT INTO tenancy.entry SELECT a, l, a + l / 10.0 FROM generate_series(1, 2000) a, generate_series(1, 3) l;
CREATE TABLE tenancy.member (person text, tenant text);
INSERT INTO tenancy.member VALUES ('fusion_tenant', 't1'), ('fusion_tenant', 't2'), ('fusion_auditor', 't3');
VACUUM ANALYZE tenancy.account, tenancy.entry, tenancy.member;
IMPORT FOREIGN SCHEMA tenancy FROM SERVER fusion INTO tenancy_fast;
GRANT USAGE ON SCHEMA tenancy, tenancy_fast TO fusion_tenant, fusion_auditor, fusion_landlord;
GRANT SELECT ON ALL TABLES IN SCHEMA tenancy, tenancy_fast TO fusion_tenant, fusion_auditor, fusion_landlord;
GRANT CREATE ON SCHEMA tenancy_fast TO fusion_landlord;
-- The number of rows that a query gives natively and in the engine, and how many of them differ; its route.
CREATE FUNCTION tenancy.both_ways(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    route text;
    native text[];
    engine text[];
BEGIN
    SELECT e.route || coalesce(': ' || e.reason, '') INTO route FROM fusion.explain_route(query) e;
    SET LOCAL fusion.enabled = off;
    EXECUTE 'SELECT array_agg(q::text ORDER BY q::text) FROM (' || query || ') q' INTO native;
    SET LOCAL fusion.enabled = on;
    EXECUTE 'SELECT array_agg(q::text ORDER BY q::text) FROM (' || query || ') q' INTO engine;
    RETURN format('%s; %s rows, %s', route, coalesce(cardinality(native), 0),
        CASE WHEN native IS NOT DISTINCT FROM engine THEN 'equal' ELSE 'DIFFERENT' END);
END $$;
GRANT EXECUTE ON FUNCTION tenancy.both_ways TO PUBLIC;
SET fusion.force = on;
SET fusion.fallback = off;

-- A policy by the user's name.
CREATE POLICY own ON tenancy.account FOR SELECT TO fusion_tenant, fusion_auditor
    USING (tenant = CASE current_user WHEN 'fusion_tenant' THEN 't1' ELSE 't3' END);
ALTER TABLE tenancy.account ENABLE ROW LEVEL SECURITY;
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT tenant, count(*), sum(amount) FROM tenancy_fast.account GROUP BY tenant');
SELECT tenant, count(*) FROM tenancy_fast.account GROUP BY tenant;
EXPLAIN (COSTS OFF) SELECT count(*) FROM tenancy_fast.account WHERE grade = 3 AND amount > 5;
SET ROLE fusion_auditor;
SELECT tenant, count(*) FROM tenancy_fast.account GROUP BY tenant;
-- No policy is for this one: nothing is seen.
SET ROLE fusion_landlord;
SELECT count(*) FROM tenancy_fast.account;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM tenancy_fast.account');
RESET ROLE;
SELECT tenant, count(*) FROM tenancy_fast.account GROUP BY tenant ORDER BY tenant;

-- What may leak is not evaluated for hidden rows: account 2 is not of t1.
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT id FROM tenancy_fast.account WHERE 1 / (id - 2) = 0 AND grade = 1');
SELECT count(*) FROM tenancy_fast.account WHERE 1 / (id - 2) = 0;
SELECT count(*) FROM tenancy_fast.account a JOIN tenancy_fast.entry e ON e.account = a.id AND 1 / (a.id - 2) < a.grade;
SELECT count(*) FROM tenancy_fast.entry e LEFT JOIN tenancy_fast.account a ON e.account = a.id AND 1 / (a.id - 2) = 0 WHERE e.line = 1;
SELECT count(*) FROM tenancy_fast.entry e WHERE e.account IN (SELECT id FROM tenancy_fast.account WHERE 1 / (id - 2) = 0);
SELECT count(*) FROM tenancy_fast.entry e WHERE EXISTS (SELECT FROM tenancy_fast.account a WHERE a.id = e.account AND 1 / (a.id - 2) = 0);
SELECT count(*) FROM (SELECT id, 1 / (id - 2) AS x FROM tenancy_fast.account) s WHERE x = 0;
-- Of its own row, the error comes: account 5 is of t1.
SELECT count(*) FROM tenancy_fast.account WHERE 1 / (id - 5) = 0;
SET fusion.fallback = on;
SELECT count(*) FROM tenancy_fast.account WHERE 1 / (id - 5) = 0;
SET fusion.fallback = off;
-- The estimate of a condition that may leak tells nothing of hidden rows.
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM tenancy_fast.account WHERE note LIKE 'note 1%' AND grade = 3;

-- Everywhere in a query.
SELECT tenancy.both_ways(q) FROM (VALUES
    ('SELECT a.tenant, sum(e.price) FROM tenancy_fast.account a JOIN tenancy_fast.entry e ON e.account = a.id WHERE a.grade < 3 GROUP BY a.tenant'),
    ('SELECT e.line, count(a.id) FROM tenancy_fast.entry e LEFT JOIN tenancy_fast.account a ON a.id = e.account GROUP BY e.line'),
    ('SELECT id, (SELECT sum(price) FROM tenancy_fast.entry WHERE account = a.id) FROM tenancy_fast.account a WHERE a.id < 100'),
    ('SELECT account, line FROM tenancy_fast.entry e WHERE account < 50 AND NOT EXISTS (SELECT FROM tenancy_fast.account a WHERE a.id = e.account)'),
    ('WITH big AS (SELECT * FROM tenancy_fast.account WHERE amount > 500) SELECT x.id, y.id FROM big x JOIN big y ON x.id = y.id + 4 WHERE x.id < 200'),
    ('SELECT a.id, b.id FROM tenancy_fast.account a FULL JOIN tenancy_fast.account b ON a.id = b.id + 4 WHERE a.id IS NULL OR b.id IS NULL'),
    ('SELECT tenant FROM tenancy_fast.account UNION SELECT tenant FROM tenancy.account WHERE grade = 2'),
    ('SELECT id, rank() OVER (PARTITION BY grade ORDER BY amount DESC) FROM tenancy_fast.account WHERE id < 60'),
    ('SELECT count(DISTINCT grade), min(note), max(amount) FROM tenancy_fast.account'),
    ('SELECT l.* FROM tenancy_fast.member m, LATERAL (SELECT count(*) FROM tenancy_fast.account a WHERE a.tenant = m.tenant) l'),
    ('SELECT id FROM tenancy_fast.account ORDER BY amount DESC LIMIT 3')
) v (q);
-- Heap relations by themselves.
SET fusion.transparent = on;
SELECT tenancy.both_ways('SELECT tenant, count(*), sum(amount) FROM tenancy.account WHERE grade < 5 GROUP BY tenant');
RESET fusion.transparent;
RESET ROLE;

-- Policies with settings, sub-selects and several conditions; restrictive ones.
DROP POLICY own ON tenancy.account;
CREATE POLICY by_setting ON tenancy.account FOR SELECT USING (tenant = current_setting('app.tenant', true));
SET app.tenant = 't2';
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT tenant, count(*) FROM tenancy_fast.account GROUP BY tenant');
PREPARE of_tenant AS SELECT tenant, count(*) FROM tenancy_fast.account GROUP BY tenant ORDER BY tenant;
SET plan_cache_mode = force_generic_plan;
EXECUTE of_tenant;
SET app.tenant = 't0';
EXECUTE of_tenant;
RESET app.tenant;
EXECUTE of_tenant;
RESET ROLE;
EXECUTE of_tenant;
DEALLOCATE of_tenant;
RESET plan_cache_mode;
DROP POLICY by_setting ON tenancy.account;
CREATE POLICY by_member ON tenancy.account FOR SELECT
    USING (EXISTS (SELECT FROM tenancy.member m WHERE m.person = current_user AND m.tenant = account.tenant));
CREATE POLICY low_grades ON tenancy.account AS RESTRICTIVE FOR SELECT USING (grade < 5 OR tenant = 't2');
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT tenant, grade, count(*) FROM tenancy_fast.account GROUP BY tenant, grade');
SELECT tenancy.both_ways('SELECT a.grade, sum(e.price) FROM tenancy_fast.account a JOIN tenancy_fast.entry e ON e.account = a.id GROUP BY a.grade');
RESET ROLE;
DROP POLICY by_member ON tenancy.account;
CREATE POLICY in_list ON tenancy.account FOR SELECT
    USING (tenant IN (SELECT m.tenant FROM tenancy.member m WHERE m.person = current_user));
CREATE POLICY of_grade ON tenancy.account FOR SELECT TO fusion_tenant USING (grade = 6);
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT tenant, grade, count(*) FROM tenancy_fast.account GROUP BY tenant, grade');
RESET ROLE;
DROP POLICY in_list ON tenancy.account;
DROP POLICY of_grade ON tenancy.account;
DROP POLICY low_grades ON tenancy.account;
-- Restrictive policies come one after the other, by name: the second one divides by zero for rows that the first one hides.
CREATE POLICY everything ON tenancy.account FOR SELECT USING (true);
CREATE POLICY a_first ON tenancy.account AS RESTRICTIVE FOR SELECT USING (id <> 8);
CREATE POLICY b_second ON tenancy.account AS RESTRICTIVE FOR SELECT USING (1000 / (id - 8) < 100);
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT count(*) FROM tenancy_fast.account');
RESET ROLE;
DROP POLICY a_first ON tenancy.account;
DROP POLICY b_second ON tenancy.account;
DROP POLICY everything ON tenancy.account;
-- What the engine does not know is PostgreSQL's.
CREATE FUNCTION tenancy.is_mine(text) RETURNS bool LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1 = ''t1''; END';
CREATE POLICY by_function ON tenancy.account FOR SELECT USING (tenancy.is_mine(tenant));
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT tenant, count(*) FROM tenancy_fast.account GROUP BY tenant');
-- The plan of a statement of which a part runs in the engine is this role's.
PREPARE in_part AS SELECT a.c, e.c, random() < 2
    FROM (SELECT count(*) AS c FROM tenancy_fast.account) a, (SELECT count(*) AS c FROM tenancy_fast.entry) e;
SELECT * FROM fusion.explain_route('SELECT a.c, e.c, random() < 2
    FROM (SELECT count(*) AS c FROM tenancy_fast.account) a, (SELECT count(*) AS c FROM tenancy_fast.entry) e');
EXECUTE in_part;
RESET ROLE;
EXECUTE in_part;
DEALLOCATE in_part;
DROP POLICY by_function ON tenancy.account;

-- Views read as their owners do, or as their users where they say so.
CREATE POLICY own ON tenancy.account FOR SELECT TO fusion_tenant, fusion_auditor USING (tenant = 't' || length(current_user) % 4);
CREATE POLICY all_of_t0 ON tenancy.account FOR SELECT TO fusion_landlord USING (tenant = 't0');
SET ROLE fusion_landlord;
CREATE VIEW tenancy_fast.of_owner AS SELECT tenant, count(*) AS accounts FROM tenancy_fast.account GROUP BY tenant;
CREATE VIEW tenancy_fast.of_user WITH (security_invoker) AS SELECT tenant, count(*) AS accounts FROM tenancy_fast.account GROUP BY tenant;
CREATE FUNCTION tenancy_fast.count_as_owner() RETURNS SETOF tenancy_fast.of_user LANGUAGE sql SECURITY DEFINER
    AS 'SELECT tenant, count(*) FROM tenancy_fast.account GROUP BY tenant';
GRANT SELECT ON tenancy_fast.of_owner, tenancy_fast.of_user TO PUBLIC;
SET ROLE fusion_tenant;
SELECT * FROM tenancy_fast.of_owner;
SELECT * FROM tenancy_fast.of_user;
SELECT * FROM tenancy_fast.count_as_owner();
SELECT tenancy.both_ways('SELECT * FROM tenancy_fast.of_owner');
SELECT tenancy.both_ways('SELECT * FROM tenancy_fast.of_user');
-- Not without the rows that policies hide, however old the plan.
PREPARE seen AS SELECT count(*) FROM tenancy_fast.account;
PREPARE seen_in_part AS SELECT c, random() < 2 FROM (SELECT count(*) AS c FROM tenancy_fast.account) a;
EXECUTE seen;
EXECUTE seen_in_part;
SET row_security = off;
SELECT count(*) FROM tenancy_fast.account;
EXECUTE seen;
EXECUTE seen_in_part;
RESET row_security;
EXECUTE seen;
EXECUTE seen_in_part;
RESET ROLE;
-- The owner of the table sees all rows, unless the table forces it; so does who bypasses row security.
ALTER TABLE tenancy.account OWNER TO fusion_landlord;
SET ROLE fusion_landlord;
SELECT count(*) FROM tenancy_fast.account;
ALTER TABLE tenancy.account FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM tenancy_fast.account;
RESET ROLE;
ALTER ROLE fusion_landlord BYPASSRLS;
SET ROLE fusion_landlord;
SELECT count(*) FROM tenancy_fast.account;
RESET ROLE;

-- Partitions: the policies of the parent.
CREATE TABLE tenancy.event (id int, tenant text, happened date) PARTITION BY RANGE (id);
CREATE TABLE tenancy.event_1 PARTITION OF tenancy.event FOR VALUES FROM (0) TO (500);
CREATE TABLE tenancy.event_2 PARTITION OF tenancy.event FOR VALUES FROM (500) TO (1000);
INSERT INTO tenancy.event SELECT g, 't' || g % 4, date '2024-01-01' + g FROM generate_series(0, 999) g;
CREATE POLICY own ON tenancy.event FOR SELECT USING (tenant = 't2');
ALTER TABLE tenancy.event ENABLE ROW LEVEL SECURITY;
IMPORT FOREIGN SCHEMA tenancy LIMIT TO (event) FROM SERVER fusion INTO tenancy_fast;
GRANT SELECT ON tenancy.event, tenancy_fast.event TO fusion_tenant;
SET ROLE fusion_tenant;
SELECT tenancy.both_ways('SELECT tenant, count(*), max(happened) FROM tenancy_fast.event WHERE id > 100 GROUP BY tenant');
RESET ROLE;

-- Security-barrier views.
CREATE VIEW tenancy_fast.closed WITH (security_barrier) AS SELECT id, tenant, amount, 100 / grade AS share FROM tenancy_fast.account WHERE grade > 0;
ALTER TABLE tenancy.account DISABLE ROW LEVEL SECURITY;
SELECT tenancy.both_ways(q) FROM (VALUES
    ('SELECT tenant, count(*), sum(share) FROM tenancy_fast.closed WHERE id < 1000 GROUP BY tenant'),
    ('SELECT count(*) FROM tenancy_fast.closed WHERE 10 / (id - 7) < 3'),
    ('SELECT count(*) FROM tenancy_fast.closed c JOIN tenancy_fast.entry e ON e.account = c.id WHERE c.share > 20'),
    ('SELECT e.line, count(c.id) FROM tenancy_fast.entry e LEFT JOIN tenancy_fast.closed c ON e.account = c.id AND 10 / (c.id - 7) < 3 GROUP BY e.line'),
    ('SELECT count(*) FROM tenancy_fast.entry e WHERE account IN (SELECT id FROM tenancy_fast.closed WHERE amount > 100)')
) v (q);
-- Account 7 has grade 0: without the barrier the condition may meet it, with it it does not.
EXPLAIN (COSTS OFF) SELECT count(*) FROM tenancy_fast.closed WHERE 10 / (id - 7) < 3 AND id < 1000;
SELECT count(*) FROM tenancy_fast.closed WHERE 10 / (id - 7) < 3 AND id < 1000;

-- A role without rights learns nothing: neither the route of a query, nor what is in the cache.
CREATE ROLE fusion_stranger;
GRANT USAGE ON SCHEMA tenancy, tenancy_fast TO fusion_stranger;
SELECT count(*) > 0 AS cached FROM fusion.stat_cache WHERE relation = 'tenancy.entry'::regclass;
SET ROLE fusion_stranger;
SELECT * FROM fusion.explain_route('SELECT count(*) FROM tenancy_fast.entry');
EXPLAIN SELECT count(*) FROM tenancy_fast.entry;
SELECT fusion.prewarm('tenancy.entry');
SELECT fusion.cache_evict('tenancy.entry');
SELECT count(*) FROM fusion.stat_cache WHERE relation = 'tenancy.entry'::regclass;
RESET ROLE;
GRANT SELECT (account) ON tenancy.entry TO fusion_stranger;
SET ROLE fusion_stranger;
SELECT fusion.prewarm('tenancy.entry', ARRAY['price']);
SELECT DISTINCT "column" FROM fusion.stat_cache WHERE relation = 'tenancy.entry'::regclass AND "column" IS NOT NULL;
-- Settings that touch files or memory.
SET fusion.session_memory = '1GB';
SET fusion.temp_dir = '/tmp';
SET fusion.fault = 'exec:abort';
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA tenancy_fast CASCADE;
DROP SCHEMA tenancy CASCADE;
DROP ROLE fusion_tenant, fusion_auditor, fusion_landlord, fusion_stranger;
