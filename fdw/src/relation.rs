//! Which heap relation stands behind a range-table entry, column by column.
//!
//! A fusion table's columns match the heap relation's by name (or by the option `column_name`), in any order, any subset; types
//! must be the same. [`resolve`] is where every way a fusion table can have gone stale becomes a clear error. A heap relation that is
//! named directly stands for itself ([`plain`]). A partitioned table or inheritance parent is read as its leaves
//! ([`HeapRelation::with_leaves`]), whose columns match the parent's by name, as PostgreSQL's own expansion has it.

use crate::error::Result;
use crate::options;
use crate::pg::catalog::{self, Relation};
use fusion_common::{Oid, SqlError, SqlState, TypeRef};
use pgrx::pg_sys;

/// A heap relation as a query sees it: through a fusion table, or directly.
#[derive(Clone, Debug)]
pub struct HeapRelation {
    /// `pg_class.oid` of the heap relation.
    pub heap: Oid,
    /// `schema.table`, quoted where needed.
    pub name: String,
    /// By attribute number of the range-table entry, from 1 at index 0; None for dropped columns.
    pub columns: Vec<Option<HeapColumn>>,
    /// Why the engine cannot read it, though PostgreSQL can.
    pub native_reason: Option<String>,
    /// It is a partitioned table, or may have inheritance children: what it gives is what its leaves give.
    pub has_children: bool,
    /// It is a partitioned table: without leaves it gives nothing.
    pub is_partitioned: bool,
    /// The relations to read in its place, columns as here; None: itself.
    pub leaves: Option<Vec<HeapRelation>>,
    /// `relrowsecurity` of the heap relation: the plan depends on who runs it.
    pub row_security: bool,
}

/// A column of a heap relation.
#[derive(Clone, Debug)]
pub struct HeapColumn {
    /// Attribute number in the heap relation.
    pub attnum: i16,
    /// Name in the heap relation.
    pub name: String,
    /// Type.
    pub ty: TypeRef,
    /// `attnotnull`.
    pub not_null: bool,
}

/// The heap relation behind the fusion table `relid`.
pub fn resolve(relid: Oid) -> Result<HeapRelation> {
    let foreign = Relation::open(relid)
        .ok_or_else(|| SqlError::new(SqlState(*b"42P01"), format!("relation with OID {relid} does not exist")))?;
    let (schema, table) = heap_name(relid, &foreign);
    let heap_name = format!("{}.{}", catalog::quote_identifier(&schema), catalog::quote_identifier(&table));
    let mend = format!(
        "Use ALTER FOREIGN TABLE {} OPTIONS (SET table_name '...'), or drop it and import the schema again.",
        foreign.qualified_name()
    );
    let heap = catalog::find_relation(&schema, &table).and_then(Relation::open).ok_or_else(|| {
        SqlError::new(SqlState(*b"42P01"), format!("heap relation \"{schema}.{table}\" does not exist"))
            .with_detail(format!("It is the heap relation of fusion table {}.", foreign.qualified_name()))
            .with_hint(mend)
    })?;
    check_kind(&heap, &heap_name)?;
    let columns = match_columns(relid, &foreign, &heap)?;
    Ok(HeapRelation {
        heap: heap_oid(&heap),
        name: heap.qualified_name(),
        columns,
        native_reason: native_reason(&heap),
        has_children: has_children(&heap),
        is_partitioned: is_partitioned(&heap),
        leaves: None,
        row_security: heap.has_row_security(),
    })
}

/// A relation that a query names directly, as itself; or why the engine does not read it.
pub fn plain(relid: Oid) -> std::result::Result<HeapRelation, String> {
    let heap = Relation::open(relid).ok_or_else(|| format!("relation with OID {relid} does not exist"))?;
    if let Some(what) = other_kind(&heap) {
        return Err(format!("{} is {what}", heap.qualified_name()));
    }
    let column = |column: catalog::Column| HeapColumn {
        attnum: column.attnum,
        name: column.name,
        ty: column.ty,
        not_null: column.not_null,
    };
    Ok(HeapRelation {
        heap: relid,
        name: heap.qualified_name(),
        columns: heap.columns().into_iter().map(|found| found.map(column)).collect(),
        native_reason: native_reason(&heap),
        has_children: has_children(&heap),
        is_partitioned: is_partitioned(&heap),
        leaves: None,
        row_security: heap.has_row_security(),
    })
}

impl HeapRelation {
    /// The same relation, read as these leaves of it; or why the engine cannot read one of them.
    pub fn with_leaves(mut self, leaves: &[Oid]) -> std::result::Result<Self, String> {
        let read = leaves.iter().map(|&leaf| self.leaf(leaf)).collect::<std::result::Result<_, _>>()?;
        self.leaves = Some(read);
        Ok(self)
    }

