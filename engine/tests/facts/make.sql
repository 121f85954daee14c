-- Facts about PostgreSQL's functions, for engine's tests: psql -X -q -At -F '	' -f make.sql, in this folder, on PostgreSQL 18.
-- Each file: tab-separated arguments, then the result; NULL is \N, an error is ! and its SQLSTATE.
\pset null '\\N'
\pset tuples_only on
\pset format unaligned
\pset fieldsep '	'
set timezone = 'UTC';
select setseed(0.42);

create function pg_temp.attempt(query text) returns text language plpgsql as $$
declare result text;
begin
  execute query into result;
  return result;
exception when others then
  return '!' || sqlstate;
end $$;

-- A random integer below n.
create function pg_temp.below(n int) returns int language sql volatile as $$ select floor(random() * n)::int $$;

-- A random numeric: up to 18 digits before the point and up to 12 behind, often with zeros at the ends.
create function pg_temp.some_numeric() returns numeric language plpgsql volatile as $$
declare whole int := pg_temp.below(19); fraction int := pg_temp.below(13); text text := ''; cut int;
begin
  for i in 1 .. whole loop text := text || pg_temp.below(10); end loop;
  if whole = 0 then text := '0'; end if;
  if pg_temp.below(4) = 0 then
    cut := pg_temp.below(length(text)) + 1;
    text := left(text, cut) || repeat('0', length(text) - cut);
  end if;
  if pg_temp.below(8) = 0 then text := repeat('9', length(text)); end if;
  if fraction > 0 then
    text := text || '.';
    for i in 1 .. fraction loop
      text := text || case when pg_temp.below(3) = 0 then 0 else pg_temp.below(10) end;
    end loop;
  end if;
  return (case when pg_temp.below(2) = 0 then '-' else '' end || text)::numeric;
end $$;

\o numeric_arith.txt
select a, op, b, pg_temp.attempt(format('select %s::numeric %s %s::numeric', quote_literal(a), op, quote_literal(b)))
from (
  select (pg_temp.some_numeric() + 0 * i) a, (pg_temp.some_numeric() + 0 * i) b, (array['+', '-', '*', '/', '/', '/'])[1 + i % 6] op
  from generate_series(1, 900) i
  union all
  select a::numeric, b::numeric, '/'
  from unnest(array['0', '0.00', '1', '-1', '10000', '9999', '0.0001', '0.00010', '1e-20', '99999999999999999999999999999999999999',
                    '12345678901234567890123456789012345678', '0.1', '3', '7.0', '1e18', '100.000']) a,
       unnest(array['0', '1', '3', '-7', '0.3', '10000', '9999.9999', '1e-10', '99999999999999999999999999999999999999',
                    '30000000000000000000000000000000000000', '1.5', '123456789.987654321']) b
) t;

\o numeric_avg.txt
select string_agg(v::text, ','), sum(v), avg(v)
from (select g, pg_temp.some_numeric() + 0 * g v
      from (select g, generate_series(1, 1 + g % 7) from generate_series(1, 300) g) s) t
group by g order by g;

\o numeric_typmod.txt
select a, p, s, pg_temp.attempt(format('select %s::numeric::numeric(%s,%s)', quote_literal(a), p, s))
from (select (pg_temp.some_numeric() + 0 * i) a, p, pg_temp.below(p + 1) s
      from (select i, 1 + pg_temp.below(38) p from generate_series(1, 400) i) x) t;

\o numeric_order.txt
select a, b, case when a < b then -1 when a = b then 0 else 1 end
from (
  select a::numeric, b::numeric
  from unnest(array['NaN', 'Infinity', '-Infinity', '0', '0.00', '1', '1.0', '-1', '10000', '1.0001', '-1.0001', '1.00010', '0.0001', '-10000', '-1e40', '1e40', '123456.789', '123456.7890', '123456.7891', '-123456.789', '-123456.7890001', '9999', '99990000', '1e-100']) a,
       unnest(array['NaN', 'Infinity', '-Infinity', '0', '1', '1.00', '-1', '10000', '1.0001', '-1.0001', '0.0001', '-10000', '1e40', '-1e40', '123456.789', '-123456.789', '9999.5', '9999', '1e-100']) b
  union all
  select pg_temp.some_numeric() + 0 * i, pg_temp.some_numeric() + 0 * i from generate_series(1, 200) i
) t;

