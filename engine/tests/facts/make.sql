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

\o numeric_spread.txt
select string_agg(v::text, ','), var_pop(v), var_samp(v), stddev_pop(v), stddev_samp(v)
from (select g, case when g % 5 = 0 then (pg_temp.below(7) + 0 * g)::numeric else round(pg_temp.some_numeric() + 0 * g, 2 + g % 4) end v
      from (select g, generate_series(1, 1 + g % 6) from generate_series(1, 300) g) s) t
group by g order by g;

\o numeric_functions.txt
select a, f, d, pg_temp.attempt(format('select %s(%L::numeric%s)', f, a, case when d <> 99 then ', ' || d end))
from (select (pg_temp.some_numeric() + 0 * i) a, f, d
      from generate_series(1, 40) i,
           (select 'round' f, unnest(array[-19, -3, -1, 0, 1, 2, 7, 15]) d
            union all select 'trunc', unnest(array[-19, -3, -1, 0, 1, 2, 7, 15])
            union all select unnest(array['ceil', 'floor', 'sign']), 99) x) t
union all
select a::numeric, f, 99, pg_temp.attempt(format('select %s(%L::numeric)', f, a))
from unnest(array['0', '0.00', '0.5', '-0.5', '1.5', '-1.5', '2.5', '-0.01', '99.99', '-99.99', '1', '-1']) a,
     unnest(array['ceil', 'floor', 'sign']) f
union all
select a::numeric, f, d, pg_temp.attempt(format('select %s(%L::numeric, %s)', f, a, d))
from unnest(array['0', '0.00', '0.5', '-0.5', '1.45', '-1.55', '2.5', '999.995', '-999.995', '55']) a,
     unnest(array['round', 'trunc']) f, unnest(array[-2, -1, 0, 1, 2, 5]) d;

\o numeric_mod.txt
select a, b, pg_temp.attempt(format('select %L::numeric %% %L::numeric', a, b)), pg_temp.attempt(format('select div(%L::numeric, %L::numeric)', a, b))
from (select (pg_temp.some_numeric() + 0 * i) a, (case when i % 3 = 0 then round(pg_temp.some_numeric() / 1e9, 2) else pg_temp.some_numeric() end + 0 * i) b
      from generate_series(1, 300) i
      union all select a::numeric, b::numeric from unnest(array['0', '1', '-7', '7.5', '-7.5', '10.00']) a, unnest(array['0', '0.0', '2', '-2', '2.5', '0.3', '10']) b) t;

\o number_casts.txt
select f, a, t, pg_temp.attempt(format('select (%L::%s)::%s', a, f, t))
from (select 'numeric' f, (pg_temp.some_numeric() + 0 * i)::text a from generate_series(1, 120) i
      union all select 'numeric', unnest(array['0', '0.5', '-0.5', '1.5', '2.5', '-2.5', '32767.4', '32767.5', '-32768.5', '-32768.4', '2147483647.4', '2147483647.5', '-2147483648.5', '9223372036854775807.4', '9223372036854775807.5', '-9223372036854775808', '123456789012345678901234567890', '0.1', '0.000000000000000000000000000001', '16777217', '0.30000000000000004', '10000000000000000000000000000000000000'])
      union all select 'float8', unnest(array['0', '-0', '0.5', '1.5', '2.5', '-2.5', '32767.5', '32767.49', '-32768.5', '2147483647.5', '2147483646.5', '-2147483648.5', '9223372036854775807', '9223372036854774784', '-9223372036854775808', '1e15', '1e16', '123456789.123456789', '0.1', '1e-5', '0.00001234567890123', '1.5e20', '1e30', '12345678901234567890', 'NaN', 'Infinity', '-Infinity', '1e38', '3.5e38', '1e-46', '0.1234567890123445', '2.5e-10', '100', '99999999999999.95'])
      union all select 'float4', unnest(array['0', '-0', '0.5', '1.5', '2.5', '-3.5', '32767.5', '2147483647', '9.223372e18', '-9.223372e18', '0.1', '1e-5', '1234567', '12345678', '1.5e20', 'NaN', 'Infinity', '0.30000001', '100'])
      union all select 'int8', unnest(array['0', '-1', '32767', '32768', '16777217', '9007199254740993', '9223372036854775807', '-9223372036854775808'])
     ) x, unnest(array['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text']) t
where f <> t and not (t = 'text' and f like 'float%');

