--
-- The surroundings that every other test counts on.
--
SELECT getdatabaseencoding();
SELECT datcollate, datctype FROM pg_database WHERE datname = current_database();
SHOW listen_addresses;
SHOW max_parallel_workers_per_gather;
SHOW autovacuum;
SELECT current_setting('DateStyle'), current_setting('IntervalStyle');
