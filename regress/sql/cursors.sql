--
-- Cursors, subtransactions and prepared transactions over the engine: what is open ends with the (sub)transaction that opened it, and what outlives it
-- has been read before.
--
SET search_path = fast, public;
CREATE TABLE public.rowed (id int PRIMARY KEY, k int, n numeric(10,2), t text);
INSERT INTO public.rowed SELECT g, g % 10, g * 1.25, 'row ' || g FROM generate_series(1, 30000) g;
VACUUM ANALYZE public.rowed;
IMPORT FOREIGN SCHEMA public LIMIT TO (rowed) FROM SERVER fusion INTO fast;
SET fusion.force = on;
SET fusion.fallback = off;
SELECT route FROM fusion.explain_route('SELECT id, n FROM rowed WHERE k = 3 ORDER BY id');

-- Queries of this session that the engine has open; it learns of an end by a message, which takes a moment.
CREATE FUNCTION still_open() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    open int;
BEGIN
    FOR attempt IN 1..100 LOOP
        SELECT queries INTO open FROM fusion.stat_engine;
        EXIT WHEN open = 0;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN open;
END $$;
-- Whether it has one open now. A result that is larger than what is held back before the first row keeps it open.
CREATE FUNCTION is_open() RETURNS bool LANGUAGE sql AS 'SELECT queries > 0 FROM fusion.stat_engine';
-- Reads a cursor to its end: so many rows were left.
CREATE FUNCTION rest_of(c refcursor) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    r record;
    rows int := 0;
BEGIN
    LOOP
        FETCH c INTO r;
        EXIT WHEN NOT FOUND;
        rows := rows + 1;
    END LOOP;
    RETURN rows;
END $$;

-- SCROLL: backwards, to a place, again from the start.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, n FROM rowed WHERE k = 3 ORDER BY id;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH LAST FROM c;
FETCH ABSOLUTE 2 FROM c;
FETCH RELATIVE -1 FROM c;
FETCH PRIOR FROM c;
FETCH NEXT FROM c;
MOVE ABSOLUTE 2999 IN c;
FETCH ALL FROM c;
FETCH BACKWARD 2 FROM c;
COMMIT;
SELECT still_open();
-- Without it only forwards, as for any plan that cannot be read backwards.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM rowed WHERE k = 3 ORDER BY id;
FETCH 2 FROM c;
SAVEPOINT s;
FETCH BACKWARD 1 FROM c;
ROLLBACK TO s;
COMMIT;

-- WITH HOLD: read to its end at commit, of the snapshot of its declaration; after that the engine is not needed any more.
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT id, n, repeat(t, 20) FROM rowed ORDER BY id;
DECLARE back SCROLL CURSOR WITH HOLD FOR SELECT id FROM rowed WHERE k = 7 ORDER BY id DESC;
MOVE 5 FROM held;
UPDATE public.rowed SET n = -1;
SELECT is_open();
COMMIT;
SELECT still_open();
SELECT pid AS engine FROM fusion.stat_engine \gset
COPY (SELECT pid FROM fusion.stat_engine) TO PROGRAM 'read pid; kill -9 $pid';
FETCH FORWARD 1 FROM held;
MOVE FORWARD ALL FROM held;
FETCH 2 FROM back;
FETCH ABSOLUTE -1 FROM back;
FETCH PRIOR FROM back;
CLOSE held;
CLOSE back;
DO $$
BEGIN
    FOR attempt IN 1..100 LOOP
        EXIT WHEN EXISTS (SELECT FROM fusion.stat_engine);
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
SELECT pid <> :engine AS another_engine FROM fusion.stat_engine;
UPDATE public.rowed SET n = id * 1.25;
SELECT count(*), sum(n) FROM rowed;
-- WITH HOLD whose query fails when it is read at commit: the commit fails, and nothing of the transaction stays.
BEGIN;
INSERT INTO public.rowed VALUES (30001, 0, 0, 'gone');
DECLARE held CURSOR WITH HOLD FOR SELECT id, 1 / (id - 30001) FROM rowed ORDER BY id;
COMMIT;
SELECT count(*) FROM rowed;
FETCH 1 FROM held;
SELECT still_open();

