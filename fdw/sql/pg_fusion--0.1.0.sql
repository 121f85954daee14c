-- Objects of pg_fusion, in the schema fusion that the control file makes.
\echo Use "CREATE EXTENSION pg_fusion" to load this file. \quit

CREATE FUNCTION fusion_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME', 'fusion_fdw_handler_wrapper'
LANGUAGE C STRICT;

COMMENT ON FUNCTION fusion_fdw_handler() IS 'foreign-data wrapper that runs queries on heap relations in the fusion engine';

CREATE FUNCTION fusion_fdw_validator(options text[], catalog oid)
RETURNS void
AS 'MODULE_PATHNAME', 'fusion_fdw_validator_wrapper'
LANGUAGE C STRICT;

COMMENT ON FUNCTION fusion_fdw_validator(text[], oid) IS 'checks the options of fusion tables and their columns';

CREATE FOREIGN DATA WRAPPER fusion_fdw
    HANDLER fusion_fdw_handler
    VALIDATOR fusion_fdw_validator;

COMMENT ON FOREIGN DATA WRAPPER fusion_fdw IS 'live heap relations of this database, read by the fusion engine';

CREATE SERVER fusion FOREIGN DATA WRAPPER fusion_fdw;

COMMENT ON SERVER fusion IS 'the fusion engine of this cluster';

-- Everyone may make fusion tables. Nobody sees more by it: reading a fusion table needs SELECT on the heap relation as
-- well, checked for the one who reads, and row security of the heap relation applies. The server reaches nothing but
-- this database.
GRANT USAGE ON FOREIGN SERVER fusion TO PUBLIC;

GRANT USAGE ON SCHEMA fusion TO PUBLIC;

CREATE FUNCTION version()
RETURNS text
AS 'MODULE_PATHNAME', 'fusion_version_wrapper'
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION version() IS 'version of the pg_fusion library that this session has loaded';

