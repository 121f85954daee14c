//! What the catalogs say of relations, foreign tables and servers.
//!
//! Thin wrappers over syscache and relcache look-ups. Invariant: every relation opened here is locked AccessShare until the end of the
//! transaction, so that what was read of it stays true while the query runs.

use fusion_common::{Oid, RelationFile, TypeRef};
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// Name of the foreign-data wrapper that CREATE EXTENSION makes.
pub const FDW_NAME: &CStr = c"fusion_fdw";

/// An open relation.
pub struct Relation(pg_sys::Relation);

impl Drop for Relation {
    fn drop(&mut self) {
        // SAFETY: opened once by `open`; the lock stays with the transaction.
        unsafe { pg_sys::relation_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) }
    }
}

/// A column as `pg_attribute` has it.
#[derive(Clone, Debug)]
pub struct Column {
    /// From 1.
    pub attnum: i16,
    /// Name.
    pub name: String,
    /// Type.
    pub ty: TypeRef,
    /// `attnotnull`.
    pub not_null: bool,
    /// Computed when read, and not stored (18).
    pub is_virtual: bool,
}

#[cfg(feature = "pg18")]
fn is_virtual(att: &pg_sys::FormData_pg_attribute) -> bool {
    att.attgenerated as u8 == pg_sys::ATTRIBUTE_GENERATED_VIRTUAL
}

#[cfg(not(feature = "pg18"))]
fn is_virtual(_att: &pg_sys::FormData_pg_attribute) -> bool {
    false
}

impl Relation {
    /// Opens `relid` under AccessShareLock; None if it is gone.
    pub fn open(relid: Oid) -> Option<Self> {
        // SAFETY: main thread, in a transaction; try_relation_open gives null for a relation that is gone.
        let relation =
            unsafe { pg_sys::try_relation_open(pg_sys::Oid::from(relid), pg_sys::AccessShareLock as pg_sys::LOCKMODE) };
        (!relation.is_null()).then_some(Self(relation))
    }

    fn class(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: rd_rel is set for every open relation.
        unsafe { &*(*self.0).rd_rel }
    }

    /// The relcache entry.
    pub fn as_ptr(&self) -> pg_sys::Relation {
        self.0
    }

    /// `relkind`.
    pub fn kind(&self) -> u8 {
        self.class().relkind as u8
    }

    /// Its file; only of a relation with storage.
    pub fn file(&self) -> RelationFile {
        // SAFETY: the relation is open.
        unsafe { super::visibility::relation_file(self.0) }
    }

    /// `relpersistence`.
    pub fn persistence(&self) -> u8 {
        self.class().relpersistence as u8
    }

    /// `relrowsecurity`.
    pub fn has_row_security(&self) -> bool {
        self.class().relrowsecurity
    }

    /// Whether it has, or had, children (`relhassubclass`).
    pub fn has_children(&self) -> bool {
        self.class().relhassubclass
    }

    /// Whether its access method is heap.
    pub fn is_heap(&self) -> bool {
        // SAFETY: rd_tableam is null or the method's static table.
        unsafe { (*self.0).rd_tableam == pg_sys::GetHeapamTableAmRoutine() }
    }

    /// Whether it belongs to a system catalog schema.
    pub fn is_catalog(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { pg_sys::IsCatalogRelation(self.0) }
    }

    /// Blocks of its main fork; None where it has no storage of its own.
    pub fn blocks(&self) -> Option<u32> {
        let has_storage = matches!(self.kind(), pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW);
        // SAFETY: the relation is open and has storage.
        has_storage
            .then(|| unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.0, pg_sys::ForkNumber::MAIN_FORKNUM) })
    }

    /// Name without schema.
    pub fn name(&self) -> String {
        pgrx::name_data_to_str(&self.class().relname).to_owned()
    }

    /// Name of its schema.
    pub fn schema(&self) -> String {
        // SAFETY: a syscache look-up; null for a schema that is gone.
        unsafe { string(pg_sys::get_namespace_name(self.class().relnamespace)) }
    }

    /// `schema.name`, quoted where needed.
    pub fn qualified_name(&self) -> String {
        // SAFETY: both names are valid C strings; the result is palloc'd.
        unsafe {
            let schema = pg_sys::get_namespace_name(self.class().relnamespace);
            string(pg_sys::quote_qualified_identifier(schema, self.class().relname.data.as_ptr()))
        }
    }

    /// By attribute number from 1 at index 0; None for dropped columns.
    pub fn columns(&self) -> Vec<Option<Column>> {
        // SAFETY: rd_att lives while the relation is open.
        unsafe { super::tuple::attributes((*self.0).rd_att) }
            .map(|att| {
                (!att.attisdropped).then(|| Column {
                    attnum: att.attnum,
                    name: pgrx::name_data_to_str(&att.attname).to_owned(),
                    ty: TypeRef {
                        oid: att.atttypid.to_u32(),
                        typmod: att.atttypmod,
                        collation: att.attcollation.to_u32(),
                    },
                    // SAFETY: as above; the attribute is one of rd_att.
                    not_null: unsafe { super::tuple::is_never_null((*self.0).rd_att, att) },
                    is_virtual: is_virtual(att),
                })
            })
            .collect()
    }
}

