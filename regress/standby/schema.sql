-- Of the standby suite: a table that the primary writes to, some chunks large.
CREATE TABLE heap.written (id int PRIMARY KEY, k int, n numeric(10,2), t text) WITH (fillfactor = 40);
INSERT INTO heap.written SELECT g, g % 10, g / 4.0, repeat('row ' || g, 3) FROM generate_series(1, 30000) g;
VACUUM (ANALYZE) heap.written;
IMPORT FOREIGN SCHEMA heap LIMIT TO (written) FROM SERVER fusion INTO fast;
