--
-- The surroundings that every other test counts on.
--
SELECT getdatabaseencoding();
SELECT datcollate, datctype FROM pg_database WHERE datname = current_database();
SELECT current_setting('DateStyle'), current_setting('IntervalStyle');