\o float_functions.txt
select a, f, pg_temp.attempt(format('select %s(%L::float8)', f, a))
from unnest(array['0', '-0', '0.5', '-0.5', '1.5', '2.5', '-2.5', '2', '1e300', '4.0', '1e-310', 'NaN', 'Infinity', '-Infinity', '-1', '0.49999999999999994', '4503599627370497.5', '2.25']) a,
     unnest(array['round', 'trunc', 'ceil', 'floor', 'sign', 'sqrt']) f;

\o bits.txt
select ty, a, op, b, pg_temp.attempt(format('select (%L)::%s %s (%L)::%s', a, ty, op, b, case when op in ('<<', '>>') then 'int4' else ty end))
from unnest(array['int2', 'int4', 'int8']) ty, unnest(array[0, 1, -1, 5, 1234, -32768, 32767]) a,
     unnest(array[0, 1, 3, 15, 16, 17, 31, 32, 33, 63, 64, -1]) b, unnest(array['&', '|', '#', '<<', '>>']) op
union all
select ty, a, '~', 0, pg_temp.attempt(format('select ~ (%L)::%s', a, ty))
from unnest(array['int2', 'int4', 'int8']) ty, unnest(array[0, 1, -1, 5, -32768, 32767]) a;

-- Texts stand between bars, so that blanks show.
\o text_functions.txt
select f, '|' || a || '|', '|' || b || '|', '|' || c || '|',
       pg_temp.attempt(format('select %s', replace(replace(replace(f, '$1', quote_literal(a) || '::text'),
           '$2', quote_literal(b) || case when f ~ '(left|right|repeat|pad)\(' then '::int' else '::text' end),
           '$3', quote_literal(c) || case when f ~ 'split' then '::int' else '::text' end)))
from (
  select f, a, '' b, '' c from unnest(array['''|'' || upper($1 collate "C") || ''|''', '''|'' || lower($1 collate "C") || ''|''', '''|'' || reverse($1) || ''|''', 'ascii($1)', '''|'' || btrim($1) || ''|''', '''|'' || ltrim($1) || ''|''', '''|'' || rtrim($1) || ''|''']) f,
       unnest(array['', ' ', 'a', 'Hello World', '  both  ', 'äÖü€𝄞x', 'ß', ' é ']) a
  union all
  select f, a, b, '' from unnest(array['''|'' || btrim($1, $2) || ''|''', '''|'' || ltrim($1, $2) || ''|''', '''|'' || rtrim($1, $2) || ''|''', 'strpos($1, $2)', 'starts_with($1, $2)', '''|'' || ($1 || $2) || ''|''']) f,
       unnest(array['', 'xyxtrimyyx', 'äöäaä', 'abcabc', '  a ', 'x']) a, unnest(array['', 'x', 'xy', 'ä', 'abc', 'bc', ' ', 'äö']) b
  union all
  select f, a, b, '' from unnest(array['''|'' || left($1, $2) || ''|''', '''|'' || right($1, $2) || ''|''', '''|'' || repeat($1, $2) || ''|''']) f,
       unnest(array['', 'a', 'hello', 'äöü€𝄞']) a, unnest(array['0', '1', '2', '4', '5', '6', '100', '-1', '-3', '-5', '-6', '-2147483648']) b
  union all
  select f, a, b, c from unnest(array['''|'' || lpad($1, $2, $3) || ''|''', '''|'' || rpad($1, $2, $3) || ''|''']) f,
       unnest(array['', 'hi', 'äöü']) a, unnest(array['0', '1', '2', '3', '5', '8', '-1']) b, unnest(array['', 'x', 'xy', '€ä']) c
  union all
  select f, a, b, c from unnest(array['''|'' || replace($1, $2, $3) || ''|''', '''|'' || translate($1, $2, $3) || ''|''']) f,
       unnest(array['', 'abcabc', 'äöäöä', 'aaa']) a, unnest(array['', 'a', 'bc', 'äö', 'aa', 'ab']) b, unnest(array['', 'x', 'yz', 'ö€']) c
  union all
  select '''|'' || split_part($1, $2, $3) || ''|''', a, b, c from unnest(array['', 'abc~@~def~@~ghi', ',a,,b,', 'äöä', 'x']) a,
       unnest(array['~@~', ',', '', 'ä', 'x', 'zz']) b, unnest(array['0', '1', '2', '3', '6', '-1', '-2', '-5', '-6', '2147483647', '-2147483648']) c
) t;