-- A cursor of a subtransaction that is rolled back is gone, with its query in the engine; one from before lives on.
BEGIN;
DECLARE outside NO SCROLL CURSOR FOR SELECT id, repeat(t, 20) FROM rowed;
MOVE 1 FROM outside;
SAVEPOINT s;
DECLARE inside NO SCROLL CURSOR FOR SELECT id, repeat(t, 30) FROM rowed;
MOVE 1 FROM inside;
SELECT queries FROM fusion.stat_engine;
ROLLBACK TO s;
FETCH 1 FROM inside;
ROLLBACK TO s;
DO $$
BEGIN
    FOR attempt IN 1..100 LOOP
        EXIT WHEN EXISTS (SELECT FROM fusion.stat_engine WHERE queries = 1);
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT queries FROM fusion.stat_engine;
SELECT rest_of('outside');
-- A cursor from before that the subtransaction has read on stays where it is.
DECLARE counted NO SCROLL CURSOR FOR SELECT id FROM rowed ORDER BY id;
SAVEPOINT t;
FETCH 2 FROM counted;
ROLLBACK TO t;
FETCH 1 FROM counted;
-- Also where its pages are still being read, and its query began in the subtransaction.
DECLARE large NO SCROLL CURSOR FOR SELECT id, repeat(t, 20) FROM rowed;
SAVEPOINT t;
MOVE 1 FROM large;
SELECT 1 / 0;
ROLLBACK TO t;
SELECT rest_of('large');
RELEASE s;
-- One opened in a subtransaction that was released is the transaction's.
SAVEPOINT u;
DECLARE released NO SCROLL CURSOR FOR SELECT id FROM rowed ORDER BY id DESC;
RELEASE u;
FETCH 1 FROM released;
COMMIT;
SELECT still_open();

-- Errors in the engine inside exception blocks, before and after rows have gone out, with a loop over the engine around them.
DO $$
DECLARE
    r record;
    total bigint := 0;
    caught text[] := '{}';
BEGIN
    FOR r IN SELECT id, k FROM fast.rowed WHERE id <= 3 ORDER BY id LOOP
        BEGIN
            PERFORM 1 / (id - 20000 - r.id) FROM fast.rowed;
        EXCEPTION WHEN division_by_zero THEN
            caught := caught || (r.id || ': ' || SQLERRM);
        END;
        BEGIN
            INSERT INTO public.rowed SELECT id + 100000, k, n, t FROM fast.rowed WHERE k = r.k;
            SELECT count(*) INTO STRICT total FROM fast.rowed;
            RAISE EXCEPTION 'undo';
        EXCEPTION WHEN raise_exception THEN
            caught := caught || (r.id || ': ' || total);
        END;
    END LOOP;
    SELECT count(*) INTO total FROM fast.rowed;
    RAISE NOTICE '% %', caught, total;
END $$;
-- The error of a subtransaction leaves the outer cursor, which is half read, as it was.
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id, repeat(t, 20) FROM rowed;
MOVE 1000 FROM c;
DO $$
BEGIN
    PERFORM i4 * i4 FROM fast.numbers;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RAISE NOTICE '%', SQLERRM;
END $$;
SELECT rest_of('c');
COMMIT;
-- A procedure that commits while its loop reads from the engine: the loop's cursor is held.
CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$
DECLARE
    r record;
    seen int := 0;
BEGIN
    FOR r IN SELECT id FROM fast.rowed WHERE k = 1 LOOP
        seen := seen + 1;
        IF seen % 1000 = 0 THEN
            UPDATE public.rowed SET n = n + 1 WHERE id = r.id;
            COMMIT;
        END IF;
    END LOOP;
    RAISE NOTICE 'seen: %', seen;
END $$;
CALL committing();
SELECT count(*) FROM rowed WHERE n <> id * 1.25;

-- Prepared transactions: nothing of the engine is held, and its outcome decides what is seen.
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id, repeat(t, 20) FROM rowed;
MOVE 1 FROM c;
DELETE FROM public.rowed WHERE k = 5;
SELECT count(*) FROM rowed;
PREPARE TRANSACTION 'cursors';
SELECT still_open();
SELECT count(*) FROM rowed;
ROLLBACK PREPARED 'cursors';
BEGIN;
DELETE FROM public.rowed WHERE k = 5;
INSERT INTO public.rowed SELECT id + 200000, k, n, t FROM rowed WHERE k = 6;
PREPARE TRANSACTION 'cursors';
SELECT count(*) FROM rowed;
COMMIT PREPARED 'cursors';
SELECT count(*) FROM rowed;
SELECT same('SELECT k, count(*), sum(n) FROM rowed GROUP BY k');
-- One with a held cursor cannot be prepared, by PostgreSQL's own rule.
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM rowed;
PREPARE TRANSACTION 'cursors';
SELECT still_open();
SELECT count(*) FROM pg_prepared_xacts;
DROP PROCEDURE committing;
DROP FUNCTION still_open, is_open, rest_of;
DROP FOREIGN TABLE rowed;
DROP TABLE public.rowed;
