-- The engine process seen from SQL: fusion.stat_engine, its supervisor, and the settings of both.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_fusion;
RESET client_min_messages;

-- What a session sees of the engine. The values differ from run to run, their relations do not.
SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a
WHERE a.attrelid = 'fusion.stat_engine'::regclass AND a.attnum > 0
ORDER BY a.attnum;
SELECT pid > 0 AS pid, started_at < clock_timestamp() AS started, version = fusion.version() AS same_version,
       restarts >= 0 AS restarts, sessions >= 1 AS sessions, queries >= 0 AS queries, queries_total >= 0 AS total
FROM fusion.stat_engine;
SELECT count(*) > 0 AS supervisor FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor';

-- Where memory runs out, the kernel is to choose the engine.
SELECT trim(E'\n' FROM pg_read_file('/proc/' || pid || '/oom_score_adj')) AS oom_score_adj FROM fusion.stat_engine;

-- One engine for all sessions.
SELECT pid AS engine_pid FROM fusion.stat_engine \gset
\c -
SELECT pid = :engine_pid AS same_engine FROM fusion.stat_engine;

-- An engine whose supervisor ends is replaced, and a session finds the new one by itself.
SELECT bool_and(pg_terminate_backend(pid, 10000)) IS NOT FALSE AS ended
FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor';
SELECT pid = :engine_pid AS same_engine FROM fusion.stat_engine;

-- A program that is not there: no engine, no row, no error.
ALTER SYSTEM SET fusion.engine_path = '/nowhere/pg_fusion_engine';
SELECT pg_reload_conf();
SELECT bool_and(pg_terminate_backend(pid, 10000)) IS NOT FALSE AS ended
FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor';
SET fusion.connect_timeout = '300ms';
SELECT count(*) FROM fusion.stat_engine;
SELECT count(*) FROM fusion.stat_engine;
ALTER SYSTEM RESET fusion.engine_path;
SELECT pg_reload_conf();
SELECT bool_and(pg_terminate_backend(pid, 10000)) IS NOT FALSE AS ended
FROM pg_stat_activity WHERE backend_type = 'pg_fusion supervisor';
\c -
SELECT count(*) FROM fusion.stat_engine;

-- The settings and their ranges.
SELECT name, vartype, context, unit, boot_val, min_val, max_val
FROM pg_settings
WHERE name IN ('fusion.enabled', 'fusion.force', 'fusion.fallback', 'fusion.log_route', 'fusion.min_cost', 'fusion.session_memory',
               'fusion.connect_timeout', 'fusion.cache_size', 'fusion.engine_path', 'fusion.engine_threads', 'fusion.memory_limit')
ORDER BY name COLLATE "C";
\set VERBOSITY sqlstate
SET fusion.session_memory = '1MB';
SET fusion.min_cost = -1;
SET fusion.connect_timeout = 0;
ALTER SYSTEM SET fusion.cache_size = '15MB';
ALTER SYSTEM SET fusion.cache_size = -2;
\set VERBOSITY default
ALTER SYSTEM SET fusion.memory_limit = '256MB';
SELECT pg_reload_conf();
\c -
SELECT fusion.version() IS NOT NULL AS loaded;
ALTER SYSTEM SET fusion.cache_size = '8MB';
ALTER SYSTEM SET fusion.cache_size = '300MB';
ALTER SYSTEM SET fusion.cache_size = '200MB';
ALTER SYSTEM RESET fusion.cache_size;
ALTER SYSTEM RESET fusion.memory_limit;
SELECT pg_reload_conf();
\c -
SELECT fusion.version() IS NOT NULL AS loaded;
SET fusion.session_memory = '4MB';
SHOW fusion.session_memory;
SET fusion.min_cost = 0;
SET fusion.enabled = perhaps;
SET fusion.engine_path = '/bin/false';
SET fusion.engine_threads = 4;
SET fusion.memory_limit = '1GB';
SET fusion.no_such_setting = 1;

-- Another size of the segment is for new sessions, and the smallest one works.
SET fusion.session_memory = 2176;
SELECT count(*) FROM fusion.stat_engine;

-- Everyone may look at the engine; the path of its program is the superuser's.
CREATE ROLE regress_fusion_engine;
SET ROLE regress_fusion_engine;
SELECT count(*) FROM fusion.stat_engine;
SELECT count(*) FROM pg_settings WHERE name = 'fusion.engine_path';
RESET ROLE;
DROP ROLE regress_fusion_engine;
