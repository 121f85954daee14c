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
    OUT sessions integer,
    OUT queries integer,
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
COMMENT ON COLUMN stat_engine.sessions IS 'sessions connected to the engine, this one included';
COMMENT ON COLUMN stat_engine.queries IS 'queries that run now';
COMMENT ON COLUMN stat_engine.queries_total IS 'queries run since the engine started';

GRANT SELECT ON stat_engine TO PUBLIC;
