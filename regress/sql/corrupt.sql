--
-- Damaged heap pages: the engine gives what PostgreSQL gives, rows or error, or says XX001 where PostgreSQL reads on without a look; never
-- other rows, and no process ends. Runs on a server of its own, with data checksums and 1 MB of shared buffers.
--
CREATE EXTENSION pg_fusion;
CREATE SCHEMA fast;
SHOW data_checksums;
SET client_min_messages = error;
SET max_parallel_workers_per_gather = 0;

-- Tuples of fixed form. One table is as it was written; the pages of the others are marked all-visible, which is another way through our reader.
CREATE TABLE written (id int, k int, t text, n numeric(10,2)) WITH (autovacuum_enabled = off);
INSERT INTO written SELECT g, g % 7, 'text ' || lpad(g::text, 5, '0'), g + 0.25 FROM generate_series(1, 1000) g;
CREATE TABLE settled (LIKE written) WITH (autovacuum_enabled = off);
INSERT INTO settled SELECT * FROM written;
-- A value compressed in line, and one out of line.
CREATE TABLE packed (id int, c text COMPRESSION pglz) WITH (autovacuum_enabled = off);
ALTER TABLE packed ALTER COLUMN c SET STORAGE MAIN;
INSERT INTO packed SELECT g, repeat('packed ' || g || ' ', 500) FROM generate_series(1, 300) g;
CREATE TABLE outside (id int, o text) WITH (autovacuum_enabled = off);
ALTER TABLE outside ALTER COLUMN o SET STORAGE EXTERNAL;
INSERT INTO outside SELECT g, repeat('outside ' || g || ' ', 500) FROM generate_series(1, 200) g;
VACUUM ANALYZE settled, packed, outside;
ANALYZE written;
CHECKPOINT;

CREATE FUNCTION file_of(relation regclass, fork text = '') RETURNS text LANGUAGE sql AS
$$ SELECT current_setting('data_directory') || '/' || pg_relation_filepath(relation) || fork $$;

