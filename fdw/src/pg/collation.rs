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

/// What `upper` and `lower` do under a collation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaseMapping {
    /// They change ASCII letters only: the C locale.
    Ascii,
    /// They change ASCII letters as the C locale does, and others in a way of their own.
    AsciiAndOthers,
    /// Not even that is known.
    Unknown,
}

/// What `upper` and `lower` do under a collation, as far as the libc locale tells.
pub fn case_mapping(collation: Oid) -> CaseMapping {
    let (provider, locale) = match collation {
        0 => return CaseMapping::Unknown,
        C_COLLATION | POSIX_COLLATION => return CaseMapping::Ascii,
        DEFAULT_COLLATION => (pg_sys::Anum_pg_database_datlocprovider, pg_sys::Anum_pg_database_datctype),
        _ => (pg_sys::Anum_pg_collation_collprovider, pg_sys::Anum_pg_collation_collctype),
    };
    let (cache, key) = match collation {
        // SAFETY: a global that is set for the life of a backend.
        DEFAULT_COLLATION => (SysCacheIdentifier::DATABASEOID, unsafe { pg_sys::MyDatabaseId }),
        _ => (SysCacheIdentifier::COLLOID, collation.into()),
    };
    match provider_of(cache, key, provider, locale) {
        Some((b'b', _)) => CaseMapping::AsciiAndOthers,
        Some((b'c', locale)) => match locale.get(..2) {
            _ if matches!(locale.as_str(), "C" | "POSIX") => CaseMapping::Ascii,
            // Languages in which i and I are not a pair.
            Some("tr" | "az" | "lt") | None => CaseMapping::Unknown,
            Some(_) => CaseMapping::AsciiAndOthers,
        },
        _ => CaseMapping::Unknown,
    }
}

/// Whether the provider and libc locale in these attributes of a catalog row mean byte order.
fn provider_and_locale(cache: SysCacheIdentifier::Type, key: pg_sys::Oid, provider: u32, locale: u32) -> bool {
    match provider_of(cache, key, provider, locale) {
        Some((b'b', _)) => true,
        Some((b'c', locale)) => matches!(locale.as_str(), "C" | "POSIX"),
        _ => false,
    }
}

/// Provider and libc locale (empty for other providers) in these attributes of a catalog row.
fn provider_of(cache: SysCacheIdentifier::Type, key: pg_sys::Oid, provider: u32, locale: u32) -> Option<(u8, String)> {
    let cache = cache as i32;
    // SAFETY: a syscache look-up by OID; the row is held until it is released, and the attributes are a "char" (by
    // value) and a text.
    unsafe {
        let row = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(key));
        if row.is_null() {
            return None;
        }
        let mut is_null = false;
        let provider = pg_sys::SysCacheGetAttr(cache, row, provider as i16, &raw mut is_null);
        let answer = match provider.value() as u8 {
            _ if is_null => None,
            b'c' => {
                let locale = pg_sys::SysCacheGetAttr(cache, row, locale as i16, &raw mut is_null);
                (!is_null).then(|| (b'c', text(pg_sys::text_to_cstring(locale.cast_mut_ptr()))))
            }
            other => Some((other, String::new())),
        };
        pg_sys::ReleaseSysCache(row);
        answer
    }
}
