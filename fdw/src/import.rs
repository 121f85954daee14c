//! IMPORT FOREIGN SCHEMA: one CREATE FOREIGN TABLE per heap relation of a schema.
//!
//! Tables, partitioned tables (as one; partitions only where LIMIT TO names them) and materialized views. Whatever the engine makes of a
//! column's type, the column is imported: types that it does not know travel as they are.

use crate::error::{OrRaise, Result};
use crate::options::{SCHEMA_NAME, TABLE_NAME};
use crate::pg::{catalog, planner};
use fusion_common::{SqlError, SqlState};
use pgrx::PgList;
use pgrx::spi::Spi;
use pgrx::{datum::DatumWithOid, pg_guard, pg_sys};

/// One row per relation: the statement that makes its fusion table. $1: schema, $2: names of LIMIT TO or EXCEPT, $3: 'all', 'limit' or
/// 'except', $4: server, $5 and $6: names of the options.
const STATEMENTS: &str = r#"
SELECT pg_catalog.format('CREATE FOREIGN TABLE %I (%s) SERVER %I OPTIONS (%I %L, %I %L)',
         c.relname,
         (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ',
                   pg_catalog.quote_ident(a.attname),
                   pg_catalog.format_type(a.atttypid, a.atttypmod),
                   CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
                        THEN 'COLLATE ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(co.collname) END,
                   CASE WHEN a.attnotnull THEN 'NOT NULL' END), ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = co.collnamespace
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
         $4, $5, s.nspname, $6, c.relname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
 WHERE s.nspname = $1
   AND c.relkind IN ('r', 'p', 'm')
   AND (c.relkind = 'p' OR am.amname = 'heap')
   AND CASE $3 WHEN 'limit' THEN c.relname = ANY ($2)
               WHEN 'except' THEN NOT c.relispartition AND c.relname <> ALL ($2)
               ELSE NOT c.relispartition END
 ORDER BY c.relname"#;

fn statements(stmt: &pg_sys::ImportForeignSchemaStmt) -> Result<Vec<String>> {
    // SAFETY: strings and lists of a parsed statement.
    let (server, schema) = unsafe { (catalog::string(stmt.server_name), catalog::string(stmt.remote_schema)) };
    // SAFETY: as above; the elements of options are DefElem, those of table_list RangeVar.
    let (options, tables) = unsafe {
        (
            PgList::<pg_sys::DefElem>::from_pg(stmt.options),
            PgList::<pg_sys::RangeVar>::from_pg(stmt.table_list)
                .iter_ptr()
                .map(|table| catalog::string((*table).relname))
                .collect::<Vec<_>>(),
        )
    };
    if let Some(option) = options.get_ptr(0) {
        // SAFETY: an element of the list above.
        let name = unsafe { catalog::string((*option).defname) };
        return Err(SqlError::new(SqlState::FDW_INVALID_OPTION_NAME, format!("invalid option \"{name}\""))
            .with_hint("There are no valid options for IMPORT FOREIGN SCHEMA from a fusion server."));
    }
    if !catalog::schema_exists(&schema) {
        return Err(SqlError::new(SqlState(*b"3F000"), format!("schema \"{schema}\" does not exist")));
    }
    let mode = match stmt.list_type {
        pg_sys::ImportForeignSchemaType::FDW_IMPORT_SCHEMA_LIMIT_TO => "limit",
        pg_sys::ImportForeignSchemaType::FDW_IMPORT_SCHEMA_EXCEPT => "except",
        _ => "all",
    };
    let args: Vec<DatumWithOid> =
        vec![schema.into(), tables.into(), mode.into(), server.into(), SCHEMA_NAME.into(), TABLE_NAME.into()];
    let listed: Result<Vec<String>, pgrx::spi::Error> = Spi::connect(|client| {
        client.select(STATEMENTS, None, &args)?.map(|row| Ok(row.get::<String>(1)?.unwrap_or_default())).collect()
    });
    listed.map_err(|error| SqlError::internal(format!("could not list the schema: {error}")))
}

/// `ImportForeignSchema` of the wrapper.
#[pg_guard]
pub unsafe extern "C-unwind" fn import_foreign_schema(
    stmt: *mut pg_sys::ImportForeignSchemaStmt,
    _server: pg_sys::Oid,
) -> *mut pg_sys::List {
    // SAFETY: PostgreSQL passes a valid statement.
    let statements = statements(unsafe { &*stmt }).or_raise();
    let mut list = PgList::<std::ffi::c_char>::new();
    for statement in statements {
        // The list's elements are plain C strings that PostgreSQL parses.
        list.push(planner::c_string(&statement));
    }
    list.into_pg()
}