\o text_lengths.txt
select '|' || a || '|', n, pg_temp.attempt(format('select ''|'' || (%L::varchar(%s)) || ''|''', a, n)), pg_temp.attempt(format('select ''|'' || (%L::char(%s)) || ''|''', a, n)),
       pg_temp.attempt(format('select ''|'' || pg_catalog."varchar"(%L, %s, false) || ''|''', a, n + 4)), pg_temp.attempt(format('select ''|'' || bpchar(%L, %s, false) || ''|''', a, n + 4))
from unnest(array['', 'a', 'ab', 'abc', 'ab   ', 'äöü', 'äö  x', '     ']) a, unnest(array[1, 2, 3, 5]) n;

\o text_parse.txt
select '|' || a || '|', t, pg_temp.attempt(format('select (%L::text)::%s', a, t))
from unnest(array['0', '1', '-1', '+5', ' 12 ', '', ' ', 'x', '1.5', '-0.50', '007', '32767', '32768', '2147483648', '1e3', '1e-3', '.5', '5.', '1_000', '0x1F', 'NaN', 'inf', '9223372036854775808',
                  '123456789012345678901234567890.123', '0.1', '1e400', '1e-400', '16777217', '2020-02-29', '2021-02-29', '1999-12-31', '2020-2-9', '20200229', '0001-01-01', '10000-01-01', '2020-13-01', ' 2020-01-02 ', '1/2/2020', 'epoch']) a,
     unnest(array['int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'date']) t;

\o timestamps.txt
select (extract(epoch from ts) * 1000000)::int8, f, extracted, date_part(f, ts),
       case when f not in ('dow', 'doy', 'isodow', 'isoyear', 'epoch') then pg_temp.attempt(format('select (extract(epoch from date_trunc(%L, %L::timestamp)) * 1000000)::int8', f, ts)) end
from (select timestamp '0001-01-01' + pg_temp.below(2000000) * interval '1 day' + pg_temp.below(86400) * interval '1 second' + pg_temp.below(1000000) * interval '1 microsecond' + 0 * i * interval '1 day' ts from generate_series(1, 60) i
      union all select timestamp '4713-11-24 00:00:00 BC' + pg_temp.below(1800000) * interval '1 day' + pg_temp.below(86400) * interval '1 second' + 0 * i * interval '1 day' from generate_series(1, 30) i
      union all select unnest(array['2000-02-29 23:59:59.999999', '1969-12-31 23:59:59.5', '1970-01-01', '2001-01-01', '2000-12-31', '0001-01-01', '0001-12-31 BC', '0100-06-01 BC', '0101-01-01 BC', '1000-01-01 BC', '2005-01-01', '2005-01-02', '2008-12-29', '1901-01-01', '0010-01-01 BC', '0011-12-31 BC']::timestamp[])) t,
     lateral (values ('year', extract(year from ts)), ('quarter', extract(quarter from ts)), ('month', extract(month from ts)), ('day', extract(day from ts)), ('dow', extract(dow from ts)), ('doy', extract(doy from ts)),
              ('millennium', extract(millennium from ts)), ('century', extract(century from ts)), ('decade', extract(decade from ts)), ('isoyear', extract(isoyear from ts)), ('week', extract(week from ts)), ('isodow', extract(isodow from ts)),
              ('hour', extract(hour from ts)), ('minute', extract(minute from ts)), ('second', extract(second from ts)), ('milliseconds', extract(milliseconds from ts)), ('microseconds', extract(microseconds from ts)), ('epoch', extract(epoch from ts))) e (f, extracted);

\o timestamp_interval.txt
select (extract(epoch from ts) * 1000000)::int8, months, days, micros,
       pg_temp.attempt(format('select (extract(epoch from %L::timestamp + (make_interval(months => %s, days => %s) + %s * interval ''1 microsecond'')) * 1000000)::int8', ts, months, days, micros)),
       pg_temp.attempt(format('select (extract(epoch from %L::timestamp - (make_interval(months => %s, days => %s) + %s * interval ''1 microsecond'')) * 1000000)::int8', ts, months, days, micros))
from unnest(array['2000-01-31 12:00', '1999-12-31 23:59:59.999999', '2004-02-29', '0001-01-01', '4713-11-24 BC', '1970-01-01', '1900-03-31 00:00:01']::timestamp[]) ts,
     unnest(array[0, 1, -1, 12, -13, 1200, 2147483647]) months, unnest(array[0, 1, -31, 90, -100000]) days, unnest(array[0, 1, -86400000001, 3600000000]) micros;
\o
