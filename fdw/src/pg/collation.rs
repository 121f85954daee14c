//! What a collation promises: read from the catalogs, the same way on every server version.

use super::node::text;
use fusion_common::Oid;
use fusion_common::types::oid::{C_COLLATION, DEFAULT_COLLATION};
use pgrx::pg_sys::{self, SysCacheIdentifier};

/// `"POSIX"`.
const POSIX_COLLATION: Oid = 951;

/// Whether strings that differ in a byte are different.
pub fn is_deterministic(collation: Oid) -> bool {
    // SAFETY: a syscache look-up by OID.
    collation != 0 && unsafe { pg_sys::get_collation_isdeterministic(collation.into()) }
}

/// Whether strings are in the order of their bytes (`lc_collate_is_c`, `pg_locale_t.collate_is_c` of 18): the C and POSIX
/// locales of libc, and all locales of the builtin provider.
pub fn is_byte_order(collation: Oid) -> bool {
    match collation {
        0 => false,
        C_COLLATION | POSIX_COLLATION => true,
        DEFAULT_COLLATION => {
            // SAFETY: a global that is set for the life of a backend.
            let database = unsafe { pg_sys::MyDatabaseId };
            provider_and_locale(
                SysCacheIdentifier::DATABASEOID,
                database,
                pg_sys::Anum_pg_database_datlocprovider,
                pg_sys::Anum_pg_database_datcollate,
            )
        }
        _ => provider_and_locale(
            SysCacheIdentifier::COLLOID,
            collation.into(),
            pg_sys::Anum_pg_collation_collprovider,
            pg_sys::Anum_pg_collation_collcollate,
        ),
    }
}

/// Whether the provider and libc locale in these attributes of a catalog row mean byte order.
fn provider_and_locale(cache: SysCacheIdentifier::Type, key: pg_sys::Oid, provider: u32, locale: u32) -> bool {
    let cache = cache as i32;
    // SAFETY: a syscache look-up by OID; the row is held until it is released, and the attributes are a "char" (by
    // value) and a text.
    unsafe {
        let row = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(key));
        if row.is_null() {
            return false;
        }
        let mut is_null = false;
        let provider = pg_sys::SysCacheGetAttr(cache, row, provider as i16, &raw mut is_null);
        let answer = match provider.value() as u8 {
            _ if is_null => false,
            b'b' => true,
            b'c' => {
                let locale = pg_sys::SysCacheGetAttr(cache, row, locale as i16, &raw mut is_null);
                !is_null && matches!(text(pg_sys::text_to_cstring(locale.cast_mut_ptr())).as_str(), "C" | "POSIX")
            }
            _ => false,
        };
        pg_sys::ReleaseSysCache(row);
        answer
    }
}