/// A palloc'd C string as a String.
///
/// # Safety
/// `text` is null or a valid C string.
pub unsafe fn string(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller's.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// OID of `schema.name`; None if either is missing.
pub fn find_relation(schema: &str, name: &str) -> Option<Oid> {
    let (schema, name) = (CString::new(schema).ok()?, CString::new(name).ok()?);
    // SAFETY: syscache look-ups with valid C strings.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        if namespace == pg_sys::InvalidOid {
            return None;
        }
        let relid = pg_sys::get_relname_relid(name.as_ptr(), namespace);
        (relid != pg_sys::InvalidOid).then(|| relid.to_u32())
    }
}

/// Whether the schema exists.
pub fn schema_exists(schema: &str) -> bool {
    // SAFETY: syscache look-up with a valid C string.
    CString::new(schema)
        .is_ok_and(|schema| unsafe { pg_sys::get_namespace_oid(schema.as_ptr(), true) != pg_sys::InvalidOid })
}

/// The server of a foreign table of ours; None for a foreign table of another wrapper.
pub fn fusion_server(relid: Oid) -> Option<pg_sys::Oid> {
    // SAFETY: syscache look-ups; `relid` is a foreign table (relkind 'f').
    unsafe {
        let server = pg_sys::GetForeignServerIdByRelId(pg_sys::Oid::from(relid));
        let ours = pg_sys::get_foreign_data_wrapper_oid(FDW_NAME.as_ptr(), true);
        let server_of = pg_sys::GetForeignServer(server);
        (ours != pg_sys::InvalidOid && (*server_of).fdwid == ours).then_some(server)
    }
}

/// The server that CREATE EXTENSION makes; None where it has been dropped or the extension is not in this database.
pub fn default_server() -> Option<pg_sys::Oid> {
    // SAFETY: syscache look-ups; a server that is found can be read.
    unsafe {
        let ours = pg_sys::get_foreign_data_wrapper_oid(FDW_NAME.as_ptr(), true);
        let server = pg_sys::get_foreign_server_oid(c"fusion".as_ptr(), true);
        (ours != pg_sys::InvalidOid
            && server != pg_sys::InvalidOid
            && (*pg_sys::GetForeignServer(server)).fdwid == ours)
            .then_some(server)
    }
}

fn options_of(list: *mut pg_sys::List) -> Vec<(String, String)> {
    // SAFETY: a list of DefElem, as the foreign catalogs' look-ups give it.
    unsafe {
        pgrx::PgList::<pg_sys::DefElem>::from_pg(list)
            .iter_ptr()
            .map(|option| (string((*option).defname), string(pg_sys::defGetString(option))))
            .collect()
    }
}

/// Options of a foreign table.
pub fn table_options(relid: Oid) -> Vec<(String, String)> {
    // SAFETY: `relid` is a foreign table.
    options_of(unsafe { (*pg_sys::GetForeignTable(pg_sys::Oid::from(relid))).options })
}

/// Options of a column of a foreign table.
pub fn column_options(relid: Oid, attnum: i16) -> Vec<(String, String)> {
    // SAFETY: `relid` is a foreign table and `attnum` a column of it.
    options_of(unsafe { pg_sys::GetForeignColumnOptions(pg_sys::Oid::from(relid), attnum) })
}

/// A type's name with its modifier, as `format_type` prints it.
pub fn type_name(ty: TypeRef) -> String {
    // SAFETY: format_type_with_typemod copes with any OID.
    unsafe { string(pg_sys::format_type_with_typemod(pg_sys::Oid::from(ty.oid), ty.typmod)) }
}

/// `typlen` and `typbyval` of a type.
pub fn type_layout(oid: Oid) -> (i16, bool) {
    let (mut length, mut by_value) = (0, false);
    // SAFETY: a syscache look-up of a type that an expression has.
    unsafe { pg_sys::get_typlenbyval(pg_sys::Oid::from(oid), &mut length, &mut by_value) };
    (length, by_value)
}

/// An identifier, quoted if it has to be.
pub fn quote_identifier(name: &str) -> String {
    // SAFETY: a valid C string; the result is it, or palloc'd.
    CString::new(name)
        .map_or_else(|_| name.to_owned(), |name| unsafe { string(pg_sys::quote_identifier(name.as_ptr())) })
}

/// Whether the database's encoding is UTF8.
pub fn database_is_utf8() -> bool {
    // SAFETY: reads a global.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 }
}

/// A relation and all that inherit from it, or are partitions of it, at any depth, each locked for reading.
pub fn with_children(relid: Oid) -> Vec<Oid> {
    // pg_inherits.h, which pgrx has no binding for.
    unsafe extern "C-unwind" {
        fn find_all_inheritors(
            parent: pg_sys::Oid,
            lock: pg_sys::LOCKMODE,
            parents: *mut *mut pg_sys::List,
        ) -> *mut pg_sys::List;
    }
    // SAFETY: main thread, in a transaction; the result is a list of OIDs in the current memory context.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let list = pg_sys::ffi::pg_guard_ffi_boundary(|| {
            find_all_inheritors(pg_sys::Oid::from(relid), lock, std::ptr::null_mut())
        });
        pgrx::PgList::<pg_sys::Oid>::from_pg(list).iter_oid().map(|relid| relid.to_u32()).collect()
    }
}
