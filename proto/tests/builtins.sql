-- The built-ins that docs/compatibility.md tells about: psql -X -q -At -F '	' -f builtins.sql > builtins.txt, on PostgreSQL 18.
-- Comparisons have a table of their own. OID, f(unction) or a(ggregate), volatility, how it is written. Those over types that the engine computes with; without what only
-- supports other things (selectivity, btree and hash support, I/O, index methods) and functions that the planner replaces by their SQL.
with known(oid) as (select unnest('{16,21,23,20,700,701,1700,25,1043,1042,1082,1114,1184,1186,2776,2276}'::oid[]))
select p.oid, p.prokind, p.provolatile,
       coalesce((select min(case when oprkind = 'l' then oprname || ' ' || format_type(oprright, null)
                             else format_type(oprleft, null) || ' ' || oprname || ' ' || format_type(oprright, null) end) from pg_operator o where o.oprcode = p.oid),
                p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')')
from pg_proc p join pg_language l on l.oid = prolang
where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a') and lanname <> 'sql' and not proretset and provolatile <> 'v'
  and pronargs > 0 and (select bool_and(a in (select oid from known)) from unnest(proargtypes::oid[]) a)
  and (prokind = 'a' or prorettype in (select oid from known))
  and p.oid not in (select amproc from pg_amproc) and proname !~ '^(pg_|has_|hash|bt|gin|gist|brin|spg|txid|_|binary_upgrade|row_security|quote_|format|getdatabase|current_|set_|inet|obj_|col_|shobj|to_reg|lo_|convert|encode|in_range|xpath|table_|database_|query_|schema_|cursor_|json|array|enum|ts|setseed|unicode|normalize|is_norm|parse_ident|similar|regexp|like_esc|scalar|eqsel|neqsel|range|window|nameeq|amvalidate|oidv)'
  and p.oid not in (select oprcode from pg_operator where oprname in ('=', '<>', '<', '<=', '>', '>=', '~<~', '~<=~', '~>~', '~>=~'))
  and (p.oid in (select oprcode from pg_operator)
       or p.oid not in (select aggtransfn from pg_aggregate union select aggfinalfn from pg_aggregate union select aggcombinefn from pg_aggregate
                        union select aggmtransfn from pg_aggregate union select aggminvtransfn from pg_aggregate union select aggmfinalfn from pg_aggregate))
order by prokind, 4, 1;
