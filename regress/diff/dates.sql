-- Dates and times.
SELECT id, extract(year FROM d), extract(month FROM d), extract(day FROM d) FROM tim;
SELECT id, extract(quarter FROM d), extract(week FROM d), extract(isoyear FROM d), extract(dow FROM d), extract(isodow FROM d), extract(doy FROM d) FROM tim;
SELECT id, extract(century FROM d), extract(decade FROM d), extract(millennium FROM d), extract(epoch FROM d), extract(julian FROM d) FROM tim;
SELECT id, extract(year FROM ts), extract(hour FROM ts), extract(minute FROM ts), extract(second FROM ts) FROM tim;
SELECT id, extract(milliseconds FROM ts), extract(microseconds FROM ts), extract(epoch FROM ts) FROM tim;
-- expect native: function "extract"(text,timestamp with time zone) is not supported in the engine
SELECT id, extract(year FROM tz), extract(hour FROM tz), extract(epoch FROM tz), extract(timezone FROM tz) FROM tim;
-- set TimeZone = 'America/New_York'
-- expect native: function "extract"(text,timestamp with time zone) is not supported in the engine
SELECT id, extract(year FROM tz), extract(hour FROM tz), extract(day FROM tz), date_trunc('day', tz) FROM tim;
-- expect native: function date_part(text,timestamp with time zone) is not supported in the engine
SELECT id, date_part('year', d), date_part('month', ts), date_part('hour', tz) FROM tim;
SELECT id, extract(year FROM d) FROM tim_ext WHERE id > 2;
-- expect fallback: the engine does not compute with NaN or infinity
SELECT id, extract(year FROM d), extract(epoch FROM ts) FROM tim_ext WHERE id <= 2;
SELECT id, extract(month FROM d), extract(dow FROM d), extract(year FROM ts) FROM tim_ext WHERE id > 4;
SELECT id, date_trunc('year', ts), date_trunc('quarter', ts), date_trunc('month', ts), date_trunc('week', ts) FROM tim;
SELECT id, date_trunc('day', ts), date_trunc('hour', ts), date_trunc('minute', ts), date_trunc('second', ts) FROM tim;
-- expect native: function date_trunc(text,timestamp with time zone) is not supported in the engine
SELECT id, date_trunc('month', d), date_trunc('year', d) FROM tim;
-- expect native: function date_trunc(text,timestamp with time zone) is not supported in the engine
SELECT id, date_trunc('month', tz), date_trunc('day', tz) FROM tim;
SELECT id, d + interval '1 month', d - interval '1 year', d + interval '10 days' FROM tim;
SELECT id, ts + interval '1 month', ts - interval '90 minutes', ts + interval '1 year 2 months 3 days 04:05:06.7' FROM tim;
-- expect native: operator +(timestamp with time zone,interval) is not supported in the engine
SELECT id, tz + interval '1 day', tz - interval '1 hour' FROM tim;
-- set TimeZone = 'Europe/Berlin'
-- expect native: operator +(timestamp with time zone,interval) is not supported in the engine
SELECT id, tz + interval '1 day', tz + interval '24 hours', tz + interval '1 month' FROM tim WHERE id < 100;
-- expect native: operator -(timestamp with time zone,timestamp with time zone) is not supported in the engine
SELECT id, ts - timestamp '2000-01-01', tz - timestamptz '2001-01-01 00:00+00' FROM tim;
-- expect native: function age(timestamp without time zone,timestamp without time zone) is not supported in the engine
SELECT id, age(ts, timestamp '1999-01-01'), age(d, date '1990-05-17') FROM tim;
SELECT id, make_date(2020, id % 12 + 1, 1), d + id FROM tim;
-- expect native: function to_char(timestamp with time zone,text) is not supported in the engine
SELECT id, to_char(d, 'YYYY-MM'), to_char(ts, 'HH24:MI') FROM tim;
SELECT id FROM tim WHERE d >= date '1998-01-01' AND d < date '1998-01-01' + interval '3 months';
SELECT id FROM tim WHERE d BETWEEN date '1998-12-01' - interval '90' day AND date '1998-12-01';
SELECT id FROM tim WHERE ts >= '2000-01-10' AND ts < '2000-01-11';
SELECT id FROM tim WHERE tz > '2001-06-01 12:00:00+05:30';
SELECT id FROM tim WHERE extract(month FROM d) = 2 AND extract(day FROM d) > 20;
SELECT id FROM tim WHERE d - date '1998-01-01' > 365;
SELECT id FROM tim WHERE d + 30 > date '1999-06-15' AND d - 30 < date '1999-06-15';
SELECT id FROM tim WHERE ts::date = date '2000-01-05';
SELECT extract(year FROM d) AS y, count(*), min(d), max(d) FROM tim GROUP BY extract(year FROM d);
SELECT date_trunc('month', ts) AS m, count(*), max(ts) FROM tim GROUP BY 1;
SELECT d, count(*) FROM tim GROUP BY d HAVING count(*) > 1;
SELECT min(d), max(d), min(ts), max(ts), min(tz), max(tz) FROM tim;
SELECT min(d), max(d), min(ts), max(ts), min(tz), max(tz) FROM tim_ext;
SELECT count(DISTINCT d), count(DISTINCT extract(year FROM d)), count(DISTINCT ts) FROM tim;
SELECT DISTINCT extract(dow FROM d) FROM tim;
-- ordered
SELECT id, d FROM tim_ext ORDER BY d, id;
-- ordered
SELECT id, ts FROM tim_ext ORDER BY ts DESC NULLS LAST, id;
-- ordered
SELECT id, tz FROM tim_ext ORDER BY tz NULLS FIRST, id DESC;
SELECT a.id, b.id FROM tim a JOIN tim_ext b ON a.d = b.d;
SELECT l.id, r.id FROM l JOIN r ON l.d = r.d;
SELECT l.id, r.id FROM l JOIN r ON l.d < r.d AND l.k = r.k;
-- expect native: operator <(timestamp without time zone,timestamp with time zone) is not supported in the engine
SELECT id, d < current_date, ts < now(), tz <= current_timestamp FROM tim;
SELECT count(*) FROM tim WHERE d > current_date - 100000 AND ts < localtimestamp;
-- expect native: isfinite
SELECT id, d OPERATOR(pg_catalog.-) 1, isfinite(d), isfinite(ts) FROM tim_ext;
-- expect native: function timezone(text,timestamp without time zone) is not supported in the engine
SELECT id, ts AT TIME ZONE 'Europe/Paris', tz AT TIME ZONE 'Asia/Tokyo' FROM tim;
-- expect native: function "overlaps"(timestamp with time zone,timestamp with time zone,timestamp with time zone,timestamp with 
SELECT (d, d + 10) OVERLAPS (date '1998-01-01', date '1998-01-05') AS o, count(*) FROM tim GROUP BY 1;
-- expect native: function justify_days(interval) is not supported in the engine
SELECT id, justify_days(ts - timestamp '2000-01-01'), extract(day FROM ts - timestamp '1999-01-01') FROM tim;
SELECT sum(d - date '1996-01-01'), avg(d - date '1996-01-01') FROM tim;