    /// A leaf whose columns are in the places that this relation's have.
    fn leaf(&self, relid: Oid) -> std::result::Result<Self, String> {
        let leaf = plain(relid)?;
        if let Some(reason) = leaf.native_reason {
            return Err(reason);
        }
        let column = |wanted: &HeapColumn| {
            let found = leaf.columns.iter().flatten().find(|found| found.name == wanted.name && found.ty == wanted.ty);
            found
                .cloned()
                .ok_or_else(|| format!("column \"{}\" of {} differs in {}", wanted.name, self.name, leaf.name))
        };
        let columns = self
            .columns
            .iter()
            .map(|wanted| wanted.as_ref().map(column).transpose())
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self { columns, has_children: false, ..leaf })
    }
}

/// (schema, table) that the fusion table names.
pub fn heap_name(relid: Oid, foreign: &Relation) -> (String, String) {
    options::heap_name(relid, &foreign.schema(), &foreign.name())
}

fn heap_oid(heap: &Relation) -> Oid {
    // SAFETY: the relation is open.
    unsafe { (*heap.as_ptr()).rd_id.to_u32() }
}

/// Refuses what is not a heap relation.
fn check_kind(heap: &Relation, name: &str) -> Result<()> {
    let Some(what) = other_kind(heap) else { return Ok(()) };
    Err(SqlError::new(SqlState(*b"42809"), format!("\"{name}\" is not a heap relation"))
        .with_detail(format!("It is {what}."))
        .with_hint("Fusion tables stand over tables, partitioned tables and materialized views."))
}

/// What a relation is, if it is not a heap relation.
fn other_kind(heap: &Relation) -> Option<&'static str> {
    Some(match heap.kind() {
        pg_sys::RELKIND_PARTITIONED_TABLE => return None,
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW if heap.is_catalog() => "a system catalog",
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW if heap.is_heap() => return None,
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW => "stored by another access method",
        pg_sys::RELKIND_VIEW => "a view",
        pg_sys::RELKIND_FOREIGN_TABLE => "a foreign table",
        pg_sys::RELKIND_SEQUENCE => "a sequence",
        pg_sys::RELKIND_INDEX | pg_sys::RELKIND_PARTITIONED_INDEX => "an index",
        _ => "of another kind",
    })
}

fn is_partitioned(heap: &Relation) -> bool {
    heap.kind() == pg_sys::RELKIND_PARTITIONED_TABLE
}

fn has_children(heap: &Relation) -> bool {
    is_partitioned(heap) || heap.has_children()
}

/// What the engine does not read at this stage, though it is a heap relation.
fn native_reason(heap: &Relation) -> Option<String> {
    let virtual_column = heap.columns().into_iter().flatten().find(|column| column.is_virtual)?;
    Some(format!("column \"{}\" of {} is a virtual generated column", virtual_column.name, heap.qualified_name()))
}

/// Finds for every column of the fusion table the heap relation's.
fn match_columns(relid: Oid, foreign: &Relation, heap: &Relation) -> Result<Vec<Option<HeapColumn>>> {
    let heap_columns = heap.columns();
    foreign
        .columns()
        .into_iter()
        .map(|column| {
            let Some(column) = column else { return Ok(None) };
            let wanted = options::column_name(relid, column.attnum, &column.name);
            let found = heap_columns.iter().flatten().find(|candidate| candidate.name == wanted).ok_or_else(|| {
                SqlError::new(
                    SqlState::FDW_INCONSISTENT_DESCRIPTOR_INFORMATION,
                    format!("column \"{wanted}\" does not exist in heap relation {}", heap.qualified_name()),
                )
                .with_hint(format!(
                    "Use ALTER FOREIGN TABLE {0} DROP COLUMN {1}, or ALTER FOREIGN TABLE {0} ALTER COLUMN {1} \
                     OPTIONS (ADD column_name '...').",
                    foreign.qualified_name(),
                    catalog::quote_identifier(&column.name),
                ))
            })?;
            if found.ty != column.ty {
                return Err(type_mismatch(foreign, heap, &column, found));
            }
            Ok(Some(HeapColumn {
                attnum: found.attnum,
                name: found.name.clone(),
                ty: found.ty,
                not_null: found.not_null,
            }))
        })
        .collect()
}

fn type_mismatch(foreign: &Relation, heap: &Relation, column: &catalog::Column, found: &catalog::Column) -> SqlError {
    let (has, wants) = (catalog::type_name(column.ty), catalog::type_name(found.ty));
    let name = catalog::quote_identifier(&column.name);
    let mut error = SqlError::new(
        SqlState::FDW_INVALID_DATA_TYPE,
        format!("column \"{}\" of fusion table {} has another type", column.name, foreign.qualified_name()),
    )
    .with_hint(format!("Use ALTER FOREIGN TABLE {} ALTER COLUMN {name} TYPE {wants}.", foreign.qualified_name()));
    error.detail = Some(if has == wants {
        format!("Its collation differs from that of column \"{}\" of {}.", found.name, heap.qualified_name())
    } else {
        format!("It is {has}, but column \"{}\" of {} is {wants}.", found.name, heap.qualified_name())
    });
    error
}