\o like.txt
create temp table patterns as
select i, (select string_agg((array['a', 'b', 'ä', '%', '%', '_', '\', 'ab', '€'])[1 + pg_temp.below(9)], '')
           from generate_series(1, 1 + pg_temp.below(6) + 0 * i)) p,
          (select string_agg((array['a', 'b', 'ä', 'a', 'b', '_', '\', '%', '€'])[1 + pg_temp.below(9)], '')
           from generate_series(1, pg_temp.below(8) + 0 * i)) t
from generate_series(1, 900) i;
select coalesce(t, ''), p, pg_temp.attempt(format('select %s::text like %s::text', quote_literal(coalesce(t, '')), quote_literal(p)))
from patterns
union all
select t, p, pg_temp.attempt(format('select %L::text like %L::text', t, p))
from unnest(array['', 'PROMO BRUSHED', 'forest green', 'special requests', 'specialrequests', 'x', 'äöü']) t,
     unnest(array['', '%', 'PROMO%', '%green%', '%special%requests%', '%BRUSHED', '_', '___', '%_', '_%', '%%', 'forest%', '%x', '\%', 'a\', '%\', '%_\']) p;

\o like_bpchar.txt
select t, p, pg_temp.attempt(format('select %L::char(6) like %L', t, p))
from unnest(array['', 'a', 'ab', 'abcdef', 'ää']) t,
     unnest(array['', 'a', 'a%', '%a', 'a     ', '      ', '_     ', 'ab    ', '% ', '%b    ', 'abcdef', '______', 'ä%', 'ää____']) p;

\o substring.txt
select t, s, l, pg_temp.attempt(format('select substring(%L::text, %s, %s)', t, s, l)),
       pg_temp.attempt(format('select substring(%L::text, %s)', t, s))
from unnest(array['', 'a', 'hello world', 'äöü€x', '日本語テキスト']) t,
     unnest(array[-2147483648, -5, -1, 0, 1, 2, 3, 5, 8, 100, 2147483647]) s,
     unnest(array[-1, 0, 1, 2, 4, 100, 2147483647, -2147483648]) l;

\o dates.txt
select (d - date '1970-01-01'), extract(year from d), extract(quarter from d), extract(month from d), extract(day from d),
       extract(dow from d), extract(doy from d), (extract(epoch from d::timestamp) * 1000000)::numeric::int8
from (
  select date '0001-01-01' + pg_temp.below(1200000) + 0 * i d from generate_series(1, 300) i
  union all select date '4713-11-24 BC' + pg_temp.below(1800000) + 0 * i from generate_series(1, 60) i
  union all select date '1900-01-01' + 366 * i - i % 3 from generate_series(0, 140) i
  union all select unnest(array['2000-02-29', '1900-03-01', '1900-02-28', '1970-01-01', '1969-12-31', '4713-11-24 BC', '0001-12-31 BC', '0001-01-01', '2000-12-31', '1999-12-31', '1998-09-02', '100000-01-01']::date[])
) t;

\o date_arith.txt
select case d when 'infinity' then '2147483647' when '-infinity' then '-2147483648' else (d - date '1970-01-01')::text end, n,
       pg_temp.attempt(format('select case d when ''infinity'' then 2147483647 when ''-infinity'' then -2147483648 else d - date ''1970-01-01'' end from (select %L::date + (%L)::int d) x', d, n)),
       pg_temp.attempt(format('select case d when ''infinity'' then 2147483647 when ''-infinity'' then -2147483648 else d - date ''1970-01-01'' end from (select %L::date - (%L)::int d) x', d, n)),
       pg_temp.attempt(format('select %L::date - date ''2000-01-01''', d)),
       pg_temp.attempt(format('select extract(month from %L::date)', d))
from unnest(array['infinity', '-infinity', '1970-01-01', '2000-01-01', '5874897-12-31', '4713-11-24 BC', '1998-12-01']::date[]) d,
     unnest(array[0, 1, -1, 90, 2147483647, '-2147483648'::int, 10000000, -10000000]) n;

\o integers.txt
select ty, a, op, b, pg_temp.attempt(format('select (%L)::%s %s (%L)::%s', a, ty, op, b, ty))
from unnest(array['int2', 'int4', 'int8']) ty,
     unnest(array[0, 1, -1, 2, -7, 7, 182, -32768, 32767, 46341, -2147483648, 2147483647, 3037000500, -9223372036854775808, 9223372036854775807]) a,
     unnest(array[0, 1, -1, 3, -3, 182, -32768, 32767, 46341, -2147483648, 2147483647, 3037000500, -9223372036854775808, 9223372036854775807]) b,
     unnest(array['+', '-', '*', '/', '%']) op
where (ty = 'int8' or abs(a::numeric) <= 2147483647 or a = -2147483648) and (ty = 'int8' or abs(b::numeric) <= 2147483647 or b = -2147483648)
  and (ty <> 'int2' or (a between -32768 and 32767 and b between -32768 and 32767));

\o floats.txt
select ty, a, op, b, pg_temp.attempt(format('select (%L)::%s %s (%L)::%s', a, ty, op, b, ty))
from unnest(array['float4', 'float8']) ty,
     unnest(array['0', '-0', '1', '-1.5', '1e38', '1e-38', '1e300', '1e-300', 'NaN', 'Infinity', '-Infinity', '3.25']) a,
     unnest(array['0', '-0', '1', '-2', '1e38', '1e-38', '1e300', '1e-300', 'NaN', 'Infinity', '-Infinity', '0.1']) b,
     unnest(array['+', '-', '*', '/']) op
where ty = 'float8' or (a not in ('1e300', '1e-300') and b not in ('1e300', '1e-300'));
\o
