-- LIKE and the functions of text.
SELECT id FROM txt WHERE t LIKE 'q%';
SELECT id FROM txt WHERE t LIKE '%o';
SELECT id FROM txt WHERE t LIKE '%o%';
SELECT id FROM txt WHERE t LIKE '%o%e%';
SELECT id FROM txt WHERE t LIKE '_u%';
SELECT id FROM txt WHERE t LIKE '____';
SELECT id FROM txt WHERE t LIKE '%';
SELECT id FROM txt WHERE t LIKE '';
SELECT id FROM txt WHERE t NOT LIKE '%e%';
SELECT id FROM txt WHERE t NOT LIKE '%';
SELECT id FROM txt WHERE t LIKE 'a\%b%' OR t LIKE '%\_c%' OR v LIKE '%\%';
SELECT id FROM txt WHERE t LIKE 'a!%b%' ESCAPE '!';
SELECT id FROM txt WHERE t LIKE '%\\d';
SELECT id FROM txt WHERE t LIKE '%c\d' ESCAPE '';
SELECT id FROM txt WHERE t LIKE 'ä_ü%';
SELECT id FROM txt WHERE t LIKE '____𝄞';
SELECT id FROM txt WHERE t LIKE E'%\n%';
SELECT id FROM txt WHERE v LIKE 'b%1' OR v LIKE '%7';
SELECT id FROM txt WHERE c LIKE 'A%';
SELECT id FROM txt WHERE c LIKE 'A1';
SELECT id FROM txt WHERE c LIKE 'A1        ';
SELECT id FROM txt WHERE c LIKE '%  ';
SELECT id FROM txt WHERE c1 LIKE '_';
SELECT id FROM txt WHERE tc LIKE '%a%b%c%';
SELECT id FROM txt WHERE tc LIKE '%ab%' AND tc NOT LIKE 'a%';
-- expect error: 22025
SELECT id FROM txt WHERE t LIKE v;
SELECT id FROM txt WHERE t LIKE v || '%';
SELECT id FROM txt WHERE 'quick' LIKE t || '%';
SELECT id, t LIKE '%the%', t LIKE NULL, NULL LIKE t FROM txt;
SELECT id FROM txt WHERE t LIKE 'aaaa%aaaa%b';
-- expect fallback in en_US: the engine changes the case of ASCII letters only
SELECT id FROM txt WHERE t ILIKE '%QUICK%';
SELECT id FROM txt WHERE tc ILIKE 'A%';
-- expect native: operator ~(text,text) is not supported in the engine
SELECT id FROM txt WHERE t SIMILAR TO '%(quick|brown)%';
-- expect native: operator ~(text,text) is not supported in the engine
SELECT id FROM txt WHERE t ~ '^q';
-- expect native: operator ~*(text,text) is not supported in the engine
SELECT id FROM txt WHERE t ~* 'FOX' AND t !~ 'jumps';
SELECT id FROM txt WHERE t LIKE ANY (ARRAY['q%', '%x']);
SELECT id FROM txt WHERE t NOT LIKE ALL (ARRAY['%a%', '%e%']);
SELECT id FROM txt WHERE starts_with(t, 'br');
SELECT id FROM txt WHERE t ^@ 'qu';
-- expect native: function octet_length(character) is not supported in the engine
SELECT id, length(t), length(v), length(c), length(c1), char_length(t), octet_length(t), octet_length(c), bit_length(t) FROM txt;
SELECT id, upper(t), lower(t), upper(c), lower(v) FROM txt WHERE id <= 400;
SELECT id, upper(tc), lower(tc) FROM txt;
-- expect native: function initcap(text) is not supported in the engine
SELECT id, upper(t), lower(t), initcap(t) FROM txt WHERE id > 400;
SELECT id, t || v, t || '-' || c, v || c1 || '.', c || 'x' FROM txt;
SELECT id, t || NULL, t || id, id || ':' || t FROM txt;
-- expect native: function concat("any") is not supported in the engine
SELECT id, concat(t, v, NULL, c), concat_ws('-', t, v, c1), concat(id, t) FROM txt;
SELECT id, substring(t, 2), substring(t, 2, 3), substring(t from 3 for 2), substr(t, 4), substring(v, 0, 3), substring(t, -2, 5) FROM txt;
SELECT id, substring(c, 1, 2), substring(c, 9), substr(c1, 1) FROM txt;
SELECT id, substring(t, id % 5, 3), substring(t, 100), substring(t, 2147483647), substring(t, 2, 2147483647) FROM txt;
SELECT id, left(t, 3), right(t, 3), left(t, -2), right(t, -2), left(t, 0) FROM txt;
SELECT id, trim(t), ltrim(t), rtrim(t), btrim(t, 'et '), trim(both 'q' from t), trim(c) FROM txt;
SELECT id, ltrim(t, 'the'), rtrim(t, 'xo '), rtrim(c), btrim(v) FROM txt;
SELECT id, replace(t, 'o', '0'), replace(t, 'quick', ''), replace(t, '', 'x'), replace(v, '1', 'one') FROM txt;
SELECT id, position('o' in t), strpos(t, 'fox'), strpos(t, ''), position('ü' in t) FROM txt;
SELECT id, lpad(v, 6, '*'), rpad(v, 6, 'ab'), lpad(t, 3), rpad(t, 0), lpad(t, 5, '') FROM txt;
SELECT id, reverse(t), repeat(v, 2), repeat(v, 0), repeat(v, -1) FROM txt;
SELECT id, split_part(t, ' ', 1), split_part(t, ' ', 2), split_part(t, 'o', -1) FROM txt;
SELECT id, translate(t, 'aeiou', '12345'), translate(t, 'abc', 'x') FROM txt;
SELECT id, ascii(t), ascii(c1), chr(65 + id % 26) FROM txt WHERE t <> '';
-- expect native: function md5(text) is not supported in the engine
SELECT id, md5(t), md5(v) FROM txt;
-- expect native: function "overlay"(text,text,integer,integer) is not supported in the engine
SELECT id, overlay(t placing 'XX' from 2 for 3), quote_literal(t) FROM txt;
-- expect native: function regexp_replace(text,text,text,text) is not supported in the engine
SELECT id, regexp_replace(t, 'o+', 'O', 'g') FROM txt;
-- expect native: function format(text,"any") is not supported in the engine
SELECT id, format('%s-%s', t, v) FROM txt;
-- expect native: function to_char(numeric,text) is not supported in the engine
SELECT id, to_char(n2, 'FM9990.00') FROM num;
-- expect native: a cast from character varying to character is not supported in the engine
SELECT id, t = c, c = v, t::char(10) = c FROM txt;
-- expect fallback in en_US: the engine changes the case of ASCII letters only
SELECT upper(substring(t, 1, 1)) AS k, count(*) FROM txt GROUP BY upper(substring(t, 1, 1));
SELECT substring(tc from 1 for 2) AS k, count(*), min(tc), max(tc) FROM txt GROUP BY substring(tc from 1 for 2);
SELECT length(t) AS k, count(*) FROM txt GROUP BY length(t) HAVING count(*) > 5;
SELECT c, count(*) FROM txt GROUP BY c;
SELECT v, c1, count(*) FROM txt GROUP BY v, c1;
-- expect native in en_US: aggregate min(text) under collation "default" is not supported in the engine
SELECT min(t), max(t), min(v), max(v), min(c), max(c), max(c1) FROM txt;
SELECT min(tc), max(tc), count(DISTINCT tc) FROM txt;
SELECT count(DISTINCT t), count(DISTINCT c), count(DISTINCT v) FROM txt;
SELECT DISTINCT c FROM txt;
SELECT DISTINCT trim(c) || '.' FROM txt;
SELECT id, length(t), substring(t, 1, 10), t LIKE '%0000%' FROM wide;
SELECT substring(t, 1, 3) AS k, count(*), sum(length(t)) FROM wide GROUP BY substring(t, 1, 3);
SELECT a.id, b.id FROM wide a JOIN wide b ON a.t = b.t;
SELECT count(DISTINCT t), count(DISTINCT v), max(length(v)) FROM wide;
