//! Options of fusion tables and their columns: the validator, and reading them back.
//!
//! `schema_name` and `table_name` on a foreign table, `column_name` on a column; nothing on wrapper, server and user mapping.

use crate::error::{OrRaise, Result};
use crate::pg::catalog;
use fusion_common::{Oid, SqlError, SqlState};
use pgrx::{pg_extern, pg_sys};

/// Option of a foreign table: schema of the heap relation.
pub const SCHEMA_NAME: &str = "schema_name";
/// Option of a foreign table: name of the heap relation.
pub const TABLE_NAME: &str = "table_name";
/// Option of a column: name of the heap relation's column.
pub const COLUMN_NAME: &str = "column_name";

/// Names that are valid on an object of the given catalog, with what the object is called.
fn valid_options(catalog: pg_sys::Oid) -> (&'static [&'static str], &'static str) {
    match catalog {
        pg_sys::ForeignTableRelationId => (&[SCHEMA_NAME, TABLE_NAME], "a fusion table"),
        pg_sys::AttributeRelationId => (&[COLUMN_NAME], "a column of a fusion table"),
        _ => (&[], "this object"),
    }
}

fn validate(options: &[String], catalog: pg_sys::Oid) -> Result<()> {
    let (valid, object) = valid_options(catalog);
    for option in options {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if !valid.contains(&name) {
            let hint = if valid.is_empty() {
                format!("There are no valid options for {object}.")
            } else {
                format!("Valid options for {object} are: {}.", valid.join(", "))
            };
            let message = format!("invalid option \"{name}\"");
            return Err(SqlError::new(SqlState::FDW_INVALID_OPTION_NAME, message).with_hint(hint));
        }
        if value.is_empty() {
            let message = format!("option \"{name}\" must not be empty");
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    }
    Ok(())
}

/// Validator of the wrapper: called by CREATE and ALTER of anything with options.
#[pg_extern(sql = false)]
fn fusion_fdw_validator(options: Vec<Option<String>>, catalog: pg_sys::Oid) {
    let options: Vec<String> = options.into_iter().flatten().collect();
    validate(&options, catalog).or_raise();
}

fn option(options: Vec<(String, String)>, name: &str) -> Option<String> {
    options.into_iter().find_map(|(key, value)| (key == name).then_some(value))
}

/// (schema, table) of the heap relation that a foreign table names; `table` and `schema` are the foreign table's own.
pub fn heap_name(relid: Oid, schema: &str, table: &str) -> (String, String) {
    let options = catalog::table_options(relid);
    let (mut heap_schema, mut heap_table) = (schema.to_owned(), table.to_owned());
    for (name, value) in options {
        match name.as_str() {
            SCHEMA_NAME => heap_schema = value,
            TABLE_NAME => heap_table = value,
            _ => {}
        }
    }
    (heap_schema, heap_table)
}

/// Name of the heap relation's column behind a column of a foreign table.
pub fn column_name(relid: Oid, attnum: i16, name: &str) -> String {
    option(catalog::column_options(relid, attnum), COLUMN_NAME).unwrap_or_else(|| name.to_owned())
}
