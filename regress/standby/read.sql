-- Of the standby suite: the answer, and whether native plan and engine agree (t, or f).
SET fusion.force = on;
SET fusion.fallback = off;
SELECT k, count(*), sum(n), min(t), max(t) FROM heap.written GROUP BY k ORDER BY k;
SELECT (SELECT string_agg(w::text, ';' ORDER BY w) FROM (SELECT k, count(*), sum(n), sum(id::bigint), min(t), max(t) FROM heap.written GROUP BY k) w)
     = (SELECT string_agg(w::text, ';' ORDER BY w) FROM (SELECT k, count(*), sum(n), sum(id::bigint), min(t), max(t) FROM fast.written GROUP BY k) w);
SELECT route <> 'native' FROM fusion.explain_route('SELECT k, count(*), sum(n) FROM fast.written GROUP BY k');