-- Where a tuple of block 1 begins in the file; at 0 the block itself.
CREATE FUNCTION place_of(relation regclass, line int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    page bytea := pg_read_binary_file(file_of(relation), 8192, 8192);
BEGIN
    RETURN CASE line WHEN 0 THEN 8192
        ELSE 8192 + get_byte(page, 20 + 4 * line) + 256 * (get_byte(page, 21 + 4 * line) & 127) END;
END $$;

CREATE FUNCTION shell(command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'cat > /dev/null; ' || command);
END $$;

-- Writes bytes into a file.
CREATE FUNCTION patch(file text, place int, bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    octal text := '';
BEGIN
    FOR i IN 0 .. length(bytes) - 1 LOOP
        octal := octal || format('\%s%s%s', get_byte(bytes, i) / 64, get_byte(bytes, i) / 8 % 8, get_byte(bytes, i) % 8);
    END LOOP;
    PERFORM shell(format('printf ''%s'' | dd conv=notrunc bs=1 seek=%s of=%s 2>/dev/null', octal, place, file));
END $$;

-- The rows of a query as one text, or its SQLSTATE.
CREATE FUNCTION outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    rows text[] := '{}';
BEGIN
    IF current_setting('fusion.enabled')::bool THEN
        SELECT route INTO r FROM fusion.explain_route(query);
        IF r.route <> 'engine' THEN
            RETURN 'NOT IN THE ENGINE';
        END IF;
    END IF;
    FOR r IN EXECUTE query LOOP
        rows := rows || r::text;
    END LOOP;
    RETURN CASE WHEN cardinality(rows) = 1 THEN rows[1]
        ELSE cardinality(rows) || ' rows ' || md5((SELECT coalesce(string_agg(row, ' ' ORDER BY row), '') FROM unnest(rows) row)) END;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;

CREATE FUNCTION set_mode(mode text) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('fusion.enabled', CASE mode WHEN 'native' THEN 'off' ELSE 'on' END, false),
        set_config('fusion.force', 'on', false), set_config('fusion.fallback', CASE mode WHEN 'engine' THEN 'off' ELSE 'on' END, false);
$$;

CREATE TABLE found (n serial, source text, damage text, query text, way text, outcome text);

-- Damages a copy of a table and reads it, each way a fresh copy that no buffer knows: natively, in the engine alone, and as a user does. Natively not
-- where PostgreSQL itself would read memory that is not the page's.
CREATE PROCEDURE damage(of regclass, what text, line int, place int, bytes bytea, natively bool = true, command text = NULL) LANGUAGE plpgsql AS $$
DECLARE
    this_way text;
    columns text;
BEGIN
    FOREACH this_way IN ARRAY CASE WHEN natively THEN '{native,engine,routed}'::text[] ELSE '{engine}' END LOOP
        EXECUTE format('CREATE TABLE damaged (LIKE %s)', of);
        EXECUTE 'IMPORT FOREIGN SCHEMA public LIMIT TO (damaged) FROM SERVER fusion INTO fast';
        COMMIT;
        PERFORM shell(format('cp %s %s', file_of(of), file_of('damaged')));
        IF bytes IS NOT NULL THEN
            PERFORM patch(file_of('damaged'), place_of(of, line) + place, bytes);
        END IF;
        IF command IS NOT NULL THEN
            PERFORM shell(format(command, file_of('damaged')));
        END IF;
        PERFORM set_mode(this_way);
        FOREACH columns IN ARRAY '{*,count(*),id}'::text[] LOOP
            INSERT INTO found (source, damage, query, way, outcome)
                VALUES (of, what, columns, this_way, outcome(format('SELECT %s FROM fast.damaged', columns)));
        END LOOP;
        DROP FOREIGN TABLE fast.damaged;
        DROP TABLE damaged;
        COMMIT;
    END LOOP;
END $$;

-- Every kind of damage. The hexadecimal bytes are of little-endian machines, as the engine's are.
CREATE PROCEDURE damage_all(sources regclass[]) LANGUAGE plpgsql AS $$
DECLARE
    source regclass;
BEGIN
    TRUNCATE found;
    FOREACH source IN ARRAY sources LOOP
        CALL damage(source, 'none', 0, 0, NULL);
        CALL damage(source, 'a digit of text', 3, 38, '\x39');
        CALL damage(source, 'text that is not UTF-8', 3, 38, '\xff');
        CALL damage(source, 'a header flag', 0, 10, '\xff');
        CALL damage(source, 'pd_lower behind the page', 0, 12, '\xffff');
        CALL damage(source, 'pd_lower at the header', 0, 12, '\x1800');
        CALL damage(source, 'pd_lower within a line pointer', 0, 12, '\x2300');
        CALL damage(source, 'pd_upper behind pd_special', 0, 14, '\x0820');
        CALL damage(source, 'pd_special not aligned', 0, 16, '\xf71f');
        CALL damage(source, 'another page version', 0, 18, '\x0320');
        CALL damage(source, 'page of zeros', 0, 0, NULL, true, 'dd conv=notrunc bs=8192 seek=1 count=1 if=/dev/zero of=%s 2>/dev/null');
        CALL damage(source, 'page of ones', 0, 0, NULL, true,
            'tr ''\000'' ''\377'' < /dev/zero | dd conv=notrunc iflag=fullblock bs=8192 seek=1 count=1 of=%s 2>/dev/null');
        CALL damage(source, 'line pointer unused', 0, 24, '\x00000000');
        CALL damage(source, 'line pointer dead', 0, 24, '\x00800100');
        CALL damage(source, 'line pointer to itself', 0, 24, '\x01000100');
        CALL damage(source, 'line pointer into the header', 0, 24, '\x08807000', false);
        CALL damage(source, 'line pointer behind the page', 0, 24, '\xf8ff7000', false);
        CALL damage(source, 'line pointer not aligned', 0, 24, '\x419f7000', false);
        CALL damage(source, 'line pointer without length', 0, 24, '\x789f0000', false);
        CALL damage(source, 'fewer attributes', 3, 18, '\x0200');
        CALL damage(source, 'more attributes', 3, 18, '\xff07');
        CALL damage(source, 't_hoff 32', 3, 22, '\x20');
        CALL damage(source, 't_hoff 0', 3, 22, '\x00', false);
        CALL damage(source, 't_hoff 255', 3, 22, '\xff', false);
        CALL damage(source, 'NULL bits that are none', 3, 20, '\x0309');
        CALL damage(source, 'a short value that ends beyond its tuple', 3, 32, '\xff', false);
        CALL damage(source, 'a long value that ends beyond its page', 3, 32, '\x00000000fcffff7f', false);
        CALL damage(source, 'a numeric of another scale', 3, 44, '\x8082');
        CALL damage(source, 'a numeric that is none', 3, 44, '\x00c0');
        CALL damage(source, 'file cut after a block', 0, 0, NULL, true, 'truncate -s 8192 %s');
        CALL damage(source, 'file cut within a block', 0, 0, NULL, true, 'truncate -s 20000 %s');
        CALL damage(source, 'file empty', 0, 0, NULL, true, 'truncate -s 0 %s');
        CALL damage(source, 'file gone', 0, 0, NULL, true, 'rm %s');
    END LOOP;
END $$;
CREATE PROCEDURE damage_values() LANGUAGE plpgsql AS $$
BEGIN
    CALL damage('packed', 'none', 0, 0, NULL);
    CALL damage('packed', 'compressed bytes', 3, 40, '\xffffffffffffffff');
    CALL damage('packed', 'raw size too large', 3, 32, '\x00ffff00');
    CALL damage('packed', 'raw size too small', 3, 32, '\x10000000');
    CALL damage('packed', 'another method', 3, 35, '\x80');
    CALL damage('packed', 'compressed value that ends beyond its page', 3, 28, '\xfeffff7f', false);
    CALL damage('outside', 'none', 0, 0, NULL);
    CALL damage('outside', 'another value', 3, 38, '\xffffff7f');
    CALL damage('outside', 'a larger value', 3, 34, '\x00ffff00');
    CALL damage('outside', 'another relation', 3, 42, '\xffffff7f');
    CALL damage('outside', 'pointer into memory', 3, 29, '\x01', false);
    CALL damage('outside', 'pointer to an expanded object', 3, 29, '\x02', false);
    CALL damage('outside', 'pointer of no kind', 3, 29, '\x63', false);
    CALL damage('outside', 'pointer without its flag', 3, 20, '\x02');
END $$;

-- What is damaged without a rule being broken is given as it is; the engine may refuse more than PostgreSQL, and then says so.
CREATE VIEW findings AS
SELECT source, damage, string_agg(format('%s: %s', query, CASE WHEN native IS NULL THEN regexp_replace(engine, ' rows.*', ' rows')
    ELSE regexp_replace(native, ' rows.*', ' rows') || CASE
        WHEN engine = native THEN '' WHEN engine ~ '^(XX001|22000|22021)$' THEN ', engine ' || engine ELSE ', DIFFERENT IN THE ENGINE ' || engine END
        || CASE WHEN routed = native THEN '' ELSE ', DIFFERENT ' || routed END END), '; ' ORDER BY n) AS outcome
FROM (SELECT source, damage, query, min(n) AS n, max(outcome) FILTER (WHERE way = 'native') AS native,
        max(outcome) FILTER (WHERE way = 'engine') AS engine, max(outcome) FILTER (WHERE way = 'routed') AS routed
    FROM found GROUP BY source, damage, query) f
GROUP BY source, damage ORDER BY min(n);

-- With checksums, every change of a byte is an error.
CALL damage_all('{written}');
SELECT DISTINCT damage, outcome FROM found WHERE outcome <> 'XX001' AND damage !~ '^(none|file|page of zeros)' ORDER BY 1;

-- Without: only what contradicts the page header is.
SET ignore_checksum_failure = on;
CALL damage_all('{written,settled}');
CALL damage_values();
SELECT * FROM findings;
RESET ignore_checksum_failure;

-- Pages that are given up for empty ones.
SET zero_damaged_pages = on;
CALL damage('written', 'zeroed', 3, 38, '\x39');
CALL damage('settled', 'zeroed', 0, 12, '\xffff');
SELECT * FROM findings WHERE damage = 'zeroed';
RESET zero_damaged_pages;

-- Damage under a warm column cache. What the visibility map proves is not read again: the rows are those from before, as of an index-only scan.
CREATE TABLE other (id int PRIMARY KEY, t text) WITH (autovacuum_enabled = off);
INSERT INTO other SELECT g, repeat('o', 1000) FROM generate_series(1, 4000) g;
VACUUM ANALYZE other;
-- Every page comes through the shared buffers, again and again, until no other is left there.
CREATE FUNCTION forget_buffers() RETURNS bool LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    FOR i IN 1..8 LOOP
        PERFORM sum(length(t)) FROM public.other WHERE id > 0;
    END LOOP;
    RETURN true;
END $$;
CREATE FUNCTION warm(query text, OUT native text, OUT engine text, OUT routed text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_mode('engine');
    engine := outcome(query);
    PERFORM set_mode('routed');
    routed := outcome(query);
    PERFORM forget_buffers(), set_mode('native');
    native := outcome(query);
END $$;
SELECT set_mode('engine');
SET synchronous_commit = on;
CREATE TABLE proven (LIKE written) WITH (autovacuum_enabled = off);
INSERT INTO proven SELECT * FROM written;
CREATE TABLE touched (LIKE written) WITH (autovacuum_enabled = off);
INSERT INTO touched SELECT * FROM written;
CREATE TABLE shorter (LIKE written) WITH (autovacuum_enabled = off);
INSERT INTO shorter SELECT * FROM written;
CREATE TABLE mapless (LIKE written) WITH (autovacuum_enabled = off);
INSERT INTO mapless SELECT * FROM written;
VACUUM ANALYZE proven, touched, shorter, mapless;
IMPORT FOREIGN SCHEMA public LIMIT TO (proven, touched, shorter, mapless) FROM SERVER fusion INTO fast;
SELECT outcome('SELECT * FROM fast.proven') = outcome('SELECT * FROM fast.touched') AND outcome('SELECT * FROM fast.shorter') = outcome('SELECT * FROM fast.mapless') AS filled;
SELECT outcome('SELECT * FROM fast.proven') AS sound \gset
-- One row of the damaged block is updated: the map does not vouch for it any more.
UPDATE touched SET k = 7 WHERE id = 200;
CHECKPOINT;
SELECT forget_buffers();
SELECT patch(file_of('proven'), place_of('proven', 3) + 38, '\x39'), patch(file_of('touched'), place_of('touched', 3) + 38, '\x39'),
    shell('truncate -s 16384 ' || file_of('shorter')), patch(file_of('mapless', '_vm'), 24, '\xaaaaaaaa');
SELECT native, engine = :'sound' AS engine_as_before, routed = :'sound' AS routed_as_before FROM warm('SELECT * FROM fast.proven');
SELECT * FROM warm('SELECT * FROM fast.touched');
SELECT engine = native AS engine, routed = native AS routed, native <> :'sound' AS shorter FROM warm('SELECT * FROM fast.shorter');
SELECT engine = native AS engine, routed = native AS routed, native = :'sound' AS sound FROM warm('SELECT * FROM fast.mapless');
-- Once the cache is empty there is nothing to go by.
SELECT fusion.cache_evict('proven') > 0 AS evicted;
SELECT forget_buffers();
SELECT * FROM warm('SELECT * FROM fast.proven');
-- One and the same engine, and nothing has restarted.
SELECT restarts FROM fusion.stat_engine;
