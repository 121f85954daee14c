-- Heap relations beside fusion tables; partitioned tables, inheritance, materialized views.
SELECT p.id, l.id FROM plain p JOIN l ON p.k = l.k;
SELECT p.id, l.id FROM l LEFT JOIN plain p ON p.k = l.k AND p.n > l.n;
SELECT p.id FROM plain p WHERE p.k IN (SELECT k FROM l WHERE k IS NOT NULL);
SELECT l.id FROM l WHERE l.k NOT IN (SELECT k FROM plain WHERE k IS NOT NULL);
SELECT l.id FROM l WHERE EXISTS (SELECT 1 FROM plain p WHERE p.k = l.k AND p.label IS NULL);
SELECT l.id, (SELECT count(*) FROM plain p WHERE p.k = l.k) FROM l;
SELECT s.region, t.factor, sum(s.amount * t.factor) FROM sales s JOIN rate t ON t.code = s.region GROUP BY s.region, t.factor;
SELECT s.region, count(*) FROM sales s LEFT JOIN rate t ON t.code = s.region WHERE t.factor IS NULL GROUP BY s.region;
SELECT p.label, count(*), sum(l.n) FROM plain p FULL JOIN l ON l.id = p.id GROUP BY p.label;
SELECT id FROM l UNION SELECT id FROM plain;
WITH x AS (SELECT k, sum(n) AS s FROM plain GROUP BY k) SELECT l.id, x.s FROM l JOIN x ON x.k = l.k;
SELECT l.id, d.id FROM l JOIN data.l d ON d.id = l.id;
SELECT count(*) FROM num JOIN data.txt t ON t.id = num.id WHERE t.v LIKE 'b%';
SELECT count(*) FROM plain p1 JOIN plain p2 ON p1.k = p2.k JOIN one ON true;
-- expect native: pg_catalog.pg_class is a system catalog
SELECT c.relname, l.id FROM pg_catalog.pg_class c JOIN l ON c.relname = 'l' AND l.id < 3 AND c.relkind = 'f';
SELECT * FROM part;
SELECT * FROM part WHERE id = 150;
SELECT * FROM part WHERE id BETWEEN 90 AND 110;
SELECT id FROM part WHERE grp = 'a' AND id > 200;
SELECT id FROM part WHERE grp IS NULL;
SELECT id FROM part WHERE id > 1000;
SELECT grp, count(*), sum(v), min(day), max(id) FROM part GROUP BY grp;
SELECT count(*), sum(v), avg(v) FROM part WHERE id >= 200;
SELECT p.id, l.k FROM part p JOIN l ON l.id = p.id - 95;
SELECT a.id, b.id FROM part a JOIN part b ON a.id = b.id + 150 AND a.grp = b.grp;
SELECT l.id, p.v FROM l LEFT JOIN part p ON p.id = l.k AND p.grp = 'b';
SELECT id FROM l WHERE id IN (SELECT id FROM part WHERE v IS NULL);
-- ordered
SELECT id, v FROM part ORDER BY v DESC NULLS LAST, id LIMIT 5;
-- expect native: a whole row or a system column is used
SELECT p.tableoid IS NOT NULL FROM part p WHERE id = 7;
SELECT * FROM base;
SELECT id, count(*) FROM base GROUP BY id HAVING count(*) > 1;
SELECT * FROM derived;
SELECT b.label, d.more FROM base b JOIN derived d USING (id);
SELECT * FROM base WHERE label LIKE 'derived%';
SELECT count(*) FROM ONLY base;
SELECT t.emp, t.total, e.name FROM totals t LEFT JOIN emp e ON e.id = t.emp;
SELECT e.name FROM emp e WHERE e.id IN (SELECT emp FROM totals WHERE total > 2000);
SELECT v, count(*) FROM churn WHERE v IS NULL GROUP BY v;
SELECT sum(v), count(t), max(t COLLATE "C") FROM churn WHERE id % 3 = 0;