-- Plans the query as this session would, under the rights of the caller, and does not run it.
CREATE FUNCTION explain_route(query text, OUT route text, OUT reason text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'fusion_explain_route_wrapper'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED
ROWS 1;

COMMENT ON FUNCTION explain_route(text) IS 'where a query would run, engine or PostgreSQL, and why';

CREATE FUNCTION stat_engine(
    OUT pid integer,
    OUT started_at timestamptz,
    OUT version text,
    OUT restarts integer,
    OUT last_end text,
    OUT sessions integer,
    OUT queries integer,
    OUT waiting integer,
    OUT queries_total bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'fusion_stat_engine_wrapper'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED
ROWS 1;

COMMENT ON FUNCTION stat_engine() IS 'state of the fusion engine; no row when it cannot be reached';

CREATE VIEW stat_engine AS SELECT * FROM stat_engine();

COMMENT ON VIEW stat_engine IS 'state of the fusion engine; no row when it cannot be reached';
COMMENT ON COLUMN stat_engine.pid IS 'operating-system process id';
COMMENT ON COLUMN stat_engine.started_at IS 'when this engine process started';
COMMENT ON COLUMN stat_engine.version IS 'version of the engine';
COMMENT ON COLUMN stat_engine.restarts IS 'how many engine processes its supervisor ran before it';
COMMENT ON COLUMN stat_engine.last_end IS 'how the engine process before it ended';
COMMENT ON COLUMN stat_engine.sessions IS 'sessions connected to the engine, this one included';
COMMENT ON COLUMN stat_engine.queries IS 'queries that run now, or wait';
COMMENT ON COLUMN stat_engine.waiting IS 'queries that wait because fusion.max_queries run';
COMMENT ON COLUMN stat_engine.queries_total IS 'queries run since the engine started';

GRANT SELECT ON stat_engine TO PUBLIC;

-- Shows queries of roles that the caller is a member of; all to members of pg_read_all_stats.
CREATE FUNCTION stat_activity(
    OUT pid integer,
    OUT datid oid,
    OUT usesysid oid,
    OUT started_at timestamptz,
    OUT state text,
    OUT memory bigint,
    OUT pages bigint,
    OUT rows_decoded bigint,
    OUT rows_returned bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'fusion_stat_activity_wrapper'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED
ROWS 100;

COMMENT ON FUNCTION stat_activity() IS 'queries that run in the fusion engine, or wait to; no row when it cannot be reached';

CREATE VIEW stat_activity AS
    SELECT a.pid, d.datname, r.rolname AS usename, a.started_at, a.state, a.memory, a.pages, a.rows_decoded, a.rows_returned, s.query
    FROM stat_activity() a
    LEFT JOIN pg_catalog.pg_database d ON d.oid = a.datid
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
    LEFT JOIN pg_catalog.pg_stat_activity s ON s.pid = a.pid;

COMMENT ON VIEW stat_activity IS 'queries that run in the fusion engine, or wait to; no row when it cannot be reached';
COMMENT ON COLUMN stat_activity.pid IS 'process id of the backend';
COMMENT ON COLUMN stat_activity.datname IS 'database of the backend';
COMMENT ON COLUMN stat_activity.usename IS 'role under whose rights the query runs';
COMMENT ON COLUMN stat_activity.started_at IS 'when the engine took the query';
COMMENT ON COLUMN stat_activity.state IS 'active, or waiting because fusion.max_queries run';
COMMENT ON COLUMN stat_activity.memory IS 'bytes of the engine''s memory that the query has taken';
COMMENT ON COLUMN stat_activity.pages IS 'heap pages that were sent to the engine for it';
COMMENT ON COLUMN stat_activity.rows_decoded IS 'rows that were decoded from them';
COMMENT ON COLUMN stat_activity.rows_returned IS 'rows that the engine has sent back';
COMMENT ON COLUMN stat_activity.query IS 'statement of the backend, as pg_stat_activity shows it';

GRANT SELECT ON stat_activity TO PUBLIC;

-- Reads under the rights of the caller, who needs SELECT on the columns.
CREATE FUNCTION prewarm(relation regclass, columns text[] DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'fusion_prewarm_wrapper'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION prewarm(regclass, text[]) IS 'reads columns of a relation into the column cache; returns how many pages were decoded';

-- NULL, everything of this database, is for superusers.
CREATE FUNCTION cache_evict(relation regclass DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'fusion_cache_evict_wrapper'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION cache_evict(regclass) IS 'throws the cached columns of a relation out; returns their bytes';

-- Shows relations that the caller may read; all to members of pg_read_all_stats.
CREATE FUNCTION stat_cache(
    OUT relation regclass,
    OUT attnum smallint,
    OUT bytes bigint,
    OUT chunks bigint,
    OUT hits bigint,
    OUT patches bigint,
    OUT misses bigint,
    OUT blocks_decoded bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'fusion_stat_cache_wrapper'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED
ROWS 100;

COMMENT ON FUNCTION stat_cache() IS 'columns in the column cache; no row when the engine cannot be reached';

CREATE VIEW stat_cache AS
    SELECT c.relation, a.attname AS "column", c.bytes, c.chunks, c.hits, c.patches, c.misses, c.blocks_decoded
    FROM stat_cache() c
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.relation AND a.attnum = c.attnum AND c.attnum > 0;

COMMENT ON VIEW stat_cache IS 'columns of this database in the column cache, and what was done for them since the engine started';
COMMENT ON COLUMN stat_cache.relation IS 'heap relation';
COMMENT ON COLUMN stat_cache."column" IS 'column; NULL: the rows alone, as count(*) needs them';
COMMENT ON COLUMN stat_cache.bytes IS 'bytes in the cache';
COMMENT ON COLUMN stat_cache.chunks IS 'chunks of 128 blocks in the cache';
COMMENT ON COLUMN stat_cache.hits IS 'chunks that were served as they were';
COMMENT ON COLUMN stat_cache.patches IS 'chunks of which changed blocks alone were decoded again';
COMMENT ON COLUMN stat_cache.misses IS 'chunks that were decoded whole';
COMMENT ON COLUMN stat_cache.blocks_decoded IS 'blocks that were decoded';

GRANT SELECT ON stat_cache TO PUBLIC;
