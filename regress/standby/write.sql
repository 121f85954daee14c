-- Of the standby suite: a round of changes, of every kind that a standby replays.
UPDATE heap.written SET n = n + :round WHERE id % 50 = :round;
UPDATE heap.written SET id = id + 100000 WHERE id % 97 = :round AND id < 100000;
DELETE FROM heap.written WHERE id % 101 = :round;
INSERT INTO heap.written SELECT 200000 + :round * 1000 + g, g % 10, g, 'new' FROM generate_series(1, 500) g;
BEGIN;
UPDATE heap.written SET k = 99 WHERE id < 1000;
ROLLBACK;
VACUUM (FREEZE) heap.written;
UPDATE heap.written SET t = 'round ' || :round WHERE id % 1000 = 7;
